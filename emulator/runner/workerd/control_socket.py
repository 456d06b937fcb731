"""The control connection: the bytes of the runner protocol inside WebSocket messages.

workerd gives code a connection that lasts only as a WebSocket. Messages are cut anywhere, as
PROTOCOL.md allows. For the connection above, this is an ordinary transport.
Source: https://www.rfc-editor.org/rfc/rfc6455 (sections 4 and 5).
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import struct
from enum import IntEnum

from emulator.errors import GuestError

# workerd refuses messages over 32 MiB.
MESSAGE_MAX_BYTES = 16 * 1024 * 1024
_HEAD_MAX_BYTES = 16 * 1024
_FINAL = 0x80
_MASKED = 0x80
# Clients must mask what they send. A mask of zeros changes nothing, and costs nothing.
_MASK = b"\0\0\0\0"


class Opcode(IntEnum):
    """What a frame is."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


async def open_control(path: str) -> socket.socket:
    """Return a socket on which the WebSocket is open. Raises GuestError."""
    loop = asyncio.get_running_loop()
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        await loop.sock_connect(connection, path)
        await loop.sock_sendall(connection, _request())
        head = b""
        while b"\r\n\r\n" not in head and len(head) < _HEAD_MAX_BYTES:
            data = await loop.sock_recv(connection, 4096)
            if not data:
                break
            head += data
        if not head.startswith(b"HTTP/1.1 101 "):
            told = head.partition(b"\r\n")[0].decode("latin-1") or "nothing"
            raise GuestError(f"the control connection was answered with: {told}")
    except BaseException as error:
        connection.close()
        if isinstance(error, OSError):
            raise GuestError(f"the guest could not be reached: {error}") from error
        raise
    return connection


def _request() -> bytes:
    key = base64.b64encode(os.urandom(16)).decode("ascii")
    lines = ["GET / HTTP/1.1", "Host: groundfog", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", "", ""]
    return "\r\n".join(lines).encode("ascii")


class ControlProtocol(asyncio.Protocol):
    """Hands the contents of messages to `inner`, whose transport it makes."""

    def __init__(self, inner: asyncio.Protocol) -> None:
        self._inner = inner
        self._frames = FrameParser()
        self._transport: ControlTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = ControlTransport(transport)  # type: ignore[arg-type]
        self._inner.connection_made(self._transport)

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        assert transport is not None
        for opcode, payload in self._frames.receive(data):
            if opcode is Opcode.BINARY:
                self._inner.data_received(payload)
            elif opcode is Opcode.PING:
                transport.frame(Opcode.PONG, payload)
            elif opcode is Opcode.CLOSE:
                transport.close()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)


class FrameParser:
    """Frames from bytes. The payload of a binary frame is passed on as it comes, in pieces."""

    def __init__(self) -> None:
        self._buffer = b""
        self._opcode = Opcode.BINARY
        self._left = 0  # of the frame's payload

    def receive(self, data: bytes) -> list[tuple[Opcode, bytes]]:
        """Return what `data` completes: opcodes and payloads, or pieces of payloads."""
        found: list[tuple[Opcode, bytes]] = []
        data = self._buffer + data if self._buffer else data
        at = 0
        while at < len(data):
            if self._left == 0:
                size = self._head(data, at)
                if size == 0:
                    break
                at += size
                if self._left == 0:
                    found.append((self._opcode, b""))
                continue
            if self._opcode is not Opcode.BINARY and len(data) - at < self._left:
                break  # the short payload of a control frame is passed on whole
            piece = data[at : at + self._left]
            at += len(piece)
            self._left -= len(piece)
            found.append((self._opcode, piece))
        self._buffer = data[at:]
        return found

    def _head(self, data: bytes, at: int) -> int:
        """Read the head of a frame; return its size, or 0 if more bytes are needed."""
        if len(data) - at < 2:
            return 0
        opcode, short = data[at] & 0x0F, data[at + 1] & 0x7F
        extended = {126: 2, 127: 8}.get(short, 0)
        if len(data) - at < 2 + extended:
            return 0
        length = short
        if extended:
            length = int.from_bytes(data[at + 2 : at + 2 + extended], "big")
        # A text message, or the rest of a message, carries bytes like any other.
        known = opcode in (Opcode.CLOSE, Opcode.PING, Opcode.PONG)
        self._opcode = Opcode(opcode) if known else Opcode.BINARY
        self._left = length
        return 2 + extended


class ControlTransport(asyncio.Transport):
    """A transport whose writes become masked binary messages on another transport."""

    def __init__(self, below: asyncio.Transport) -> None:
        super().__init__()
        self._below = below

    def write(self, data: bytes | bytearray | memoryview) -> None:
        whole = memoryview(data)
        for at in range(0, len(whole), MESSAGE_MAX_BYTES):
            self.frame(Opcode.BINARY, whole[at : at + MESSAGE_MAX_BYTES])

    def frame(self, opcode: Opcode, payload: bytes | memoryview) -> None:
        """Send one frame."""
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", _FINAL | opcode, _MASKED | size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", _FINAL | opcode, _MASKED | 126, size)
        else:
            head = struct.pack("!BBQ", _FINAL | opcode, _MASKED | 127, size)
        self._below.write(b"".join((head, _MASK, payload)))

    def close(self) -> None:
        self._below.close()

    def abort(self) -> None:
        self._below.abort()

    def is_closing(self) -> bool:
        return self._below.is_closing()

    def pause_reading(self) -> None:
        self._below.pause_reading()

    def resume_reading(self) -> None:
        self._below.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._below.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._below.get_write_buffer_size()
