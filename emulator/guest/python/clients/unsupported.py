"""Bindings Groundfog does not emulate yet: any use says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn


class Unsupported:
    """Is on `env` under the binding's name, so that only its use raises an error.

    told: `{"friendly"?, "lacks"?, "instead"?}`: the kind, why it cannot be used, and what helps.
    """

    def __init__(self, name: str, kind: str, told: Mapping[str, Any]) -> None:
        self.__dict__["_problem"] = (
            f"env.{name} is a binding of kind {kind} ({told.get('friendly', kind)}), which "
            f"{told.get('lacks') or 'Groundfog does not emulate yet'}. {told.get('instead', '')}"
        ).rstrip()

    def __getattr__(self, attribute: str) -> NoReturn:
        if attribute.startswith("__"):  # introspection, e.g. by inspect or copy
            raise AttributeError(attribute)
        raise NotImplementedError(self._problem)

    def __setattr__(self, attribute: str, value: Any) -> NoReturn:
        raise NotImplementedError(self._problem)

    def __getitem__(self, key: Any) -> NoReturn:
        raise NotImplementedError(self._problem)

    def __call__(self, *args: Any, **keywords: Any) -> NoReturn:
        raise NotImplementedError(self._problem)
