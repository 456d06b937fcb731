"""WebSocket messages <-> the bytes of an exchange's two bodies, sans-I/O.

On an exchange that has become a WebSocket, each body is a sequence of messages:

    kind (u8: 1 text, 2 binary, 8 close) | length of the rest (u32, big-endian) | payload

The kinds are the opcodes of RFC 6455. The payload of a close is a code (u16) and a reason, or
empty. So flow control, cancelling and draining are those of any other body.
"""

from __future__ import annotations

import struct

from .message import ProtocolError

TEXT, BINARY, CLOSE = 1, 2, 8
MESSAGE_MAX_BYTES = 32 * 1024 * 1024  # Source: docs/platform/hosting.md, "Limits of a request".
NO_STATUS, ABNORMAL = 1005, 1006  # RFC 6455: a close without a code, and no close

_HEAD = struct.Struct(">BI")
_CODE = struct.Struct(">H")


def encode(kind: int, payload: bytes) -> bytes:
    """Return one message as bytes."""
    return _HEAD.pack(kind, len(payload)) + payload


def encode_close(code: int | None, reason: str) -> bytes:
    """Return a close; `code` None closes without one."""
    return encode(CLOSE, b"" if code is None else _CODE.pack(code) + reason.encode())


def close_of(payload: bytes) -> tuple[int, str]:
    """Return code and reason of a close's payload."""
    if len(payload) < _CODE.size:
        return NO_STATUS, ""
    return _CODE.unpack_from(payload)[0], payload[_CODE.size :].decode(errors="replace")


class Decoder:
    """Puts messages together again from pieces of any size."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, piece: bytes) -> list[tuple[int, bytes]]:
        """Return the messages that `piece` completes. Raises ProtocolError if it is not one."""
        self._rest += piece
        found = []
        while len(self._rest) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._rest)
            if kind not in (TEXT, BINARY, CLOSE) or length > MESSAGE_MAX_BYTES:
                raise ProtocolError(f"a WebSocket message of kind {kind} and {length} bytes")
            end = _HEAD.size + length
            if len(self._rest) < end:
                break
            found.append((kind, bytes(self._rest[_HEAD.size : end])))
            del self._rest[:end]
        return found
