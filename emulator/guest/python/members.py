"""What is on `env`: text variables as they are, JSON as JavaScript objects, binding clients.

The client of a kind is the `CLIENT` of the module in `clients/` that has the kind's name. All of
them are imported here, so before guests are forked: user code may have modules of the same names as
those that they import.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from typing import Any

from . import clients
from .calls import Caller
from .clients.unsupported import Unsupported
from .sdk.jsproxy import proxied

Client = Callable[[Caller, str, Mapping[str, Any]], Any]


def _import_clients() -> dict[str, Client]:
    found: dict[str, Client] = {}
    for file in sorted(os.listdir(os.path.dirname(clients.__file__))):
        name, suffix = os.path.splitext(file)
        if suffix == ".py" and name != "__init__":
            module = importlib.import_module(f"{clients.__name__}.{name}")
            if hasattr(module, "CLIENT"):
                found[name] = module.CLIENT
    return found


_CLIENTS = _import_clients()


def members(
    caller: Caller, bindings: Mapping[str, Mapping[str, Any]], variables: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what is on `env`, by name.

    bindings: name -> `{"kind", "friendly"?, "instead"?, …}`; only a kind that is not emulated has
    `friendly`.
    """
    found = {name: proxied(value, f"env.{name}") for name, value in variables.items()}
    for name, binding in bindings.items():
        kind = binding["kind"]
        client = None if "friendly" in binding else _CLIENTS.get(kind)
        if client is None:
            found[name] = Unsupported(
                name, kind, binding.get("friendly", kind), binding.get("instead", "")
            )
        else:
            found[name] = client(caller, name, binding)
    return found
