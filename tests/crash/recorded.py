"""Recorded values as the host reads them, in the words in which `player.ts` notes its own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from emulator.protocol import values
from emulator.protocol.values import ErrorValue, MapValue, RegExpValue, StreamValue, TypedArray
from tests.crash.ledger import brief, whole


def recorded(data: bytes) -> str:
    """Return the text of a recorded value, of a stream the beginning."""
    value = values.decode(data)
    return value.preview[:16] if isinstance(value, StreamValue) else brief(_told(value, ()))


def _told(value: Any, around: tuple[int, ...]) -> Any:
    """Return a value in which texts stand for what Python has no type of its own for."""
    if id(value) in around:
        return "cycle"
    inside = (*around, id(value))

    def text(item: Any) -> str:
        return whole(_told(item, inside))

    match value:
        case dict():
            return {key: _told(item, inside) for key, item in value.items()}
        case list():
            return [_told(item, inside) for item in value]
        case datetime():
            return f"date {round(value.timestamp() * 1000)}"
        case set():
            return f"set {{{', '.join(sorted(map(text, value)))}}}"
        case MapValue(pairs):
            return f"map {{{', '.join(f'{text(key)}: {text(item)}' for key, item in pairs)}}}"
        case RegExpValue(source, flags):
            return f"/{source}/{flags}"
        case ErrorValue(name, message):
            return f"{name}: {message}"
        case TypedArray(kind):
            return f"{kind} {' '.join(map(str, value.view()))}"
    return value
