"""What `bind()` takes and how it is sent, as by the SDK and the platform's own D1 client.

Source: docs/platform/d1.md, "Parameters and values"; docs/platform/python-workers.md, "From Python
to JavaScript".
"""

from __future__ import annotations

import inspect
import math
from datetime import UTC, datetime
from typing import Any

from .. import buffers
from ..sdk.jsproxy import plain
from ..sdk.pyodide.ffi import JsException, JsNull, JsProxy

_MAX_SAFE_INTEGER = 2**53 - 1


def parameter(value: Any) -> Any:
    """Return `value` as it is sent: None, int, float, str or bytes.

    Raises TypeError for what no binding takes, such as a tuple or a bytearray, and JsException
    `D1_TYPE_ERROR: Type 'object' not supported for value '[object Object]'`.
    """
    _refuse_what_no_binding_takes(value)
    match value:
        case None | JsNull():
            return None
        case bool():
            return int(value)
        case int() if abs(value) > _MAX_SAFE_INTEGER:
            raise _unsupported("bigint", str(value))
        case float() if not math.isfinite(value):
            return None
        case int() | float() | str():
            return value
        case bytes():
            return bytes(value)
        case list() if all(type(item) is int and 0 <= item < 256 for item in value):
            return bytes(value)
        case list():
            raise _unsupported("object", ",".join(map(str, value)))
        case JsProxy():
            return parameter(plain(value))
        case datetime():  # a Date in JavaScript, which D1 does not take
            raise _unsupported("object", value.astimezone(UTC).strftime(_JAVASCRIPT_DATE))
    view = buffers.view_of(value)
    if view is not None and view.ndim == 1:
        return bytes(map(_element, buffers.numbers(view)))
    if callable(value):
        raise _unsupported("function", repr(value))
    raise _unsupported("object", "[object Object]")


def _refuse_what_no_binding_takes(value: Any) -> None:
    match value:
        case None | bool() | int() | float() | str() | bytes():
            return
        case tuple() | bytearray():
            raise TypeError(f"{type(value)} cannot be sent over RPC.")
        case list():
            for item in value:
                _refuse_what_no_binding_takes(item)
        case dict():
            for item in value.values():
                _refuse_what_no_binding_takes(item)
    if inspect.isawaitable(value):
        raise TypeError(f"Awaitable {type(value)} cannot be sent over RPC.")


_JAVASCRIPT_DATE = "%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)"


def _element(item: Any) -> int:
    """Sends elements, not bytes, as Array.from(view) has them."""
    return int(item) & 0xFF if math.isfinite(item) else 0


def _unsupported(kind: str, shown: str) -> JsException:
    text = f"Type '{kind}' not supported for value '{shown}'"
    return JsException(f"D1_TYPE_ERROR: {text}", cause=JsException(text))
