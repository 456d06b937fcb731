"""Values as text, as JavaScript's `String(value)` writes them."""

from __future__ import annotations

import math
from typing import Any

from .jsnull import JsNull

MOST_SAFE = 2**53 - 1  # numbers up to this are whole in JavaScript without being BigInts
_LONGEST_WHOLE = 21  # digits; numbers of more are written with an exponent
_MOST_ZEROS = 6  # after the point; numbers with more are written with an exponent


def js_text(value: Any) -> str:
    """Return `value` as text; a value JavaScript does not have as Python writes it.

    None crosses as undefined. Source: https://tc39.es/ecma262/#sec-tostring.
    """
    if value is None:
        return "undefined"
    if isinstance(value, JsNull):
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, str):  # of a `(str, Enum)` its contents
        return str.__str__(value)
    if isinstance(value, int):
        return int.__repr__(value)
    return _number_text(value) if isinstance(value, float) else str(value)


def _number_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    # Both languages write the shortest digits that read back as the same number.
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0)  # where it stands, counted from the first of `whole`
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0") or "0"
    return sign + _placed(digits, point)


def _placed(digits: str, point: int) -> str:
    """Return the number 0.`digits` times ten to the `point`."""
    if len(digits) <= point <= _LONGEST_WHOLE:
        return digits.ljust(point, "0")
    if 0 < point <= _LONGEST_WHOLE:
        return f"{digits[:point]}.{digits[point:]}"
    if -_MOST_ZEROS < point <= 0:
        return f"0.{'0' * -point}{digits}"
    mantissa = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else digits
    return f"{mantissa}e{point - 1:+d}"
