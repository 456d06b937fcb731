"""What workerd asks its host over a private unix socket: bindings, pages, source maps, news.

A plain HTTP server for one client that we trust, workerd: whole requests in, whole or streamed
responses out. Each service of a configuration adds a header that says who asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httptools

from bindings.binding import ByteStream
from bindings.http import HttpAnswer, StreamedAnswer, json_answer
from emulator.errors import EmulatorError

log = logging.getLogger(__name__)

ASKER = "x-groundfog-asker"  # the header; workerd sets it, user code cannot
LENGTH = "content-length"
NO_BODY = frozenset({204, 304})
_LINE_END = re.compile(r"[\r\n]+")
_REASONS = {each.value: each.phrase for each in HTTPStatus}

Answer = HttpAnswer | StreamedAnswer | ByteStream
# Method, target, headers in lower case, body.
Handler = Callable[[str, str, dict[str, str], bytes], Awaitable[Answer]]


class HostServer:
    """Listens on a unix socket; `handlers` says who answers whom."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.handlers: dict[str, Handler] = {}  # by asker
        self._server: asyncio.Server | None = None
        self._connections: set[_HostProtocol] = set()

    async def start(self) -> None:
        """Begin to listen. Raises EmulatorError."""
        if self._server is None:
            listener = listen_privately(self.path)
            loop = asyncio.get_running_loop()
            self._server = await loop.create_unix_server(
                lambda: _HostProtocol(self._answer, self._connections), sock=listener
            )

    async def stop(self) -> None:
        """Close every connection: a client whose host is silent would wait for ever."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for connection in list(self._connections):
                connection.close()
            with contextlib.suppress(OSError):
                self.path.unlink()

    async def _answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> Answer:
        asker = headers.get(ASKER, "")
        handler = self.handlers.get(asker)
        if handler is None:
            return json_answer(404, {"success": False, "error": f"nothing answers {asker!r}"})
        try:
            return await handler(method, target, headers, body)
        except EmulatorError as error:
            return json_answer(500, {"success": False, "error": str(error)})
        except Exception as error:  # a bug in one binding must not take other requests down
            log.exception("%s %s of %s failed inside Groundfog", method, target, asker)
            text = f"internal error in {asker}: {type(error).__name__}: {error}"
            return json_answer(500, {"success": False, "error": text})


def listen_privately(path: Path) -> socket.socket:
    """Return a listening unix socket that only this user may connect to. Raises EmulatorError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()  # a server that was killed leaves it
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.listen(1024)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise EmulatorError(f"{path}: cannot listen on it ({error.strerror or error}).") from error
    return listener


class _HostProtocol(asyncio.Protocol):
    """One connection of workerd's, which asks one thing after the other."""

    def __init__(self, answer: Handler, connections: set[_HostProtocol]) -> None:
        self._handle = answer
        self._connections = connections
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()
        self._room.set()
        self._begin()

    def _begin(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._room.set()
        for task in self._tasks:
            task.cancel()

    def close(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    # --- called by the parser

    def on_message_begin(self) -> None:
        self._begin()

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode("ascii")
        asked = method, self._target.decode("latin-1"), self._headers, b"".join(self._body)
        task = asyncio.get_running_loop().create_task(self._answer(*asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---

    async def _answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        answer = await self._handle(method, target, headers, body)
        transport = self._transport
        assert transport is not None
        if isinstance(answer, HttpAnswer):
            head = _head(answer.status, answer.headers.items(), answer.reason)
            length = b"content-length: %d\r\n\r\n" % len(answer.body)
            transport.write(b"".join((head, length, answer.body)))
        elif isinstance(answer, ByteStream):
            head = _head(200, [("content-type", answer.content_type)])
            await self._stream(transport, head, answer.chunks)
        elif answer.body is None:
            keeps_length = method == "HEAD" or answer.status in NO_BODY
            sent = [each for each in answer.headers if keeps_length or each[0] != LENGTH]
            length = b"\r\n" if keeps_length else b"content-length: 0\r\n\r\n"
            transport.write(_head(answer.status, sent) + length)
        else:
            sent = [each for each in answer.headers if each[0] != LENGTH]
            await self._stream(transport, _head(answer.status, sent), answer.body)

    async def _stream(
        self, transport: asyncio.Transport, head: bytes, chunks: AsyncIterator[bytes]
    ) -> None:
        transport.write(head + b"transfer-encoding: chunked\r\n\r\n")
        try:
            async for chunk in chunks:
                if chunk:
                    transport.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                await self._room.wait()
        except Exception:
            self.close()  # the reader sees that it is incomplete
            raise
        transport.write(b"0\r\n\r\n")


def _head(status: int, headers: Iterable[tuple[str, str]], reason: str = "") -> bytes:
    lines = [f"HTTP/1.1 {status} {reason or _REASONS.get(status, 'Status')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    cleaned = (_LINE_END.sub(" ", line) for line in lines)
    return "\r\n".join(cleaned).encode("latin-1", "replace") + b"\r\n"
