"""Vectors, ids and metadata from user code: checked, and turned into records.

Pure: no database, no NumPy. Limits and wording are production's where they are known.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from bindings.messages import shortened, shown
from bindings.vectorize.errors import (
    ID_LENGTH,
    METADATA_TOO_LARGE,
    TOO_MANY_ITEMS,
    UNREADABLE_VECTORS,
    WRONG_VECTOR,
    Refused,
)
from bindings.vectorize.settings import DIMENSIONS_MAX

# Production's messages have the two limits of ids ("too many ids in payload; max id count is 20,
# got 34"). Source: docs/platform/vectorize.md, "Limits".
ID_MAX_BYTES = 64
NAMESPACE_MAX_BYTES = 64
METADATA_MAX_BYTES = 10 * 1024
VECTORS_PER_CALL_MAX = 1000
VECTORS_PER_REQUEST_MAX = 5000  # over HTTP and by command
LIST_MAX = 1000
NAME_MAX_BYTES = 64
GET_IDS_MAX = 20
DELETE_IDS_MAX = 100

FLOAT32_MAX = 3.4028234663852886e38
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Vector(Struct, frozen=True):
    """One stored vector. `values` are little-endian float32, `metadata` compact JSON."""

    id: str
    values: bytes
    namespace: str | None = None
    metadata: str | None = None

    @property
    def dimensions(self) -> int:
        return len(self.values) // 4


def parse_vectors(value: Any, limit: int = VECTORS_PER_CALL_MAX) -> list[Vector]:
    """Return the vectors of an `insert` or `upsert` call, in order; at most `limit`.

    Raises Refused for the first vector that is not `{id, values, namespace?, metadata?}` within
    the limits.
    """
    if not isinstance(value, list):
        raise Refused(UNREADABLE_VECTORS, f"expected an array of vectors, and got {_kind(value)}")
    if len(value) > limit:
        raise Refused(
            TOO_MANY_ITEMS,
            f"too many vectors in payload; max vector count is {limit}, got {len(value)}",
        )
    return [_parse_vector(item, position) for position, item in enumerate(value)]


def parse_ids(value: Any, limit: int) -> list[str]:
    """Return the ids of a `getByIds` or `deleteByIds` call; raises Refused."""
    if not isinstance(value, list) or not all(isinstance(id_, str) for id_ in value):
        raise Refused(UNREADABLE_VECTORS, f"expected an array of strings, and got {_kind(value)}")
    if len(value) > limit:
        raise Refused(
            TOO_MANY_ITEMS,
            f"too many ids in payload; max id count is {limit}, got {len(value)}",
        )
    return [check_id(id_) for id_ in value]


def check_id(value: Any) -> str:
    """Return `value` if it can be a vector's id; raises Refused."""
    if not isinstance(value, str) or not value:
        raise Refused(
            ID_LENGTH, f"expected an id that is a non-empty string, and got {shown(value)}"
        )
    size = len(_utf8(value, "id"))
    if size > ID_MAX_BYTES:
        raise Refused(ID_LENGTH, f"id too long; max is {ID_MAX_BYTES} bytes, got {size} bytes")
    return value


def pack_values(values: Any, what: str, code: int = WRONG_VECTOR) -> bytes:
    """Return `values` as little-endian float32; `what` and `code` are for the error.

    Rounding to float32 happens here, once: 58.8 is stored, compared and returned as
    58.79999923706055, as in production. Raises Refused.
    """
    if not isinstance(values, list | tuple):
        raise Refused(code, f"{what}: expected an array of numbers, and got {_kind(values)}")
    if len(values) > DIMENSIONS_MAX:
        raise Refused(
            code,
            f"{what}: expected at most {DIMENSIONS_MAX} dimensions, and got {len(values)}",
        )
    if not _are_plain(values):
        _check_numbers(values, what, code)
    try:
        return struct.pack(f"<{len(values)}f", *values)
    except OverflowError:
        _check_numbers(values, what, code)
        raise


def _are_plain(values: list[Any] | tuple[Any, ...]) -> bool:
    """Whether all are numbers and their sum is finite: a quick check before the full one."""
    try:
        return set(map(type, values)) <= {int, float} and math.isfinite(sum(values))
    except OverflowError:
        return False


def _check_numbers(values: list[Any] | tuple[Any, ...], what: str, code: int) -> None:
    """Raise Refused for the first value that is not a 32-bit number, if there is one."""
    for number in values:
        if isinstance(number, bool) or not isinstance(number, int | float):
            hint = "; pass one of its elements" if isinstance(number, list) else ""
            raise Refused(
                code,
                f"{what}: expected an array of numbers, and got an array with {_kind(number)}"
                f"{hint}",
            )
        if not abs(number) <= FLOAT32_MAX:
            raise Refused(code, f"{what}: a value is not a finite 32-bit number")


def unpack_values(values: bytes) -> list[float]:
    """Return stored float32 values as numbers."""
    return list(struct.unpack(f"<{len(values) // 4}f", values))


def check_namespace(value: Any) -> str | None:
    """Return `value` if it can be a namespace (None: no namespace); raises Refused."""
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise Refused(
            UNREADABLE_VECTORS,
            f"expected a namespace that is a non-empty string, and got {shown(value)}",
        )
    size = len(_utf8(value, "namespace"))
    if size > NAMESPACE_MAX_BYTES:
        raise Refused(
            ID_LENGTH, f"namespace too long; max is {NAMESPACE_MAX_BYTES} bytes, got {size} bytes"
        )
    return value


def _parse_vector(item: Any, position: int) -> Vector:
    if not isinstance(item, dict):
        raise Refused(
            UNREADABLE_VECTORS,
            f"vector {position}: expected {{id, values, namespace?, metadata?}}, "
            f"and got {_kind(item)}",
        )
    id_ = check_id(item.get("id"))
    return Vector(
        id=id_,
        values=pack_values(item.get("values"), f'invalid vector for id="{id_}"'),
        namespace=check_namespace(item.get("namespace")),
        metadata=_encode_metadata(item.get("metadata"), id_),
    )


def _encode_metadata(metadata: Any, id_: str) -> str | None:
    if metadata is None:
        return None
    where = f'invalid metadata for id="{id_}"'
    if not isinstance(metadata, dict):
        raise Refused(UNREADABLE_VECTORS, f"{where}: expected an object, and got {_kind(metadata)}")
    plain = _plain_record(metadata, where, nested_allowed=True)
    if _is_small(plain):
        text = _ENCODER.encode(plain)
        size = len(_utf8(text, where))
    else:  # piece by piece: megabytes at once would block other threads
        text = ""
        size = sum(len(_utf8(piece, where)) for piece in _ENCODER.iterencode(plain))
    if size > METADATA_MAX_BYTES:
        raise Refused(
            METADATA_TOO_LARGE, f"{where}: max is {METADATA_MAX_BYTES} bytes, got {size} bytes"
        )
    return text


def _is_small(record: dict[str, Any]) -> bool:
    """Return False for a `record` that is certainly too large.

    Each name, text and item is at least one byte. True: at most a few times the limit.
    """
    size = 0
    for key, value in record.items():
        size += len(key) + 1
        if isinstance(value, list):
            size += len(value)
            size += sum(map(len, value)) if len(value) <= METADATA_MAX_BYTES else 0
        elif isinstance(value, str):
            size += len(value)
        elif isinstance(value, dict) and not _is_small(value):
            return False
        if size > METADATA_MAX_BYTES:
            return False
    return True


def _plain_record(record: dict[Any, Any], where: str, *, nested_allowed: bool) -> dict[str, Any]:
    """Return `record` as JSON; one level of nesting, then only scalars and arrays of strings.

    Source: docs/platform/vectorize.md, "Metadata".
    """
    plain: dict[str, Any] = {}
    for key, value in record.items():
        if not isinstance(key, str) or not key or key[0] == "$" or "." in key or '"' in key:
            raise Refused(
                UNREADABLE_VECTORS,
                f"{where}: the key {shown(key)} must be a non-empty string that has no dot and no "
                "double quote and does not start with $",
            )
        if isinstance(value, dict) and nested_allowed:
            inner = f"{where}, {shortened(key)}"
            plain[key] = _plain_record(value, inner, nested_allowed=False)
        else:
            plain[key] = _plain_value(value, where, key)
    return plain


def _plain_value(value: Any, where: str, key: str) -> Any:
    if isinstance(value, datetime):
        utc = value.astimezone(UTC)  # like JSON.stringify for a Date
        return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, float) and not math.isfinite(value):
        return None  # like JSON.stringify
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise Refused(
        UNREADABLE_VECTORS,
        f"{where}, {shortened(key)}: expected a string, a number, a boolean, an array of strings, "
        f"or one level of these in an object, and got {_kind(value)}",
    )


def _utf8(text: str, what: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Refused(
            UNREADABLE_VECTORS, f"{what}: half of a surrogate pair cannot be stored"
        ) from None


def _kind(value: Any) -> str:
    """Name a value's JSON type, for messages."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case bytes():
            return "bytes"
        case dict():
            return "an object"
        case Sequence():
            return "an array"
        case _:
            return type(value).__name__
