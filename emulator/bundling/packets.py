"""The values that esbuild's service reads and writes, and their bytes. No input or output here.

A packet is a length of four bytes, then a number of four bytes, then one value. The number is twice
the request's, and one more in an answer. All numbers are little-endian.
Source: docs/platform/bundling.md, "esbuild's service".
"""

from __future__ import annotations

import struct
from typing import TypeAlias

from msgspec import Struct

Value: TypeAlias = "dict[str, Value] | list[Value] | bytes | str | int | bool | None"

_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")
_NULL, _BOOL, _INT, _STR, _BYTES, _LIST, _DICT = range(7)


class MalformedPacket(Exception):
    """Bytes that are no packet: the peer speaks another version of the protocol."""


class Packet(Struct, frozen=True):
    """A request, or the answer to the request of the same number."""

    number: int
    is_request: bool
    value: Value


def encode(packet: Packet) -> bytes:
    """Return a packet's bytes, its length included."""
    out = bytearray(8)
    _U32.pack_into(out, 4, packet.number << 1 | (not packet.is_request))
    _write(packet.value, out)
    _U32.pack_into(out, 0, len(out) - 4)
    return bytes(out)


def decode(content: bytes) -> Packet:
    """Return the packet of these bytes, which begin after the length. Raises MalformedPacket."""
    try:
        (number,) = _U32.unpack_from(content)
        value, end = _read(content, 4)
    except (struct.error, IndexError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedPacket(str(error)) from error
    if end != len(content):
        raise MalformedPacket(f"{len(content) - end} bytes follow the value")
    return Packet(number >> 1, not number & 1, value)


def _write(value: Value, out: bytearray) -> None:
    if value is None:
        out.append(_NULL)
    elif isinstance(value, bool):
        out += bytes((_BOOL, value))
    elif isinstance(value, int):
        out.append(_INT)
        out += _I32.pack(value)
    elif isinstance(value, str):
        out.append(_STR)
        _write_bytes(value.encode(), out)
    elif isinstance(value, bytes):
        out.append(_BYTES)
        _write_bytes(value, out)
    elif isinstance(value, list):
        out.append(_LIST)
        out += _U32.pack(len(value))
        for item in value:
            _write(item, out)
    else:
        out.append(_DICT)
        out += _U32.pack(len(value))
        for key, item in value.items():
            _write_bytes(key.encode(), out)
            _write(item, out)


def _write_bytes(content: bytes, out: bytearray) -> None:
    out += _U32.pack(len(content))
    out += content


def _read(content: bytes, at: int) -> tuple[Value, int]:
    """Return the value that begins at `at`, and where it ends."""
    kind = content[at]
    at += 1
    if kind == _NULL:
        return None, at
    if kind == _BOOL:
        return bool(content[at]), at + 1
    if kind == _INT:
        return _I32.unpack_from(content, at)[0], at + 4
    if kind in (_STR, _BYTES):
        found, at = _read_bytes(content, at)
        return (found.decode() if kind == _STR else found), at
    if kind not in (_LIST, _DICT):
        raise MalformedPacket(f"{kind} is no kind of value")
    (count,) = _U32.unpack_from(content, at)
    at += 4
    if kind == _LIST:
        items: list[Value] = []
        for _ in range(count):
            item, at = _read(content, at)
            items.append(item)
        return items, at
    members: dict[str, Value] = {}
    for _ in range(count):
        key, at = _read_bytes(content, at)
        members[key.decode()], at = _read(content, at)
    return members, at


def _read_bytes(content: bytes, at: int) -> tuple[bytes, int]:
    (length,) = _U32.unpack_from(content, at)
    end = at + 4 + length
    if end > len(content):
        raise MalformedPacket("a text or bytes end too early")
    return content[at + 4 : end], end
