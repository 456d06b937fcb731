"""What a client's arguments are as JavaScript takes them: values, numbers, metadata."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

from bindings.kv.rules import as_utf8
from emulator.errors import WorkerError

_NO_VALUE = (
    "KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values."
)


def to_bytes(value: object) -> bytes:
    """Return the value of a put. Numbers and booleans become text. Raises WorkerError."""
    match value:
        case bytes():
            return value
        case str():
            return as_utf8(value)
        case None:
            return b"null"
        case bool():
            return b"true" if value else b"false"
        case int() | float():
            return _number(value).encode()
    data = getattr(value, "data", None)  # a typed array
    if isinstance(data, bytes):
        return data
    raise WorkerError(_NO_VALUE, name="TypeError")


def to_seconds(value: object) -> int | None:
    """Return an optional number as an integer, as JavaScript converts it; None when missing."""
    if value is None:
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0
    return int(number) if math.isfinite(number) else 0


def to_json(value: Any) -> str:
    """Return metadata as `JSON.stringify` writes it. Raises WorkerError for what has no JSON."""
    try:
        return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise WorkerError(
            f"The metadata cannot be written as JSON: {error}", name="TypeError"
        ) from None


def _plain(value: Any) -> Any:
    match value:
        case float():
            return None if not math.isfinite(value) else int(value) if value.is_integer() else value
        case datetime():
            moment = value.astimezone(UTC) if value.tzinfo else value
            return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case set():
            return {}
    return value


def _number(value: float) -> str:
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return str(int(value)) if value == int(value) and abs(value) < 1e21 else repr(float(value))
