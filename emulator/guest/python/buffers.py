"""Objects with a buffer <-> typed arrays, as Pyodide converts them.

Source: https://github.com/pyodide/pyodide/blob/main/src/core/python2js_buffer.js
(processBufferFormatString, get_converter).
"""

from __future__ import annotations

import sys
from typing import Any

from ...protocol.values import TypedArray
from .sdk.pyodide.ffi import JsException

# By what the items are and their size in bytes. Bytes themselves travel as bytes.
_ARRAYS = {
    ("integer", 1): "Int8Array",
    ("integer", 2): "Int16Array",
    ("unsigned", 2): "Uint16Array",
    ("integer", 4): "Int32Array",
    ("unsigned", 4): "Uint32Array",
    ("integer", 8): "BigInt64Array",
    ("unsigned", 8): "BigUint64Array",
    ("float", 4): "Float32Array",
    ("float", 8): "Float64Array",
}
_KINDS = (
    dict.fromkeys("bhilqn", "integer")
    | dict.fromkeys("BHILQNPc", "unsigned")
    | dict.fromkeys("fd", "float")
)
_BIG_ENDIAN = ("!", ">") if sys.byteorder == "little" else ()


def view_of(value: Any) -> memoryview | None:
    """Return a view of an object with a buffer; None if it has none."""
    try:
        return memoryview(value)
    except (TypeError, ValueError, BufferError):
        return None


def to_value(view: memoryview) -> Any:
    """Return what a view becomes: bytes, a TypedArray, or for several dimensions a list of them.

    Raises JsException for items that no array of JavaScript can hold.
    """
    code = view.format[-1:]
    kind = _KINDS.get(code)
    if len(view.format.lstrip("@=<>!")) != 1 or kind is None and code != "?":
        raise _unknown(view.format)
    if view.ndim == 0:
        text = (
            "A number of another library cannot be sent: convert it with int(), float() or bool()."
        )
        raise JsException(text, "TypeError")
    if view.ndim > 1:
        return _rows(view.tobytes(), view.shape or (), view)
    return _row(view.tobytes(), view)


def _rows(data: bytes, shape: tuple[int, ...], view: memoryview) -> Any:
    if len(shape) == 1:
        return _row(data, view)
    count = shape[0]
    size = len(data) // count if count else 0
    return [_rows(data[n * size : (n + 1) * size], shape[1:], view) for n in range(count)]


def _row(data: bytes, view: memoryview) -> Any:
    code, size = view.format[-1:], view.itemsize
    if code == "?":
        return [byte != 0 for byte in data]
    if view.format[0] in _BIG_ENDIAN:
        data = _swapped(data, size)
    if size == 1 and _KINDS[code] == "unsigned":
        return data
    return TypedArray(_ARRAYS[_KINDS[code], size], data)


def _swapped(data: bytes, size: int) -> bytes:
    """Return items with their bytes in the other order."""
    result = bytearray(len(data))
    for place in range(size):
        result[place::size] = data[size - 1 - place :: size]
    return bytes(result)


def _unknown(format: str) -> JsException:
    if format[-1:] == "e":
        return JsException("Javascript has no Float16 support. Convert it to float32.", "Error")
    text = f"Unrecognized format character '{format}' of a buffer: JavaScript has no such array."
    return JsException(text, "Error")


def numbers(value: Any) -> Any:
    """Return the elements of an object with a buffer as a list, and other values unchanged.

    Raises JsException for items that no array of JavaScript can hold.
    """
    if isinstance(value, list | str | bytearray):
        return value
    view = view_of(value)
    return value if view is None else _elements(to_value(view))


def _elements(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [_elements(item) if not isinstance(item, bool) else item for item in value]
    return value.view().tolist() if isinstance(value, TypedArray) else list(value)
