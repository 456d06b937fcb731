"""`ctx.exports`: the worker's own entrypoints, as bindings to them.

Source: docs/platform/services.md, "ctx.exports".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .calls import Caller
from .clients.fetcher import _FetcherWrapper
from .sdk.jsproxy import plain

PREFIX = ":exports "  # of the names that such a binding has in calls; what follows says which


class Exports:
    """Attributes are entrypoints, by the names that JavaScript has for them."""

    def __init__(self, caller: Caller, entrypoints: Mapping[str, type]) -> None:
        self._caller = caller
        self._classes = {_exported(name): name for name in entrypoints}

    def __getattr__(self, name: str) -> _Export:
        if name.startswith("_") or name not in self._classes:
            raise AttributeError(name, name=name, obj=self)
        return _Export(self._caller, self._classes[name])

    def __dir__(self) -> list[str]:
        return sorted(self._classes)


class _Export(_FetcherWrapper):
    """An entrypoint; calling it gives one with other `ctx.props`."""

    def __init__(self, caller: Caller, entrypoint: str, props: Any = None) -> None:
        super().__init__(caller, PREFIX + json.dumps([entrypoint, props or {}]))
        self._entrypoint = entrypoint

    def __call__(self, *options: Any, **keywords: Any) -> _Export:
        given = plain(options[0]) if options else keywords
        return _Export(self._caller, self._entrypoint, plain(given.get("props")))


def target_of(binding: str) -> dict[str, Any] | None:
    """Return what such a binding leads to, from its name: `{"entrypoint", "props"}`."""
    if not binding.startswith(PREFIX):
        return None
    entrypoint, props = json.loads(binding.removeprefix(PREFIX))
    return {"entrypoint": entrypoint, "props": props}


def _exported(name: str) -> str:
    return "default" if name == "Default" else name


_Export.__module__, _Export.__name__ = "workers.rpc", "_FetcherWrapper"
