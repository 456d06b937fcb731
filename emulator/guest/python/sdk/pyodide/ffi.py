"""`pyodide.ffi`: the names user code imports.

Source: https://pyodide.org/en/0.28.2/usage/api/python-api/ffi.html.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any, TypeVar

from ...loop import web_loop as _web_loop
from ..javascript import functions as _functions
from ..javascript.collections import Map as _Map
from ..javascript.functions import JsDoubleProxy as JsDoubleProxy
from ..javascript.promises import Promise as JsPromise
from ..javascript.to_js import ConversionError as ConversionError
from ..javascript.to_js import to_js as to_js
from ..jserror import JsException as JsException
from ..jsnull import JsNull as JsNull
from ..jsnull import jsnull as jsnull
from ..jsproxy import JsArray as JsArray
from ..jsproxy import JsProxy as JsProxy

__all__ = [
    "ConversionError",
    "InternalError",
    "JsArray",
    "JsAsyncIterable",
    "JsAsyncIterator",
    "JsBuffer",
    "JsCallable",
    "JsDoubleProxy",
    "JsException",
    "JsFetchResponse",
    "JsGenerator",
    "JsIterable",
    "JsIterator",
    "JsMap",
    "JsMutableMap",
    "JsNull",
    "JsOnceCallable",
    "JsPromise",
    "JsProxy",
    "JsTypedArray",
    "can_run_sync",
    "create_once_callable",
    "create_proxy",
    "destroy_proxies",
    "jsnull",
    "register_js_module",
    "run_sync",
    "to_js",
    "unregister_js_module",
]
_T = TypeVar("_T")


class InternalError(Exception):
    """An error inside of Pyodide. It is never raised here."""


def can_run_sync() -> bool:
    """Return whether `run_sync` can wait here: in a handler or a workflow run."""
    return _web_loop.can_run_sync()


def run_sync(awaitable: Awaitable[_T]) -> _T:
    """Return the result of `awaitable` to synchronous code, while other requests go on.

    Raises what it raises, and RuntimeError where nothing can wait.
    """
    return _web_loop.run_sync(awaitable)


def create_proxy(obj: Any, /, *, capture_this: bool = False, roundtrip: bool = True) -> Any:
    """Return a proxy of `obj` that JavaScript may keep, until `destroy()`."""
    return obj if isinstance(obj, JsDoubleProxy) else JsDoubleProxy(obj)


def create_once_callable(obj: Callable[..., Any], /) -> Any:
    """Return a proxy of a function that can be called once."""
    return _functions.OnceProxy(obj)


def destroy_proxies(proxies: Any, /) -> None:
    """Destroy all proxies of an array."""
    for proxy in proxies:
        if isinstance(proxy, JsDoubleProxy):
            proxy.destroy()


def register_js_module(name: str, jsproxy: Any) -> None:
    """Make an object a module that can be imported, with its members."""
    module = ModuleType(name)
    module.__getattr__ = lambda member: getattr(jsproxy, member)  # type: ignore[method-assign]
    sys.modules[name] = module


def unregister_js_module(name: str) -> None:
    """Undo `register_js_module`."""
    sys.modules.pop(name, None)


class _Capability(type):
    """The type of names that only `isinstance` uses: a proxy that has these members."""

    _members: tuple[str, ...] = ()

    def __instancecheck__(cls, value: Any) -> bool:
        kind = type(value)
        return isinstance(value, JsProxy) and all(hasattr(kind, each) for each in cls._members)


def _capability(name: str, *members: str) -> Any:
    made = _Capability(name, (), {"__doc__": f"Proxies that have {', '.join(members)}."})
    made._members = members
    return made


JsCallable = _capability("JsCallable", "__call__")
JsOnceCallable = JsCallable
JsIterable = _capability("JsIterable", "__iter__")
JsIterator = _capability("JsIterator", "__next__")
JsGenerator = _capability("JsGenerator", "__next__", "send")
JsAsyncIterable = _capability("JsAsyncIterable", "__aiter__")
JsAsyncIterator = _capability("JsAsyncIterator", "__anext__")
JsBuffer = _capability("JsBuffer", "to_bytes", "byteLength")
JsTypedArray = _capability("JsTypedArray", "to_bytes", "BYTES_PER_ELEMENT")
JsFetchResponse = _capability("JsFetchResponse", "arrayBuffer", "ok")
JsMap = JsMutableMap = _Map
