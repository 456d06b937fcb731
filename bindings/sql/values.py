"""Values to and from SQLite, as D1 converts them: every number is a JavaScript number.

Owns both directions, parameters and cells. It never looks at SQL.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from emulator.errors import WorkerError

Parameter = None | float | str | bytes
Cell = Any  # None | int | float | str | bytes

SAFE_INTEGER_MAX = 2**53 - 1


def to_parameter(value: object) -> Parameter:
    """Return `value` for SQLite: numbers as REAL, a list of 0-255 as BLOB.

    An int becomes a float because a JavaScript number is a double: in a column without INTEGER
    affinity 5 is stored as 5.0, and in a TEXT column as "5.0". Infinity and NaN become NULL.
    Raises WorkerError for any other type.
    Tried with workerd 1.20260730. Source: docs/platform/d1.md, "Parameters and values".
    """
    match value:
        case None:
            return None
        case bool() | int() | float():
            return _to_double(value)
        case str():
            return to_text(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value)
        case list() if all(_is_byte(item) for item in value):
            return bytes(value)
    raise WorkerError(f"Type '{type(value).__name__}' not supported for value '{value}'")


def _to_double(value: float) -> float | None:
    try:
        number = float(value)
    except OverflowError:
        return None
    # The client module uses JSON.stringify, which writes -0 as 0 and Infinity as null.
    return (number or 0.0) if math.isfinite(number) else None


def to_text(value: str) -> str:
    """Return `value` with lone surrogates replaced: UTF-8 cannot encode them."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _is_byte(item: object) -> bool:
    return isinstance(item, int) and not isinstance(item, bool) and 0 <= item <= 255


def to_rows(rows: Iterable[tuple[Any, ...]]) -> list[list[Cell]]:
    """Return fetched `rows` as D1 sends them, one list per row in column order.

    A BLOB stays bytes, which clients read as a list of numbers. A whole number in JavaScript's safe
    range is an int, whether SQLite holds 5 or 5.0; an integer outside that range is the nearest
    double. Infinity is None.
    """
    return [[_to_cell(cell) for cell in row] for row in rows]


def _to_cell(value: Any) -> Cell:
    kind = type(value)
    if kind is str or value is None:
        return value
    if kind is int:
        return value if -SAFE_INTEGER_MAX <= value <= SAFE_INTEGER_MAX else float(value)
    if kind is float:
        if not math.isfinite(value):
            return None
        whole = value.is_integer() and abs(value) <= SAFE_INTEGER_MAX
        return int(value) if whole else value
    return value


def with_lists(rows: list[list[Cell]]) -> list[list[Any]]:
    """Return `rows` with each BLOB as a list of ints, for JSON."""
    return [[list(cell) if isinstance(cell, bytes) else cell for cell in row] for row in rows]
