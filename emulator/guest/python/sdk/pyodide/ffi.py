"""`pyodide.ffi`: the names user code imports, where there is no JavaScript on the other side.

Values are plain Python here, so `to_js` and `create_proxy` hand back what they are given. Only JSON
variables are proxies. Source: docs/platform/python-workers.md, "JavaScript's names".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from ...loop import web_loop as _web_loop
from ..jserror import JsException as JsException
from ..jsnull import JsNull as JsNull
from ..jsnull import jsnull as jsnull
from ..jsproxy import JsArray as JsArray
from ..jsproxy import JsProxy as JsProxy

_T = TypeVar("_T")


def to_js(
    obj: Any,
    *,
    depth: int = -1,
    pyproxies: Any = None,
    create_pyproxies: bool = True,
    dict_converter: Callable[[Iterable[tuple[Any, Any]]], Any] | None = None,
    default_converter: Any = None,
    eager_converter: Any = None,
) -> Any:
    """Return `obj`; tuples become lists, as arrays are what they would be."""
    if isinstance(obj, list | tuple):
        return [to_js(item) for item in obj]
    if type(obj) is dict:
        return {key: to_js(item) for key, item in obj.items()}
    return obj


def can_run_sync() -> bool:
    """Return whether `run_sync` can wait here: in a handler or a workflow run."""
    return _web_loop.can_run_sync()


def run_sync(awaitable: Awaitable[_T]) -> _T:
    """Return the result of `awaitable` to synchronous code, while other requests go on.

    Raises what it raises, and RuntimeError where nothing can wait.
    """
    return _web_loop.run_sync(awaitable)


def create_proxy(obj: Any, *, capture_this: bool = False, roundtrip: bool = True) -> Any:
    """Return `obj`: there is nothing to keep alive."""
    return obj


def create_once_callable(obj: Any) -> Any:
    """Return `obj`."""
    return obj


def destroy_proxies(proxies: Any) -> None:
    """Do nothing: there are no proxies."""
