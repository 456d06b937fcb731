"""`workers.rpc`: conversion across the boundary, and the wrapper classes user code checks for."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ...clients.binding import _BindingWrapper
from ...env import _EnvWrapper
from ..javascript.collections import Object
from ..javascript.dates import Date
from ..javascript.functions import JsDoubleProxy
from ..javascript.to_js import to_js
from ..jsdict import JsDict
from ..jserror import JsException
from ..jsnull import jsnull
from ..jsobject import is_named
from ..jsproxy import JsProxy

__all__ = ["JsDict", "_BindingWrapper", "_EnvWrapper", "python_from_rpc", "python_to_rpc"]


def python_to_rpc(value: Any) -> Any:
    """Return `value` as JavaScript has it. Raises TypeError for what cannot be sent.

    Source: https://github.com/cloudflare/workers-py/blob/main/packages/runtime-sdk/src/workers/rpc.py
    """
    if value is None:
        return jsnull
    if isinstance(value, _BindingWrapper):
        return value._binding
    value = _with_null(value)
    _check(value)
    return to_js(value, default_converter=_default, dict_converter=Object.fromEntries)


def python_from_rpc(value: Any) -> Any:
    """Return what Python has for a value of JavaScript's."""
    if value is jsnull:
        return None
    if type(value) is JsException and value.name == "Error":
        return Exception(str(value))
    if not isinstance(value, JsProxy):
        return value
    return _without_null(value.to_py(default_converter=_from_javascript))


def _from_javascript(value: Any, convert: Any, remember: Any) -> Any:
    if is_named(value, "Request", "Response", "FormData", "Blob", "File"):
        return value._own
    return value._plain() if is_named(value, "Date") else value


def _default(value: Any, convert: Any, remember: Any) -> Any:
    if isinstance(value, _BindingWrapper):
        return value._binding
    if hasattr(value, "js_object"):
        return value.js_object
    if isinstance(value, datetime):
        return Date(value.timestamp() * 1000)
    if isinstance(value, Exception):
        return JsException(str(value), "Error")
    if callable(value) and not isinstance(value, type):
        return JsDoubleProxy(value)
    _check(value)
    return value


def _check(value: Any) -> None:
    """Raise TypeError for what cannot be sent, also inside of what can be iterated."""
    if isinstance(value, _BindingWrapper | str | bytes | JsProxy):
        return
    if callable(value) and not isinstance(value, type):
        return
    if isinstance(value, tuple | bytearray):
        raise TypeError(f"{type(value)} cannot be sent over RPC.")
    if inspect.isawaitable(value):
        raise TypeError(f"Awaitable {type(value)} cannot be sent over RPC.")
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, Iterable):
        return
    for item in value:
        _check(item)


def _with_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_null(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_null(item) for item in value]
    return jsnull if value is None else value


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return JsDict({key: _without_null(item) for key, item in value.items()})
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    return None if value is jsnull else value
