"""`env`: text variables as they are, JSON as JavaScript objects, a client object per binding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .calls import Caller
from .clients.ai import Ai
from .clients.d1 import D1Database
from .clients.unsupported import Unsupported
from .clients.vectorize import VectorizeIndex
from .clients.workflow import Workflow
from .sdk.jsproxy import proxied

_CLIENTS: dict[str, Callable[[Caller, str], Any]] = {
    "ai": Ai,
    "d1": D1Database,
    "vectorize": VectorizeIndex,
    "workflow": Workflow,
}


class _EnvWrapper:
    """Attribute access only: no `env["X"]`, no iteration, a missing name is an AttributeError.

    Source: docs/platform/python-workers.md, "Bindings".
    """

    def __init__(
        self,
        caller: Caller,
        bindings: Mapping[str, Mapping[str, Any]],
        variables: Mapping[str, Any],
    ) -> None:
        members = self.__dict__
        for name, value in variables.items():
            members[name] = proxied(value, f"env.{name}")
        for name, binding in bindings.items():
            client = _CLIENTS.get(binding["kind"])
            members[name] = (
                Unsupported(name, binding["kind"], binding.get("friendly", binding["kind"]))
                if client is None
                else client(caller, name)
            )

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    @property
    def _env(self) -> _EnvWrapper:
        return self


_EnvWrapper.__module__ = "workers.rpc"
