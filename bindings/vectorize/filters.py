"""Metadata filters: checked, and turned into conditions on single properties.

Pure, and without values: `columns.py` says which rows satisfy a condition.

Where production is not documented: a missing property satisfies `$ne` and `$nin`, and equals null.
A value that cannot be indexed (an array, an object, or a value of another type than its metadata
index) counts as missing.

Source: docs/platform/vectorize.md, "Filters".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from bindings.messages import shown
from bindings.vectorize.errors import UNREADABLE_QUERY, Refused

FILTER_MAX_BYTES = 2048
KEY_MAX_CHARS = 512
INDEXED_STRING_MAX_BYTES = 64
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

LOWER = ("$gt", "$gte")
UPPER = ("$lt", "$lte")

# A comparable key: the JSON type's name and the value, so that 1, "1" and true are different.
Key = tuple[str, Any]
MISSING: Key = ("null", None)


class Condition(Struct, frozen=True):
    """A condition on one property. `keys`: one for a comparison, any number for a set."""

    path: str
    operator: str
    keys: tuple[Key, ...]


def parse_filter(value: Any) -> tuple[Condition, ...]:
    """Return the conditions of a filter; all must hold. An empty tuple when `value` is None.

    Raises Refused.
    """
    if value is None:
        return ()
    if not isinstance(value, dict) or not value:
        raise _refused(f"expected a non-empty object, and got {shown(value)}")
    try:
        size = 0
        for piece in _ENCODER.iterencode(value):  # all at once would block other threads
            size += len(piece.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise _refused(str(error)) from None
    if size >= FILTER_MAX_BYTES:
        raise _refused(f"must be less than {FILTER_MAX_BYTES} bytes of JSON, and is {size}")
    conditions: list[Condition] = []
    for path, wanted in value.items():
        check_path(path)
        conditions += _parse_conditions(path, wanted)
    return tuple(conditions)


def truncate_string(text: str) -> str:
    """Return the part of `text` that an index stores: 64 bytes, cut between characters."""
    encoded = text.encode()
    if len(encoded) <= INDEXED_STRING_MAX_BYTES:
        return text
    return encoded[:INDEXED_STRING_MAX_BYTES].decode(errors="ignore")


def lookup(metadata: Mapping[str, Any] | None, path: str) -> Any:
    """Return the value at a path with dots, or None."""
    if metadata is None:
        return None
    if "." not in path:
        return metadata.get(path)
    value: Any = metadata
    for part in path.split("."):
        if not isinstance(value, dict) or part not in value:
            return None
        value = value[part]
    return value


def key_of(value: Any) -> Key:
    """Return a metadata value as a comparable key; MISSING if it cannot be compared."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, int | float):
        return ("number", value)
    if isinstance(value, str):
        return ("string", truncate_string(value).encode())
    return MISSING


def check_path(path: Any) -> None:
    """Raise Refused unless `path` can name a property, with dots for nested ones."""
    if not isinstance(path, str) or not path or len(path) > KEY_MAX_CHARS:
        raise _refused(f"the key {shown(path)} must be a string of 1 to {KEY_MAX_CHARS} characters")
    if path[0] == "$":
        raise _refused(f'the key "{path}" must not start with $; operators belong below a property')
    if '"' in path or "|" in path:
        raise _refused(f"the key {shown(path)} must contain neither a double quote nor |")
    if "" in path.split("."):
        raise _refused(f'the key "{path}" has a dot with nothing before or after it')


def _parse_conditions(path: str, wanted: Any) -> list[Condition]:
    if not isinstance(wanted, dict):
        return [_parse_condition(path, "$eq", wanted)]
    if not wanted:
        raise _refused(f'"{path}" needs an operator such as $eq, and has none')
    conditions = [_parse_condition(path, operator, value) for operator, value in wanted.items()]
    is_range = sorted(_bound(operator) for operator in wanted) == ["lower", "upper"]
    if len(conditions) > 1 and not is_range:
        raise _refused(
            f'"{path}" combines {", ".join(wanted)}; only one of $gt, $gte with one of $lt, $lte '
            "can be combined on a property"
        )
    return conditions


def _bound(operator: str) -> str:
    return "lower" if operator in LOWER else "upper" if operator in UPPER else "neither"


def _parse_condition(path: str, operator: Any, value: Any) -> Condition:
    match operator:
        case "$eq" | "$ne":
            _check_scalar(path, operator, value)
            return Condition(path, operator, (key_of(value),))
        case "$in" | "$nin":
            if not isinstance(value, list):
                raise _refused(f'"{path}": {operator} expects an array, and got {shown(value)}')
            for item in value:
                _check_scalar(path, operator, item)
            return Condition(path, operator, tuple(map(key_of, value)))
        case "$gt" | "$gte" | "$lt" | "$lte":
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                raise _refused(
                    f'"{path}": {operator} expects a string or a number, and got {shown(value)}'
                )
            return Condition(path, operator, (key_of(value),))
        case _:
            raise _refused(
                f'"{path}": {shown(operator)} is not an operator; expected $eq, $ne, $in, $nin, '
                "$lt, $lte, $gt or $gte"
            )


def _check_scalar(path: str, operator: str, value: Any) -> None:
    if value is not None and not isinstance(value, bool | int | float | str):
        raise _refused(
            f'"{path}": {operator} expects a string, a number, a boolean or null, '
            f"and got {shown(value)}"
        )


def _refused(problem: str) -> Refused:
    return Refused(UNREADABLE_QUERY, f"invalid filter: {problem}")
