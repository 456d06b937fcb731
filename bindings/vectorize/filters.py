"""Metadata filters: what a filter may say, and whether a vector's metadata satisfies it.

Pure. A filter is parsed once per query into conditions, then matched against each vector.

Choices where production is not documented: a property that a vector does not have satisfies
`$ne` and `$nin`, and equals null. A value that cannot be indexed (an array, an object, or a value
of another type than its metadata index) counts as one the vector does not have.

Source: developers.cloudflare.com/vectorize/reference/metadata-filtering.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bindings.vectorize.errors import UNREADABLE_QUERY, Refused

FILTER_MAX_BYTES = 2048
KEY_MAX_CHARS = 512
INDEXED_STRING_MAX_BYTES = 64

LOWER = ("$gt", "$gte")
UPPER = ("$lt", "$lte")

# A comparable key: the JSON type's name and the value, so that 1, "1" and true stay apart.
Key = tuple[str, Any]
MISSING: Key = ("null", None)
Condition = Callable[[Key], bool]


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter: every condition must hold. `properties` are the paths it asks for."""

    conditions: tuple[tuple[str, Condition], ...]
    indexes: Mapping[str, str]

    @property
    def properties(self) -> tuple[str, ...]:
        return tuple(path for path, _ in self.conditions)

    def matches(self, metadata: Mapping[str, Any] | None) -> bool:
        """Return whether a vector with this metadata passes."""
        return all(
            condition(_indexed_key(metadata, path, self.indexes))
            for path, condition in self.conditions
        )


def parse_filter(value: Any, indexes: Mapping[str, str]) -> Filter | None:
    """Return the parsed filter, or None when `value` is None.

    `indexes` maps a property to `"string"`, `"number"` or `"boolean"`; with none at all, every
    property can be filtered on. Raises Refused.
    """
    if value is None:
        return None
    if not isinstance(value, dict) or not value:
        raise _refused(f"expected a non-empty object, and got {value!r}")
    try:
        size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    except (TypeError, ValueError) as error:
        raise _refused(str(error)) from None
    if size >= FILTER_MAX_BYTES:
        raise _refused(f"must be less than {FILTER_MAX_BYTES} bytes of JSON, and is {size}")
    conditions: list[tuple[str, Condition]] = []
    for path, wanted in value.items():
        _check_path(path)
        conditions.append((path, _parse_condition(path, wanted)))
    return Filter(tuple(conditions), dict(indexes))


def truncate_string(text: str) -> str:
    """Return the part of `text` that an index holds: 64 bytes, cut between characters."""
    encoded = text.encode()
    if len(encoded) <= INDEXED_STRING_MAX_BYTES:
        return text
    return encoded[:INDEXED_STRING_MAX_BYTES].decode(errors="ignore")


def lookup(metadata: Mapping[str, Any] | None, path: str) -> Any:
    """Return the value at a dotted path, or None when there is none."""
    value: Any = metadata
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _indexed_key(metadata: Mapping[str, Any] | None, path: str, indexes: Mapping[str, str]) -> Key:
    key = _key(lookup(metadata, path))
    if indexes and indexes.get(path) != key[0]:
        return MISSING
    return key


def _key(value: Any) -> Key:
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, int | float):
        return ("number", value)
    if isinstance(value, str):
        return ("string", truncate_string(value).encode())
    return MISSING


def _check_path(path: Any) -> None:
    if not isinstance(path, str) or not path or len(path) > KEY_MAX_CHARS:
        raise _refused(f"the key {path!r} must be a string of 1 to {KEY_MAX_CHARS} characters")
    if path[0] == "$":
        raise _refused(f'the key "{path}" must not start with $; operators belong below a property')
    if '"' in path or "|" in path:
        raise _refused(f"the key {path!r} must contain neither a double quote nor |")
    if "" in path.split("."):
        raise _refused(f'the key "{path}" has a dot with nothing before or after it')


def _parse_condition(path: str, wanted: Any) -> Condition:
    if not isinstance(wanted, dict):
        return _parse_operator(path, "$eq", wanted)
    if not wanted:
        raise _refused(f'"{path}" needs an operator such as $eq, and has none')
    conditions = [_parse_operator(path, operator, value) for operator, value in wanted.items()]
    is_range = sorted(_bound(operator) for operator in wanted) == ["lower", "upper"]
    if len(conditions) > 1 and not is_range:
        raise _refused(
            f'"{path}" combines {", ".join(wanted)}; only one of $gt, $gte with one of $lt, $lte '
            "can be combined on a property"
        )
    return lambda key: all(condition(key) for condition in conditions)


def _bound(operator: str) -> str:
    return "lower" if operator in LOWER else "upper" if operator in UPPER else "neither"


def _parse_operator(path: str, operator: Any, value: Any) -> Condition:
    match operator:
        case "$eq" | "$ne":
            _check_scalar(path, operator, value)
            wanted = _key(value)
            return (lambda key: key == wanted) if operator == "$eq" else (lambda key: key != wanted)
        case "$in" | "$nin":
            if not isinstance(value, list):
                raise _refused(f'"{path}": {operator} expects an array, and got {value!r}')
            for item in value:
                _check_scalar(path, operator, item)
            keys = {_key(item) for item in value}
            return (lambda key: key in keys) if operator == "$in" else (lambda key: key not in keys)
        case "$gt" | "$gte" | "$lt" | "$lte":
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                raise _refused(
                    f'"{path}": {operator} expects a string or a number, and got {value!r}'
                )
            return _range(operator, _key(value))
        case _:
            raise _refused(
                f'"{path}": {operator!r} is not an operator; expected $eq, $ne, $in, $nin, $lt, '
                "$lte, $gt or $gte"
            )


def _range(operator: str, bound: Key) -> Condition:
    kind, limit = bound

    def holds(key: Key) -> bool:
        if key[0] != kind:
            return False
        value = key[1]
        match operator:
            case "$gt":
                return bool(value > limit)
            case "$gte":
                return bool(value >= limit)
            case "$lt":
                return bool(value < limit)
            case _:
                return bool(value <= limit)

    return holds


def _check_scalar(path: str, operator: str, value: Any) -> None:
    if value is not None and not isinstance(value, bool | int | float | str):
        raise _refused(
            f'"{path}": {operator} expects a string, a number, a boolean or null, and got {value!r}'
        )


def _refused(problem: str) -> Refused:
    return Refused(UNREADABLE_QUERY, f"invalid filter: {problem}")
