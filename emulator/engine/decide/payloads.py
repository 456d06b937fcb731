"""Builds values from recorded values without decoding them. Pure.

Recorded values are bytes of tagged JSON, so the text of a list or record is written around them.
The only exception is a `$ref`, which counts containers from the start of its own value: inside a
larger value, the containers that open before it are added.
"""

from __future__ import annotations

import json

from emulator.protocol import references

_REFERENCE = b'"$ref"'


def record(fields: dict[str, bytes]) -> bytes:
    """Return the object with these already encoded fields: `{"a": b"1"}` -> `b'{"a":1}'`."""
    values = moved([value or b"null" for value in fields.values()], opened=1)
    parts = (
        b'"%b":%b' % (name.encode(), value) for name, value in zip(fields, values, strict=True)
    )
    return b"{" + b",".join(parts) + b"}"


def date(at_ms: int) -> bytes:
    """Return a Date, encoded."""
    return b'{"$date":%d}' % at_ms


def text(value: str) -> bytes:
    """Return a string, encoded."""
    return json.dumps(value).encode()


def received_event(event_type: str, at_ms: int, payload: bytes) -> bytes:
    """Return the result of `wait_for_event`. Source: docs/platform/workflows.md, "Events"."""
    return record({"payload": payload, "timestamp": date(at_ms), "type": text(event_type)})


def moved(values: list[bytes], *, opened: int, around: int = 0) -> list[bytes]:
    """Return values whose references count from the start of the larger value.

    `opened` containers open before the first value, `around` more in front of each.
    """
    if not any(_REFERENCE in value for value in values):
        return values
    found = []
    for value in values:
        opened += around
        shifted, count = references.moved(value, opened)
        opened += count
        found.append(shifted)
    return found
