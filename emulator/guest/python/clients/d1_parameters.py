"""What `bind()` takes and what it makes of it, as the platform's own D1 client does.

Source: docs/platform/d1.md, "Parameters and values".
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from .. import buffers
from ..sdk.jsproxy import plain
from ..sdk.pyodide.ffi import JsException, JsNull, JsProxy

_MAX_SAFE_INTEGER = 2**53 - 1


def parameter(value: Any) -> Any:
    """Return `value` as it is sent: None, int, float, str or bytes.

    Raises JsException `D1_TYPE_ERROR: Type 'object' not supported for value '[object Object]'`.
    """
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
        case bytes() | bytearray():
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


_JAVASCRIPT_DATE = "%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)"


def _element(item: Any) -> int:
    """Elements are sent, not bytes, as Array.from(view) gives them."""
    return int(item) & 0xFF if math.isfinite(item) else 0


def _unsupported(kind: str, shown: str) -> JsException:
    text = f"Type '{kind}' not supported for value '{shown}'"
    return JsException(f"D1_TYPE_ERROR: {text}", cause=JsException(text))
