"""The guest's end of the conversation: bytes <-> messages on the event loop.

It decides nothing. Messages of one turn of the loop leave in one write. When the host goes away, or
breaks the protocol, the process ends at once: a guest owns nothing that could be lost.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

from ...protocol.framing import FrameReader, frame
from ...protocol.message import Message, ProtocolError
from .loop import asyncio_privates

_PENDING_MAX = 32  # messages; with more, the host had better begin to read
_RECEIVE_BYTES = 256 * 1024  # in one piece, into memory that is kept: 3 system calls less for each
_PROTOCOL_BROKEN = 76  # sysexits.h EX_PROTOCOL


class Connection(asyncio.BufferedProtocol):
    """One conversation with the host."""

    def __init__(self, loop: asyncio.AbstractEventLoop, host: socket.socket) -> None:
        self._loop = loop
        self._host = host
        self._reader = FrameReader()
        self._received = memoryview(bytearray(_RECEIVE_BYTES))
        self._pending: list[bytes] = []
        self._kept: list[Message] = []  # what came while code stood still
        self._scheduled = False
        self._transport: asyncio.Transport | None = None
        self._receive: Callable[[Message], None] = _nobody

    def attach(self, receive: Callable[[Message], None]) -> None:
        """Hand every message to `receive` from now on."""
        self._receive = receive

    def send(self, message: Message) -> None:
        """Send `message` at the end of this turn of the loop. Raises FrameTooLarge."""
        pending = self._pending
        pending.append(frame(message))
        if len(pending) >= _PENDING_MAX:
            self._write()
        elif not self._scheduled:
            self._schedule()

    def send_now(self, message: Message) -> None:
        """Send `message` before code goes on, which may hold the loop. Any thread may use it."""
        if asyncio_privates.thread_of(self._loop) == threading.get_ident():
            self.send(message)
            self._write()
        else:
            self._loop.call_soon_threadsafe(self.send, message)

    def ask(self, message: Message, answers: Callable[[Message], bool]) -> Message:
        """Send `message`, and let all code stand still until what answers it is here; return that.

        What else arrives is handled afterwards. Call it in a callback of the loop.
        """
        self.send(message)
        self._write()
        assert self._transport is not None
        asyncio_privates.write_out(self._transport, self._host)
        found: Message | None = None
        while found is None:
            for received in self._read_now():
                if found is None and answers(received):
                    found = received
                else:
                    self._kept.append(received)
        if self._kept:
            self._loop.call_soon(self._hand_on_kept)
        return found

    def close(self) -> None:
        """End the process as soon as what was sent is written."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._received

    def buffer_updated(self, nbytes: int) -> None:
        if self._kept:
            self._hand_on_kept()
        try:
            for message in self._reader.receive(bytes(self._received[:nbytes])):
                self._receive(message)
        except ProtocolError as error:
            _broken(error)
        if not self._scheduled:
            self._schedule()  # after all woken tasks: their messages leave in the same turn

    def connection_lost(self, exc: Exception | None) -> None:
        _leave(0)

    def _read_now(self) -> list[Message]:
        """Wait for bytes of the host, and return the messages that they complete."""
        readable = select.poll()
        readable.register(self._host, select.POLLIN)
        readable.poll()
        try:
            received = self._host.recv_into(self._received)
        except BlockingIOError:
            return []
        except OSError:
            received = 0
        if not received:
            _leave(0)
        try:
            return self._reader.receive(bytes(self._received[:received]))
        except ProtocolError as error:
            _broken(error)

    def _hand_on_kept(self) -> None:
        try:
            while self._kept:  # handling one may let code stand still again
                self._receive(self._kept.pop(0))
        except ProtocolError as error:
            _broken(error)
        if not self._scheduled:
            self._schedule()

    def _schedule(self) -> None:
        self._scheduled = True
        self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        self._write()

    def _write(self) -> None:
        if self._pending and self._transport is not None:
            data = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
            self._pending.clear()
            self._transport.write(data)


def _nobody(message: Message) -> None:
    raise ProtocolError(f"{message.type} before anyone listens")


def _broken(error: ProtocolError) -> NoReturn:
    print(f"groundfog: the host broke the protocol: {error}", file=sys.stderr)
    _leave(_PROTOCOL_BROKEN)


def _leave(status: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass  # the reader is gone, or user code closed it
    os._exit(status)
