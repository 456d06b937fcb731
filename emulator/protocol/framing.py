"""Messages <-> bytes, sans-I/O; the same over a socket, a pipe or a WebSocket.

frame = length of the rest (u32, big-endian) | length of the header (u32) | header | payload
"""

from __future__ import annotations

import struct

from . import bindings, exchanges, life, loading, objects, runs
from .message import Message, ProtocolError, decode, encode

MAX_FRAME_BYTES = 64 * 1024 * 1024  # a body travels in pieces; only a value can be this large
# Whatever comes in a frame is in one of them.
PARTS = (loading, exchanges, bindings, runs, life, objects)
_HEAD = struct.Struct(">II")


class FrameTooLarge(ValueError):
    """The message would not fit in a frame; nothing was sent."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            f"a message of {size_bytes:,} bytes is over the limit of {MAX_FRAME_BYTES:,} bytes"
        )


def frame(message: Message) -> bytes:
    """Return `message` as one frame. Raises FrameTooLarge."""
    header, payload = encode(message)
    size = 4 + len(header) + len(payload)
    if size > MAX_FRAME_BYTES:
        raise FrameTooLarge(size)
    return b"".join((_HEAD.pack(size, len(header)), header, payload))


class FrameReader:
    """Turns received bytes into messages, however they were cut on the way."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[Message]:
        """Take `data` in and return every message that is complete by now, in order.

        Raises ProtocolError when the peer's bytes do not form a frame; the reader is useless then.
        """
        kept = self._buffer
        kept_any = bool(kept)
        if kept_any:
            kept += data
        buffer = kept if kept_any else data  # as a rule whole frames come, and nothing is copied
        length = len(buffer)
        received: list[Message] = []
        start = 0
        while length - start >= _HEAD.size:
            size, header_size = _HEAD.unpack_from(buffer, start)
            if size > MAX_FRAME_BYTES or header_size + 4 > size:
                raise ProtocolError(f"a frame claims {size} bytes with a header of {header_size}")
            end = start + 4 + size
            if length < end:
                break
            start += _HEAD.size
            split = start + header_size
            received.append(decode(bytes(buffer[start:split]), bytes(buffer[split:end])))
            start = end
        if kept_any:
            del kept[:start]
        else:
            kept += data[start:]
        return received

    def at_boundary(self) -> bool:
        """Return whether everything received so far was whole frames."""
        return not self._buffer
