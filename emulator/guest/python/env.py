"""`env`, as user code sees it. `members.py` makes what is on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class _EnvWrapper:
    """Attribute access only: no `env["X"]`, no iteration, a missing name is an AttributeError.

    Source: docs/platform/python-workers.md, "Bindings".
    """

    def __new__(cls, members: Mapping[str, Any] | _EnvWrapper) -> _EnvWrapper:
        return members if isinstance(members, _EnvWrapper) else super().__new__(cls)

    def __init__(self, members: Mapping[str, Any] | _EnvWrapper) -> None:
        if members is not self:
            self.__dict__.update(members)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name, name=name, obj=self)

    @property
    def _env(self) -> _EnvWrapper:
        return self


_EnvWrapper.__module__ = "workers.rpc"
