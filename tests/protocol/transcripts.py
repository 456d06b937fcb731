"""Conversations as data: reading them, making their messages, comparing what is said with them.

A file of `emulator/protocol/transcripts/` is a list of conversations: `name`, `lines`, and `only`
if it is played against one side only. A line has one key:

    host, guest   a message: `type` and the fields that are not default, and for the payload
                  `value` (tagged JSON), `text`, or `fill` (so many bytes)
    world         what happens to the host meanwhile; guests hear nothing of it

Where a field is `"*"`, anything may stand. `"=name"` is what the side that says it first chooses.
Two messages are none: `body` sends a whole body of `fill` bytes on `id` at the pace of its reader,
and `stall` waits until a sender has sent a window of it, and sees that it sends no more.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any

import emulator.protocol
from emulator.protocol import framing
from emulator.protocol.message import MESSAGE_TYPES, Message

FOLDER = Path(emulator.protocol.__file__).parent / "transcripts"
FILLER = b"x"
PARTS = [part.__name__ for part in framing.PARTS]  # all messages are known

Record = dict[str, Any]
Bound = dict[str, Any]  # what `"=name"` stands for in one conversation


@dataclass(frozen=True)
class Conversation:
    """One conversation. `lines`: (who, what) in order."""

    part: str
    name: str
    lines: list[tuple[str, Record]]
    only: str  # "host" or "guest": the side that it can be played against; "" both
    world: Record  # how the host is set up

    def __str__(self) -> str:
        return self.name


def conversations(part: str, against: str) -> list[Conversation]:
    """Return the conversations of a file that can be played against "host" or "guest"."""
    found = []
    for record in json.loads((FOLDER / f"{part}.json").read_text()):
        name, only = record.pop("name"), record.pop("only", "")
        lines = [next(iter(line.items())) for line in record.pop("lines")]
        if only in ("", against):
            found.append(Conversation(part, name, lines, only, record))
    return found


def message_of(record: Record, bound: Bound) -> Message:
    """Return the message of a line, to be sent; what may be anything is empty."""
    cls = MESSAGE_TYPES[record["type"]]
    hints = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    for name, value in _fields(record).items():
        if value == "*" and hints[name] is not str:
            value = (typing.get_origin(hints[name]) or hints[name])()
        elif isinstance(value, str) and value.startswith("="):
            value = bound.setdefault(value, 1)
        values[name] = value
    return cls(**values)


def differs(record: Record, message: Message, bound: Bound) -> str:
    """Return how `message` differs from a line; "" when it does not."""
    if message.type != record["type"]:
        return f"expected {record}, heard {message}"
    wanted = _fields(record)
    for field in dataclasses.fields(message):
        expected = wanted.pop(field.name, _default(field))
        heard = getattr(message, field.name)
        if isinstance(expected, str) and expected.startswith("="):
            expected = bound.setdefault(expected, heard)
        if field.name == "payload" and "value" in record:
            expected, heard = json.loads(expected), json.loads(heard or b"null")
        if not _alike(expected, heard):
            return f"{message.type}.{field.name}: expected {expected!r}, heard {heard!r}"
    return f"{message.type} has no {', '.join(wanted)}" if wanted else ""


def fill(record: Record) -> bytes:
    """Return the bytes of a line's payload."""
    if "fill" in record:
        return FILLER * int(record["fill"])
    if "text" in record:
        return str(record["text"]).encode()
    return json.dumps(record["value"], separators=(",", ":")).encode() if "value" in record else b""


def _fields(record: Record) -> Record:
    fields = {k: v for k, v in record.items() if k not in ("type", "value", "text", "fill")}
    payload = fill(record)
    return {**fields, "payload": payload} if payload else fields


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _alike(expected: Any, heard: Any) -> bool:
    if expected == "*":
        return True
    if isinstance(expected, list) and isinstance(heard, list):
        pairs = zip(expected, heard, strict=False)
        return len(expected) == len(heard) and all(_alike(*pair) for pair in pairs)
    return type(expected) is type(heard) and bool(expected == heard)
