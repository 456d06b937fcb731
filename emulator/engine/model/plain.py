"""Recorded values as plain JSON, for people and other programs. Pure; it never raises.

Values that JSON cannot carry become text: a date its ISO text, bytes a label such as
`"[Uint8Array(200000 bytes)]"`, a cycle `"[Circular]"`, a step's stream its preview.
Source: docs/platform/workflows.md, "Values".
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from emulator.json_types import Json
from emulator.protocol import deep_json, values
from emulator.protocol.values import (
    MAX_SAFE_INTEGER,
    ErrorValue,
    MapValue,
    RegExpValue,
    StreamValue,
    TypedArray,
)

_CYCLE_S = 146_097 * 86_400  # the calendar repeats itself after 400 years
_DATE_MAX_MS = 8_640_000_000_000_000  # ECMAScript "Time Values and Time Range"

REDACTED = "[REDACTED]"
NODES_MAX = 300_000  # a value with shared parts can be far larger when it is written out
TEXT_MAX_CHARS = 1_024  # miniflare's preview of a stream; production's own limit is not documented
TRUNCATED = "[truncated output]"
_FIRST_S, _LAST_S = -62_135_596_800, 253_402_300_799  # 0001-01-01 and 9999-12-31T23:59:59, UTC


class StreamText(str):
    """The shown text of a byte stream that a step returned; `stream` says where its bytes are."""

    __slots__ = ("stream",)
    stream: StreamValue


def iso(at_ms: float) -> str:
    """Return a time for REST: `"2026-01-01T00:00:00.000Z"`.

    A damaged record may have a time outside the years 1 to 9999: then it is their start or end.
    """
    seconds, milliseconds = divmod(int(at_ms), 1000)
    seconds = min(max(seconds, _FIRST_S), _LAST_S)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


def iso_date(epoch_ms: float) -> str:
    """Return a Date like `Date.toISOString`: a year far away has six digits and a sign.

    Raises ValueError if it is not a Date.
    """
    seconds, milliseconds = divmod(int(epoch_ms), 1000)
    if _FIRST_S <= seconds <= _LAST_S:
        return iso(epoch_ms)
    if abs(epoch_ms) > _DATE_MAX_MS:
        raise ValueError(f"{epoch_ms} ms since 1970 are no Date")
    cycles, within = divmod(seconds, _CYCLE_S)
    text = _second(within)
    year = int(text[:4]) + 400 * cycles
    shown = f"{year:04d}" if year == 0 else f"{year:+07d}"
    return f"{shown}{text[4:]}.{milliseconds:03d}Z"


@lru_cache(maxsize=256)  # a history has many times in a few seconds
def _second(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).isoformat().removesuffix("+00:00")


def plain(value: bytes) -> Json:
    """Return a value in tagged JSON as plain JSON: `b'{"$date":0}'` -> `"1970-01-01T00:…Z"`."""
    try:
        if b'"$' not in value:  # no tag anywhere: it is plain JSON already
            return deep_json.loads(value) if value else None
        return _Flattener().flatten(values.decode(value, _SHAPES))
    except (ValueError, RecursionError):
        return f"[a value of {len(value):,} bytes, too deep or too unusual to be shown]"


def as_text(value: Json) -> str:
    """Return plain JSON as a string, as REST shows a step's output; a long one is cut."""
    if isinstance(value, StreamText):
        return str(value)
    text = deep_json.dumps(value, ascii_only=False)
    return text if len(text) <= TEXT_MAX_CHARS else text[:TEXT_MAX_CHARS] + TRUNCATED


def _bytes_label(data: bytes) -> str:
    return f"[Uint8Array({len(data)} bytes)]"


def _typed_label(array: TypedArray) -> str:
    return f"[{array.kind}({len(array.data)} bytes)]"


def _error(error: ErrorValue) -> Json:
    return {"name": error.name, "message": error.message}


def _regexp(value: RegExpValue) -> str:
    return f"/{value.source}/{value.flags}"


def _stream(stream: StreamValue) -> StreamText:
    text = StreamText(stream.preview)
    text.stream = stream
    return text


_SHAPES = values.Shapes(
    date=iso_date,
    binary=_bytes_label,
    typed=_typed_label,
    error=_error,
    regexp=_regexp,
    stream=_stream,
)


class _Flattener:
    """Writes out containers that may be shared or contain themselves."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._nodes = 0

    def flatten(self, value: Any) -> Json:
        self._nodes += 1
        if self._nodes > NODES_MAX:
            return "[...]"
        if value is None or isinstance(value, str | bool):
            return value
        if isinstance(value, int):
            return value if abs(value) <= MAX_SAFE_INTEGER else str(value)
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        return self._container(value)

    def _container(self, value: Any) -> Json:
        if id(value) in self._open:
            return "[Circular]"
        self._open.add(id(value))
        try:
            if isinstance(value, dict):
                return {key: self.flatten(item) for key, item in value.items()}
            if isinstance(value, MapValue):
                return [[self.flatten(key), self.flatten(item)] for key, item in value.pairs]
            return [self.flatten(item) for item in value]
        finally:
            self._open.discard(id(value))
