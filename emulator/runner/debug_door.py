"""One address on loopback for editors' debuggers, whatever generation of the code serves.

Each guest's debugpy listens on a port of its own, which this module passes an editor on to. An
editor stays with its guest until that ends. Then it is asked to attach again, to the next one.
Source: https://microsoft.github.io/debug-adapter-protocol/specification
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import re
import socket
from collections.abc import Callable

from emulator.errors import EmulatorError
from emulator.runner.debugging import Debugging
from emulator.runner.guest import Guest

LOOPBACK = "127.0.0.1"
LAST_WORDS_S = 0.5  # of the debugger of a guest that has ended
_PIECE_BYTES = 64 * 1024


class DebugDoor:
    """Listens from when it is made; answers once started. Raises EmulatorError."""

    def __init__(
        self, port: int, debugging: Debugging, serving: Callable[[], Guest | None]
    ) -> None:
        self._debugging = debugging
        self._serving = serving
        self._socket = listening(port, "--debug", 5679)
        self.port: int = self._socket.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._editors: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Let editors attach."""
        self._server = await asyncio.start_server(self._attached, sock=self._socket)

    async def stop(self) -> None:
        """Let every editor go."""
        self.discard()
        for editor in list(self._editors):
            editor.cancel()
        await asyncio.gather(*self._editors, return_exceptions=True)

    def discard(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
        self._socket.close()

    async def _attached(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._editors.add(task)
        guest = self._serving()
        try:
            if guest is not None and guest.halts.port:
                await self._pass_on(guest, reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # either side has gone
        finally:
            writer.close()
            self._editors.discard(task)

    async def _pass_on(
        self, guest: Guest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        from_guest, to_guest = await asyncio.open_connection(LOOPBACK, guest.halts.port)
        self._debugging.begin(guest)
        ways = [
            asyncio.ensure_future(_copy(reader, to_guest)),
            asyncio.ensure_future(self._copy_events(guest, from_guest, writer)),
        ]
        try:
            ended = guest.connection.closed
            await asyncio.wait([*ways, ended], return_when=asyncio.FIRST_COMPLETED)
            if ended.done():  # debugpy tells the editor so
                await asyncio.wait(ways, timeout=LAST_WORDS_S)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            to_guest.close()
            self._debugging.end(guest)

    async def _copy_events(
        self, guest: Guest, source: asyncio.StreamReader, target: asyncio.StreamWriter
    ) -> None:
        """Pass on what debugpy says, message by message, until it has nothing more to say."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                header = await source.readuntil(b"\r\n\r\n")
                (length,) = re.findall(rb"Content-Length: *(\d+)", header)
                message = await source.readexactly(int(length))
                if guest.connection.closed.done() or self._serving() is not guest:
                    message = _asking_for_restart(message)
                target.write(b"Content-Length: %d\r\n\r\n" % len(message) + message)
                await target.drain()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(_PIECE_BYTES):
            target.write(data)
            await target.drain()


def _asking_for_restart(message: bytes) -> bytes:
    """Return a message of debugpy; the end of its program as one that another follows."""
    if b'"terminated"' not in message:
        return message
    told = json.loads(message)
    if told.get("event") != "terminated":
        return message
    return json.dumps({**told, "body": {**told.get("body", {}), "restart": True}}).encode()


def listening(port: int, option: str, other: int) -> socket.socket:
    """Return a socket that listens on loopback. Raises EmulatorError.

    other: a port that the error suggests.
    """
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise EmulatorError(
                f"{option}={port}: {LOOPBACK}:{port} cannot be used ({error.strerror})."
            ) from error
        raise EmulatorError(
            f"{option}={port}: {LOOPBACK}:{port} is already in use by another program, perhaps"
            f" another `groundfog dev {option}`.\n  Choose another port: {option}={other}, or"
            f" {option}=0 for any free one."
        ) from error
