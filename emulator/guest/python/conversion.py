"""Python values <-> tagged JSON, as the SDK's `python_to_rpc` and `python_from_rpc` convert them.

Source: python-workers.md section 7; workers-py packages/runtime-sdk/src/workers/rpc.py.
"""

from __future__ import annotations

import inspect
import re
import types
from datetime import datetime
from typing import Any

from ...protocol import values
from ...protocol.values import ErrorValue, MapValue, NotCloneable, Shapes, TypedArray
from . import sharing
from .jsdict import JsDict
from .jsproxy import plain
from .pyodide.ffi import JsException, JsNull, JsProxy

DATA_CLONE_ERROR = "DataCloneError"
# memoryview formats <-> the typed arrays they are; "B" (Uint8Array) travels as plain bytes.
_ARRAY_OF_FORMAT = {
    "b": "Int8Array",
    "h": "Int16Array",
    "H": "Uint16Array",
    "i": "Int32Array",
    "l": "BigInt64Array",
    "I": "Uint32Array",
    "L": "BigUint64Array",
    "q": "BigInt64Array",
    "Q": "BigUint64Array",
    "f": "Float32Array",
    "d": "Float64Array",
}
_FORMAT_OF_ARRAY = {name: code for code, name in _ARRAY_OF_FORMAT.items() if code not in "lL"}
_CALLABLES = (
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
    types.BuiltinMethodType,
)


def encode(value: Any) -> bytes:
    """Return `value` as tagged JSON.

    Raises TypeError for tuples, bytearrays, awaitables and patterns, and a JsException named
    "DataCloneError", which says where the culprit sits, for all else JavaScript does not know.
    """
    try:
        data = values.encode(value, _convert)
        return values.encode(sharing.apart(value), _convert) if sharing.MARK in data else data
    except _Refused as refused:
        where = path_to(refused.culprit, value)
        if isinstance(refused.error, JsException) and where:
            raise _clone_error(f"{refused.error.message} (at {where})") from None
        raise refused.error from None
    except NotCloneable as error:
        raise _clone_error(str(error)) from None


def decode(data: bytes) -> Any:
    """Return the Python value that `data` carries, in the shapes the SDK gives."""
    return values.decode(data, GUEST_SHAPES)


def copy(value: Any) -> Any:
    """Return what `value` becomes by crossing once."""
    return decode(encode(value))


def path_to(culprit: object, value: Any, path: str = "") -> str:
    """Return where `culprit` sits in `value`, such as `"users[2].address"`; "" when on top."""
    items: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        items = [(f".{key}", item) for key, item in value.items()]
    elif isinstance(value, list):
        items = [(f"[{index}]", item) for index, item in enumerate(value)]
    for step, item in items:
        if item is culprit:
            return (path + step).lstrip(".")
    for step, item in items:
        found = path_to(culprit, item, path + step)
        if found:
            return found
    return ""


class _Refused(Exception):
    def __init__(self, culprit: object, error: Exception) -> None:
        super().__init__(str(error))
        self.culprit = culprit
        self.error = error


def _clone_error(message: str) -> JsException:
    return JsException(message, DATA_CLONE_ERROR)


def _convert(value: Any) -> Any:
    """Turn a value the protocol does not know into one it does, or refuse it."""
    kind = type(value)
    match value:
        case memoryview():
            return _typed(value)
        case JsException():
            return ErrorValue(value.name, value.message)
        case Exception():
            return ErrorValue("Error", str(value))  # the class is lost, as over JS
        case JsNull() | JsProxy():
            return plain(value)
        case tuple() | bytearray():
            raise _Refused(value, TypeError(f"{kind} cannot be sent over RPC."))
        case list():
            return list(value)
        case re.Pattern():
            raise _Refused(value, TypeError("RegExp cannot be sent over RPC."))
    if inspect.isawaitable(value):
        raise _Refused(value, TypeError(f"Awaitable {kind} cannot be sent over RPC."))
    if isinstance(value, _CALLABLES):
        text = f"{value!r} is a function: Groundfog does not send functions over RPC yet."
        raise _Refused(value, _clone_error(text))
    if kind.__name__ == "ReadableStream":
        text = "A ReadableStream can only be the whole result of a step; here, read it first."
        raise _Refused(value, _clone_error(text))
    text = f'Could not serialize object of type "{kind.__name__}".'
    raise _Refused(value, _clone_error(f"{text} This type does not support serialization."))


def _typed(view: memoryview) -> Any:
    array = _ARRAY_OF_FORMAT.get(view.format.lstrip("@=<"))
    return view.tobytes() if array is None else TypedArray(array, view.tobytes())


def _naive_date(epoch_ms: float) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1000)


def _view(typed: TypedArray) -> memoryview:
    code = _FORMAT_OF_ARRAY.get(typed.kind)
    view = memoryview(typed.data)
    return view if code is None else view.cast(code)  # type: ignore[call-overload]


def _mapping(value: MapValue) -> JsDict:
    return JsDict((str(key), item) for key, item in value.pairs)


def _error(value: ErrorValue) -> Exception:
    return Exception(f"{value.name}: {value.message}")


GUEST_SHAPES = Shapes(
    new_object=JsDict,
    date=_naive_date,
    binary=memoryview,
    typed=_view,
    map=_mapping,
    error=_error,
)
