"""The client that loads workers. Source: docs/platform/worker-loader.md, "The binding"."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from ..calling import settle
from ..calls import Answer, Caller
from ..sdk.jsobject import JsObject
from ..sdk.jsproxy import plain
from ..sdk.pyodide.ffi import JsException
from .binding import _BindingWrapper
from .fetcher import _FetcherWrapper

_BINDING = "$binding"  # a binding of this worker, in `env` of the loaded one


class WorkerLoader(_BindingWrapper):
    """Loads workers from code."""

    def get(self, name: Any, callback: Callable[[], Any]) -> WorkerStub:
        """Return the worker with this id; `callback` gives its code when it is not loaded."""
        return WorkerStub(self._caller, self._name, str(name or os.urandom(16).hex()), callback)

    def load(self, code: Any) -> WorkerStub:
        """Return a worker with this code, which has no id."""
        return self.get(None, lambda: code)


class WorkerStub(JsObject):
    """A worker that is loaded when it is first called."""

    def __init__(self, caller: Caller, loader: str, name: str, callback: Callable[[], Any]) -> None:
        self._caller = caller
        self._loader = loader
        self._id = name
        self._callback = callback

    def getEntrypoint(self, name: Any = None, options: Any = None, **keywords: Any) -> Any:
        """Return an entrypoint, the default one without a name. Option: `props`."""
        given = plain(options) if isinstance(plain(options), dict) else keywords
        target = {"id": self._id, "entrypoint": name or "", "props": given.get("props") or {}}
        return _FetcherWrapper(_To(self, quote(json.dumps(target), safe="")), self._loader)

    async def _ready(self) -> None:
        """See to it that the worker is loaded."""
        if await self._caller.call(self._loader, ":ready", [self._id]):
            return
        code = plain(await settle(self._callback()))
        if not isinstance(code, dict):
            raise JsException("The callback of a worker loader must return an object.", "TypeError")
        await self._caller.call(self._loader, ":load", [self._id, _sent(code)])


class _To:
    """Calls of one entrypoint. Satisfies `Caller`."""

    def __init__(self, stub: WorkerStub, target: str) -> None:
        self._stub = stub
        self._target = target

    def call(self, binding: str, method: str, args: list[Any], **options: Any) -> Answer:
        return self._called(binding, f"{self._target} {method}", args, options)

    async def _called(
        self, binding: str, method: str, args: list[Any], options: dict[str, Any]
    ) -> Any:
        await self._stub._ready()
        return await self._stub._caller.call(binding, method, args, **options)


def _sent(code: dict[str, Any]) -> dict[str, Any]:
    """Return code as the host gets it: a service binding in `env` goes by its name."""
    env = plain(code.get("env"))
    if not isinstance(env, dict):
        return code
    return {**code, "env": {name: _member(name, plain(value)) for name, value in env.items()}}


def _member(name: str, value: Any) -> Any:
    if type(value) is _FetcherWrapper:
        return {_BINDING: value._name}
    if isinstance(value, _BindingWrapper):
        text = f"env.{name} of the loaded worker: {value!r} cannot be serialized."
        raise JsException(text, "DataCloneError")
    return value


WorkerStub.__module__ = "workers"

CLIENT = WorkerLoader
