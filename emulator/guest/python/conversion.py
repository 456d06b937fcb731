"""Python values <-> tagged JSON, as the SDK's `python_to_rpc` and `python_from_rpc` convert them.

Source: docs/platform/python-workers.md, "Values".
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from ...protocol import dates, values
from ...protocol.values import BODY, ErrorValue, NotCloneable, Shapes, StubValue, TypedArray
from . import buffers, sharing
from .sdk.jsdict import JsDict
from .sdk.jserror import JsException
from .sdk.jsnull import JsNull, JsUndefined
from .sdk.jsproxy import JsProxy, plain

DATA_CLONE_ERROR = "DataCloneError"
_CALLABLES = (
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
    types.BuiltinMethodType,
)


class Functions(Protocol):
    """How functions cross to other workers."""

    def sent(self, value: Any) -> StubValue | None:
        """Return what travels of a function; None for another value."""
        ...

    def received(self, value: StubValue) -> Any:
        """Return what calls a function of another worker."""
        ...


def encode(value: Any, convert: Callable[[Any], Any] | None = None) -> bytes:
    """Return `value` as tagged JSON; `convert` converts what the protocol does not know.

    Raises TypeError for tuples, bytearrays, awaitables and patterns, and a JsException named
    "DataCloneError", which names the place, for other values JavaScript does not know;
    RecursionError for a value that contains itself.
    """
    convert = convert or _convert
    try:
        data = values.encode(value, convert)
        return sharing.encode_apart(value, convert) if sharing.MARK in data else data
    except _Refused as refused:
        error = refused.error
        if isinstance(error, JsException) and refused.where:
            raise _clone_error(f"{error.message} (at {refused.where})") from None
        raise error from None
    except NotCloneable as not_cloneable:
        raise _clone_error(str(not_cloneable)) from None


def encode_with_stream(value: Any, functions: Functions | None = None) -> tuple[bytes, Any]:
    """Return `value` as tagged JSON, and the ReadableStream in it, which is sent as the body.

    It is None if there is none. functions: what they become; without it, they are refused.
    Raises what `encode` raises, also for a second stream.
    """
    found: list[Any] = []

    def convert(part: Any) -> Any:
        if not _is_stream(part):
            stub = None if functions is None else functions.sent(part)
            return _convert(part) if stub is None else stub
        if part.locked:
            text = "This ReadableStream is currently locked to a reader."
            raise _Refused(part, JsException(text, "TypeError"))
        if found and found[0] is not part:
            raise _Refused(part, _clone_error("Only one ReadableStream can be sent in a value."))
        found[:] = [part]
        return BODY

    return encode(value, convert), found[0] if found else None


def decode(data: bytes, body: Any = None, functions: Functions | None = None) -> Any:
    """Return the Python value that `data` carries, in the shapes the SDK gives.

    body: takes the place of the body that follows `data`. functions: makes those of other workers.
    Raises MalformedValue.
    """
    shapes = GUEST_SHAPES if body is None else replace(GUEST_SHAPES, body=lambda: body)
    if functions is not None and b'"$stub"' in data:
        shapes = replace(shapes, stub=functions.received)
    return values.decode(data, shapes)


def copy(value: Any) -> Any:
    """Return `value` as it arrives after it was sent once."""
    return decode(encode(value))


class _Refused(NotCloneable):
    """A value that is refused with an error of its own."""

    def __init__(self, value: object, error: Exception) -> None:
        super().__init__(f"a {type(value).__name__}")
        self.error = error


def _clone_error(message: str) -> JsException:
    return JsException(message, DATA_CLONE_ERROR)


def _convert(value: Any) -> Any:
    """Turn a value the protocol does not know into one it does, or refuse it."""
    kind = type(value)
    if kind is memoryview:
        return _of_buffer(value, value)
    match value:
        case JsException():
            return ErrorValue(value.name, value.message)
        case Exception():
            return ErrorValue("Error", str(value))  # the class is lost, as over JS
        case JsNull() | JsUndefined():
            return None
        case tuple() | bytearray():
            raise _Refused(value, TypeError(f"{kind} cannot be sent over RPC."))
        case re.Pattern():
            raise _Refused(value, TypeError("RegExp cannot be sent over RPC."))
    if inspect.isawaitable(value):
        raise _Refused(value, TypeError(f"Awaitable {kind} cannot be sent over RPC."))
    if isinstance(value, _CALLABLES):
        text = f"{value!r} is a function: only calls of other workers can carry one."
        raise _Refused(value, _clone_error(text))
    if _is_stream(value):
        text = "A ReadableStream can only be the whole result of a step; here, read it first."
        raise _Refused(value, _clone_error(text))
    if isinstance(value, JsProxy):
        return _of_proxy(value)
    view = buffers.view_of(value)
    if view is not None:
        return _of_buffer(value, view)
    text = f'Could not serialize object of type "{kind.__name__}".'
    raise _Refused(value, _clone_error(f"{text} This type does not support serialization."))


def _of_proxy(value: JsProxy) -> Any:
    data = plain(value)
    if not isinstance(data, JsProxy):
        return data
    text = f'Could not serialize object of type "{data.constructor.name}".'
    raise _Refused(value, _clone_error(f"{text} This type does not support serialization."))


def _is_stream(value: Any) -> bool:
    return type(value).__name__ == "ReadableStream"


def _of_buffer(value: Any, view: memoryview) -> Any:
    try:
        return buffers.to_value(view)
    except JsException as error:
        raise _Refused(value, error) from None


def _error(value: ErrorValue) -> Exception:
    return Exception(f"{value.name}: {value.message}")


GUEST_SHAPES = Shapes(
    new_object=JsDict,
    date=dates.local,
    binary=memoryview,
    typed=TypedArray.view,
    new_map=JsDict,
    error=_error,
)
