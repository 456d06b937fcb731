"""What is on `env`: text variables as they are, JSON as JavaScript objects, binding clients.

The client of a kind is the `CLIENT` of the module in `clients/` that has the kind's name. It is
imported here, before the folder of user code can be imported from: there may be modules of the same
names as those that a client imports.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

from . import clients
from .calls import Caller
from .clients.unsupported import Unsupported
from .sdk.jsproxy import proxied

Client = Callable[[Caller, str, Mapping[str, Any]], Any]


def _client_of(kind: str) -> Client | None:
    """Return the client of a kind; None where it has none."""
    name = f"{clients.__name__}.{kind}"
    if find_spec(name) is None:
        return None
    client: Client | None = getattr(importlib.import_module(name), "CLIENT", None)
    return client


def members(
    caller: Caller, bindings: Mapping[str, Mapping[str, Any]], variables: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what is on `env`, by name.

    bindings: name -> `{"kind", "friendly"?, …}`; only a kind that is not emulated has
    `friendly`.
    """
    found = {name: proxied(value, f"env.{name}") for name, value in variables.items()}
    for name, binding in bindings.items():
        kind = binding["kind"]
        client = None if "friendly" in binding else _client_of(kind)
        if client is None:
            found[name] = Unsupported(name, kind, binding)
        else:
            found[name] = client(caller, name, binding)
    return found
