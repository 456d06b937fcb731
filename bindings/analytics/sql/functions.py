"""The functions of queries, by name in lower case, and the types of what they return.

Source: docs/platform/analytics-sql.md, "Functions".
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from msgspec import Struct

from bindings.analytics.sql import times
from bindings.analytics.sql.tree import InvalidQuery

TEXT, FLOAT, BYTE, SHORT, WORD, LONG, SIGNED, TIME, DATE, ARRAY = (
    "String",
    "Float64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Int64",
    "DateTime",
    "Date",
    "Array(String)",
)


class Function(Struct, frozen=True):
    """A function of rows. run: gets SQLite's values, of which none is None.

    type: of what it returns. counts: how many arguments it takes.
    """

    run: Callable[..., Any]
    type: str
    counts: tuple[int, ...] = (1,)


def _floored(value: float, digits: int = 0) -> float:
    return float(math.floor(value * 10**digits) / 10**digits)


def _ceiled(value: float, digits: int = 0) -> float:
    return float(math.ceil(value * 10**digits) / 10**digits)


def _rounded(value: float, digits: int = 0) -> float:
    return float(round(value, digits))  # half to even, as ClickHouse does for floats


def _pow(base: float, exponent: float) -> float | None:
    try:
        found = math.pow(base, exponent)
    except (OverflowError, ValueError):
        return None
    return found


def _log(value: float) -> float | None:
    return math.log(value) if value > 0 else None


def _integer(bits: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        try:
            return int(int(float(value)) % 2**bits)
        except (ValueError, OverflowError):
            raise InvalidQuery(f"{value!r} is no number") from None

    return convert


def _bits(value: Any) -> int:
    """Return the bits of a number: of a float, those of its 8 bytes."""
    if isinstance(value, float):
        return int.from_bytes(struct.pack(">d", value), "big")
    return int(value) % 2**64


def _signed(value: int) -> int:
    value %= 2**64
    return value - 2**64 if value >= 2**63 else value


def _size(value: int) -> int:
    return next((size for size in (8, 16, 32) if 0 <= value < 2**size), 64)


def _rotated(value: int, count: int, *, left: bool) -> int:
    size = _size(value)
    count %= size
    count = count if left else size - count
    return int(((value << count) | (value % 2**size) >> (size - count)) % 2**size)


def _shifted_left(value: int, count: int) -> int:
    return (value << min(count, 64)) % 2 ** _size(value) if count >= 0 else 0


def _binary(value: Any) -> str:
    if isinstance(value, str):
        return "".join(f"{byte:08b}" for byte in value.encode())
    found = f"{_bits(value):b}"
    return found.zfill(-(-len(found) // 8) * 8)


def _hexadecimal(value: Any) -> str:
    if isinstance(value, str):
        return value.encode().hex().upper()
    found = f"{_bits(value):X}"
    return found.zfill(len(found) + len(found) % 2)


def _substring(text: str, offset: int, length: int | None = None) -> str:
    start = offset - 1 if offset > 0 else max(0, len(text) + offset)
    if offset == 0:
        return ""
    return text[start:] if length is None else text[start : start + max(0, length)]


def _format(pattern: str, *values: Any) -> str:
    parts = pattern.split("{}")
    if len(parts) != len(values) + 1:
        raise InvalidQuery("format() needs as many values as its text has {}")
    texts = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    return "".join(part + text for part, text in zip(parts, [*texts, ""], strict=True))


def _part(unit: str, seconds: int) -> int:
    found = times.at(seconds)
    name = unit.lower()
    if name not in ("year", "month", "day", "hour", "minute", "second"):
        raise InvalidQuery(f"extract() knows no {unit}")
    return int(getattr(found, name))


def _of_time(read: Callable[[Any], int], type: str) -> Function:
    return Function(lambda seconds: read(times.at(seconds)), type)


def _start_of(count: int, unit: str, type: str = TIME) -> Function:
    return Function(
        lambda seconds, zone=None: times.floor(seconds, count, unit, zone), type, (1, 2)
    )


@lru_cache(256)
def _pattern(pattern: str, any_case: bool) -> re.Pattern[str]:
    parts = re.split(r"(\\.|[%_])", pattern, flags=re.DOTALL)
    names = {"%": ".*", "_": "."}
    made = "".join(names.get(part, re.escape(part.removeprefix("\\"))) for part in parts)
    return re.compile(made, (re.IGNORECASE if any_case else 0) | re.DOTALL)


def like(text: Any, pattern: Any, any_case: int) -> bool:
    """Whether a text has a form: `%` is anything, `_` is one character."""
    return bool(_pattern(str(pattern), bool(any_case)).fullmatch(str(text)))


def _case(change: Callable[[str], str], *, is_ascii: bool) -> Callable[[str], str]:
    def changed(text: str) -> str:
        if not is_ascii:
            return change(text)
        return re.sub(r"[A-Za-z]+", lambda found: change(found[0]), text)

    return changed


FUNCTIONS: dict[str, Function] = {
    "intdiv": Function(lambda a, b: math.floor(a / b) if b else None, SIGNED, (2,)),
    "log": Function(_log, FLOAT),
    "pow": Function(_pow, FLOAT, (2,)),
    "round": Function(_rounded, FLOAT, (1, 2)),
    "floor": Function(_floored, FLOAT, (1, 2)),
    "ceil": Function(_ceiled, FLOAT, (1, 2)),
    "length": Function(len, LONG),
    "empty": Function(lambda text: text == "", BYTE),
    "lower": Function(_case(str.lower, is_ascii=True), TEXT),
    "upper": Function(_case(str.upper, is_ascii=True), TEXT),
    "lowerutf8": Function(str.lower, TEXT),
    "upperutf8": Function(str.upper, TEXT),
    "startswith": Function(lambda text, other: text.startswith(other), BYTE, (2,)),
    "endswith": Function(lambda text, other: text.endswith(other), BYTE, (2,)),
    "position": Function(lambda text, other: text.find(other) + 1, LONG, (2,)),
    "substring": Function(_substring, TEXT, (2, 3)),
    "format": Function(_format, TEXT, tuple(range(1, 30))),
    "touint8": Function(_integer(8), BYTE),
    "touint32": Function(_integer(32), WORD),
    "bin": Function(_binary, TEXT),
    "hex": Function(_hexadecimal, TEXT),
    "bitand": Function(lambda a, b: _signed(_bits(a) & _bits(b)), LONG, (2,)),
    "bitor": Function(lambda a, b: _signed(_bits(a) | _bits(b)), LONG, (2,)),
    "bitxor": Function(lambda a, b: _signed(_bits(a) ^ _bits(b)), LONG, (2,)),
    "bitnot": Function(lambda a: ~int(a) % 2 ** _size(int(a)), LONG),
    "bitcount": Function(lambda a: _bits(a).bit_count(), BYTE),
    "bithammingdistance": Function(lambda a, b: (_bits(a) ^ _bits(b)).bit_count(), BYTE, (2,)),
    "bitrotateleft": Function(lambda a, n: _rotated(int(a), int(n), left=True), LONG, (2,)),
    "bitrotateright": Function(lambda a, n: _rotated(int(a), int(n), left=False), LONG, (2,)),
    "bitshiftleft": Function(lambda a, n: _shifted_left(int(a), int(n)), LONG, (2,)),
    "bitshiftright": Function(lambda a, n: int(a) >> max(0, int(n)), LONG, (2,)),
    "bittest": Function(lambda a, n: _bits(a) >> max(0, int(n)) & 1, BYTE, (2,)),
    "formatdatetime": Function(times.formatted, TEXT, (2, 3)),
    "todatetime": Function(times.read_time, TIME, (1, 2)),
    "todate": Function(lambda given: times.floor(times.read_time(given), 1, "DAY"), DATE),
    "tounixtimestamp": Function(times.read_time, WORD),
    "toyear": _of_time(lambda at: at.year, SHORT),
    "tomonth": _of_time(lambda at: at.month, BYTE),
    "todayofmonth": _of_time(lambda at: at.day, BYTE),
    "todayofweek": _of_time(lambda at: at.isoweekday(), BYTE),
    "tohour": _of_time(lambda at: at.hour, BYTE),
    "tominute": _of_time(lambda at: at.minute, BYTE),
    "tosecond": _of_time(lambda at: at.second, BYTE),
    "toyyyymm": _of_time(lambda at: at.year * 100 + at.month, WORD),
    "extract": Function(_part, SHORT, (2,)),
    "date_part": Function(_part, SHORT, (2,)),
    "timezone": Function(lambda: "Etc/UTC", TEXT, (0,)),
    "tostartofyear": _start_of(1, "YEAR", DATE),
    "tostartofmonth": _start_of(1, "MONTH", DATE),
    "tostartofweek": _start_of(1, "WEEK", DATE),
    "tostartofday": _start_of(1, "DAY"),
    "tostartofhour": _start_of(1, "HOUR"),
    "tostartoffifteenminutes": _start_of(15, "MINUTE"),
    "tostartoftenminutes": _start_of(10, "MINUTE"),
    "tostartoffiveminutes": _start_of(5, "MINUTE"),
    "tostartofminute": _start_of(1, "MINUTE"),
}
ALIASES = {
    "ln": "log",
    "ceiling": "ceil",
    "lengthutf8": "length",
    "isempty": "empty",
    "tolower": "lowerutf8",
    "toupper": "upperutf8",
    "substr": "substring",
    "strpos": "position",
    "dayofweek": "todayofweek",
    "tostartoffiveminute": "tostartoffiveminutes",
}
# What the compiler calls, besides those that a query names.
OWN: dict[str, Callable[..., Any]] = {
    "like": like,
    "shift": times.shifted,
    "floor_time": times.floor,
    "show_time": times.shown,
}
