"""The client of dispatch namespaces. Source: docs/platform/services.md, "Dispatch namespaces"."""

from __future__ import annotations

from typing import Any

from ..calls import Answer, Caller
from .binding import _BindingWrapper
from .fetcher import _FetcherWrapper


class DispatchNamespace(_BindingWrapper):
    """Finds workers by name."""

    def get(self, name: str, args: Any = None, options: Any = None) -> _FetcherWrapper:
        """Return a worker; whether there is one shows when it is called."""
        return _FetcherWrapper(_To(self._caller, str(name)), self._name)


class _To:
    """Calls that name their worker. Satisfies `Caller`."""

    def __init__(self, caller: Caller, worker: str) -> None:
        self._caller = caller
        self._worker = worker

    def call(self, binding: str, method: str, args: list[Any], **options: Any) -> Answer:
        return self._caller.call(binding, f"{self._worker} {method}", args, **options)


CLIENT = DispatchNamespace
