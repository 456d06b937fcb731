"""Bindings Groundfog does not emulate yet: any use says so."""

from __future__ import annotations

from typing import Any, NoReturn


class Unsupported:
    """Is on `env` under the binding's name, so that only its use raises an error.

    instead: what the error says to do.
    """

    def __init__(self, name: str, kind: str, friendly: str, instead: str = "") -> None:
        self.__dict__["_problem"] = (
            f"env.{name} is a binding of kind {kind} ({friendly}), which Groundfog does not emulate"
            f" yet. {instead}"
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
