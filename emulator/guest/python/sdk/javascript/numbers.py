"""`Number`, `String` and `Boolean`, and the functions that read numbers of texts."""

from __future__ import annotations

import math
import re
from typing import Any

from ..jsnull import JsNull
from ..jsobject import JsObject
from ..jsproxy import JsProxy
from ..jstext import js_text

_LITERAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|0x[\da-f]+|0o[0-7]+|0b[01]+", re.I)
_SAFE = 2**53 - 1


class _Boxed(JsObject):
    """A primitive value in an object, as `new Number(1)` makes it."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def valueOf(self) -> Any:  # JavaScript's name
        """Return the value."""
        return self._value

    def toString(self) -> str:  # JavaScript's name
        """Return what `str()` gives."""
        return js_text(self._value)


class NumberObject(_Boxed):
    """A number in an object."""

    def to_py(self, *, depth: int = -1, default_converter: Any = None) -> Any:
        """Return the number."""
        return self._value

    def _to_py(self, conversion: Any, depth: int, default_converter: Any) -> Any:
        return self._value


class StringObject(_Boxed):
    """A text in an object."""


class BooleanObject(_Boxed):
    """A yes or no in an object."""


NumberObject.__name__, StringObject.__name__ = "Number", "String"
BooleanObject.__name__ = "Boolean"


class Number(JsObject):
    """A call converts a value; `new` makes an object."""

    _is_called = True

    MAX_SAFE_INTEGER, MIN_SAFE_INTEGER = _SAFE, -_SAFE
    EPSILON = 2.0**-52

    def __new__(cls, value: Any = 0) -> Any:
        """Return a value as a number."""
        return _number(value)

    @staticmethod
    def new(value: Any = 0) -> NumberObject:
        """Return a number in an object."""
        return NumberObject(_number(value))

    @staticmethod
    def isInteger(value: Any) -> bool:  # JavaScript's name
        """Whether a value is a whole number."""
        if isinstance(value, float):
            return value.is_integer()
        return isinstance(value, int) and not isinstance(value, bool)

    @staticmethod
    def isSafeInteger(value: Any) -> bool:  # JavaScript's name
        """Whether a value is a whole number that a float holds exactly."""
        return Number.isInteger(value) and abs(value) <= _SAFE


class String(JsObject):
    """A call converts a value; `new` makes an object."""

    _is_called = True

    def __new__(cls, value: Any = "") -> Any:
        """Return a value as text."""
        return str(value) if isinstance(value, JsProxy) else js_text(value)

    @staticmethod
    def new(value: Any = "") -> StringObject:
        """Return a text in an object."""
        return StringObject(js_text(value))

    @staticmethod
    def fromCharCode(*codes: int) -> str:  # JavaScript's name
        """Return the text of UTF-16 codes."""
        data = b"".join((code & 0xFFFF).to_bytes(2, "little") for code in codes)
        return data.decode("utf-16-le", "surrogatepass")


class Boolean(JsObject):
    """A call converts a value; `new` makes an object."""

    _is_called = True

    def __new__(cls, value: Any = None) -> Any:
        """Return whether a value counts as true."""
        if isinstance(value, float):
            return value != 0 and not math.isnan(value)
        return True if isinstance(value, JsProxy) else bool(value)

    @staticmethod
    def new(value: Any = None) -> BooleanObject:
        """Return it in an object."""
        return BooleanObject(Boolean(value))


def _number(value: Any) -> Any:
    if value is None:
        return math.nan
    if isinstance(value, bool | int | float):
        return int(value) if isinstance(value, bool) else value
    if isinstance(value, JsNull):
        return 0
    if isinstance(value, JsProxy) and hasattr(value, "valueOf"):
        return _number(value.valueOf())
    text = js_text(value).strip()
    if text in ("", "Infinity", "+Infinity", "-Infinity"):
        return float(text.replace("Infinity", "inf")) if text else 0
    if not _LITERAL.fullmatch(text):
        return math.nan
    number = float(int(text, 0)) if text[:2].lower() in ("0x", "0o", "0b") else float(text)
    return int(number) if number.is_integer() else number


def isNaN(value: Any = None) -> bool:  # JavaScript's name
    """Whether a value is no number."""
    return math.isnan(_number(value))


def isFinite(value: Any = None) -> bool:  # JavaScript's name
    """Whether a value is a finite number."""
    return math.isfinite(_number(value))


def parseInt(text: Any, radix: int = 10) -> Any:  # JavaScript's name
    """Return the whole number that a text begins with; NaN if it begins with none."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"[:radix]
    found = re.match(rf"\s*([+-]?[{digits}]+)", js_text(text).lower())
    return int(found[1], radix) if found else math.nan


def parseFloat(text: Any) -> Any:  # JavaScript's name
    """Return the number that a text begins with; NaN if it begins with none."""
    found = re.match(r"\s*([+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)", js_text(text), re.IGNORECASE)
    if found is None:
        return math.nan
    number = float(found[1])
    return int(number) if number.is_integer() else number
