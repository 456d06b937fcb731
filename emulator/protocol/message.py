"""What every message of the runner protocol is, and its bytes. `PROTOCOL.md` has the rules.

A message is a flat record of JSON fields and, at most, one `payload` of bytes, which is never
interpreted on the way (a value in tagged JSON, or a piece of a body). Fields that hold their
default are left out on the wire. `encode` and `decode` are the only places that know the JSON.
`Any` in the type of a field is JSON of any shape: `decode` looks no deeper.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from json.encoder import encode_basestring_ascii
from typing import Any, ClassVar

from .record import Record, record


class ProtocolError(Exception):
    """The peer broke the protocol. The connection cannot go on."""


_M = typing.TypeVar("_M")
MESSAGE_TYPES: dict[str, type[Message]] = {}  # by their names on the wire


@typing.dataclass_transform(frozen_default=True)
def message(cls: type[_M]) -> type[_M]:
    """Make a message class: a record, which is known by its name on the wire."""
    made = record(cls)
    if "type" in vars(cls):
        MESSAGE_TYPES[vars(cls)["type"]] = made  # type: ignore[assignment]
    return made


@message
class Message(Record):
    """What all messages share: a name on the wire."""

    type: ClassVar[str]

    def __hash__(self) -> int:  # some fields are lists
        return hash(repr(self))


class _Shape(typing.NamedTuple):
    cls: type[Message]
    opening: str  # `{"type":"step_run"`
    plain: tuple[tuple[str, str, Any, Callable[[Any], str]], ...]  # name, key, default, writer
    types: dict[str, type]  # `object`: any JSON
    has_payload: bool


_dump = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False).encode
_read = json.JSONDecoder().raw_decode  # json.loads would guess the encoding and skip blanks


def _dump_headers(headers: list[list[str]]) -> str:
    """Do what `_dump` does, in half the time: each request and each response has them."""
    try:
        pairs = [f"[{','.join(map(encode_basestring_ascii, pair))}]" for pair in headers]
    except TypeError:  # not of text: the peer says so
        return _dump(headers)
    return f"[{','.join(pairs)}]"


_WRITERS: dict[Any, Callable[[Any], str]] = {
    int: str,
    str: encode_basestring_ascii,
    bool: lambda value: "true" if value else "false",
    list[list[str]]: _dump_headers,
    dict[str, Any]: lambda value: _dump(value) if value else "{}",
}


_SHAPES: dict[str, _Shape] = {}  # filled when a type is first needed: starting waits for none


def _shape(cls: type[Message]) -> _Shape:
    """Return how a message is written and read."""
    shape = _SHAPES.get(cls.type)
    if shape is None:
        shape = _SHAPES[cls.type] = _work_out(cls)
    return shape


def _work_out(cls: type[Message]) -> _Shape:
    hints = typing.get_type_hints(cls)
    plain = [f for f in fields(cls) if f.name != "payload"]
    return _Shape(
        cls,
        f'{{"type":"{cls.type}"',
        tuple(
            (f.name, f',"{f.name}":', _default(f), _WRITERS.get(hints[f.name], _dump))
            for f in plain
        ),
        {f.name: _accepted(hints[f.name]) for f in plain},
        any(f.name == "payload" for f in fields(cls)),
    )


def _default(declared: Field[Any]) -> Any:
    factory = declared.default_factory
    return declared.default if factory is MISSING else factory()


def _accepted(hint: Any) -> type:
    if hint is Any:
        return object
    origin = typing.get_origin(hint)
    accepted: type = origin if isinstance(origin, type) else hint
    return accepted


def encode(message: Message) -> tuple[bytes, bytes]:
    """Return a message as its JSON header and its payload."""
    shape = _SHAPES.get(message.type) or _shape(type(message))
    parts = [shape.opening]
    for name, key, default, write in shape.plain:
        value = getattr(message, name)
        if value != default:
            parts.append(key)
            parts.append(write(value))
    parts.append("}")
    payload: bytes = message.payload if shape.has_payload else b""  # type: ignore[attr-defined]
    return "".join(parts).encode("ascii"), payload


def read_with(reader: Callable[[bytes], Any]) -> None:
    """Read the JSON of headers with a quicker reader from now on.

    What it raises for is read again with Python's own, which decides.
    """
    global _quick
    _quick = reader


def decode(header: bytes, payload: bytes) -> Message:
    """Return the message that `header` and `payload` carry.

    Unknown fields are ignored, so that a newer peer may add some.
    Raises ProtocolError for an unknown type, a missing field or a field of the wrong type.
    """
    try:
        record = _quick(header)
    except Exception:
        record = _record(header)
    kind = record.pop("type", None) if isinstance(record, dict) else None
    shape = _SHAPES.get(kind) if isinstance(kind, str) else None
    if shape is None:
        shape = _shape_called(kind, header)
    types = shape.types
    for name, value in record.items():
        accepted = types.get(name)
        if accepted is not type(value) and accepted is not object:
            record = _checked(shape, record)
            break
    if shape.has_payload:
        record["payload"] = payload
    elif payload:
        raise ProtocolError(f"{kind} carries no payload")
    try:
        return shape.cls(**record)
    except TypeError:
        lacking = [name for name, _, default, _ in shape.plain if default is MISSING]
        missing = ", ".join(name for name in lacking if name not in record)
        raise ProtocolError(f"{kind} lacks {missing}") from None


def _record(header: bytes) -> Any:
    try:
        text = str(header, "utf-8")
        record, end = _read(text)
        if end != len(text):
            raise ValueError(f"extra data at {end}")
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a frame header is not JSON: {error}") from error
    return record


_quick: Callable[[bytes], Any] = _record


def _checked(shape: _Shape, record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without unknown fields. Raises ProtocolError for one of the wrong type."""
    known = {name: value for name, value in record.items() if name in shape.types}
    for name, value in known.items():
        accepted = shape.types[name]
        if accepted is not type(value) and accepted is not object:
            raise ProtocolError(f"{shape.cls.type}.{name} is {type(value).__name__}")
    return known


def _shape_called(kind: Any, header: bytes) -> _Shape:
    cls = MESSAGE_TYPES.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ProtocolError(f"unknown message {header[:80]!r}")
    return _shape(cls)
