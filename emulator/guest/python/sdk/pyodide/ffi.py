"""`pyodide.ffi`: the names user code imports, where there is no JavaScript on the other side.

Values are plain Python here, so `to_js` and `create_proxy` hand back what they are given. Only JSON
variables are proxies. Source: docs/platform/python-workers.md, "JavaScript's names".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..jsnull import JsNull as JsNull
from ..jsnull import jsnull as jsnull
from ..jsproxy import JsArray as JsArray
from ..jsproxy import JsProxy as JsProxy


class JsException(Exception):
    """An error from the platform: `name`, `message`, `stack`; `str(e)` is `"Name: message"`.

    `cause` is what the platform says it came from, or None.
    """

    def __init__(
        self, message: str = "", name: str = "Error", cause: JsException | None = None
    ) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.cause = cause
        self.stack = f"{name}: {message}"

    def __str__(self) -> str:
        return f"{self.name}: {self.message}" if self.message else self.name


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


def create_proxy(obj: Any, *, capture_this: bool = False, roundtrip: bool = True) -> Any:
    """Return `obj`: there is nothing to keep alive."""
    return obj


def create_once_callable(obj: Any) -> Any:
    """Return `obj`."""
    return obj


def destroy_proxies(proxies: Any) -> None:
    """Do nothing: there are no proxies."""


JsException.__module__ = "pyodide.ffi"
