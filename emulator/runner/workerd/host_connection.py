"""One connection of workerd to its host: requests in, answers out, bodies whole or in pieces."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any

import httptools

from bindings.binding import ByteStream
from bindings.http import HttpAnswer, StreamedAnswer

LENGTH = "content-length"
NO_BODY = frozenset({204, 304})
# So much of a body may wait for its reader.
UNREAD_MAX_BYTES = 1024 * 1024
_LINE_END = re.compile(r"[\r\n]+")
_REASONS = {each.value: each.phrase for each in HTTPStatus}

Answer = HttpAnswer | StreamedAnswer | ByteStream
Body = bytes | AsyncIterator[bytes]
# Method, target, headers in lower case, body.
Handler = Callable[[str, str, dict[str, str], Any], Awaitable[Answer]]


class HostConnection(asyncio.Protocol):
    """A connection on which one thing is asked after the other.

    streams: whether the body of a request with these headers is passed on while it comes.
    """

    def __init__(
        self,
        answer: Handler,
        streams: Callable[[dict[str, str]], bool],
        connections: set[HostConnection],
    ) -> None:
        self._handle = answer
        self._streams = streams
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
        self._incoming: _Incoming | None = None

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

    def on_headers_complete(self) -> None:
        if self._streams(self._headers):
            assert self._transport is not None
            self._incoming = _Incoming(self._transport)
            self._start(self._incoming)

    def on_body(self, body: bytes) -> None:
        if self._incoming is None:
            self._body.append(body)
        else:
            self._incoming.add(body)

    def on_message_complete(self) -> None:
        if self._incoming is None:
            self._start(b"".join(self._body))
        else:
            self._incoming.end()

    # ---

    def _start(self, body: bytes | _Incoming) -> None:
        method = self._parser.get_method().decode("ascii")
        work = self._answer(method, self._target.decode("latin-1"), self._headers, body)
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes | _Incoming
    ) -> None:
        try:
            await self._write(method, await self._handle(method, target, headers, body))
        finally:
            if isinstance(body, _Incoming):  # the answer may have been made of it, piece by piece
                body.discard()

    async def _write(self, method: str, answer: Answer) -> None:
        transport = self._transport
        assert transport is not None
        if isinstance(answer, HttpAnswer):
            head = _head(answer.status, answer.headers.items(), answer.reason)
            length = b"content-length: %d\r\n\r\n" % len(answer.body)
            transport.write(b"".join((head, length, answer.body)))
        elif isinstance(answer, ByteStream):
            head = _head(200, [("content-type", answer.content_type)])
            await self._stream(transport, head, answer.chunks, None)
        elif answer.body is None:
            keeps_length = method == "HEAD" or answer.status in NO_BODY
            sent = [each for each in answer.headers if keeps_length or each[0] != LENGTH]
            length = b"\r\n" if keeps_length else b"content-length: 0\r\n\r\n"
            transport.write(_head(answer.status, sent) + length)
        else:
            sent = [each for each in answer.headers if each[0] != LENGTH]
            await self._stream(transport, _head(answer.status, sent), answer.body, answer.length)

    async def _stream(
        self,
        transport: asyncio.Transport,
        head: bytes,
        chunks: AsyncIterator[bytes],
        length: int | None,
    ) -> None:
        is_chunked = length is None
        framing = b"transfer-encoding: chunked"
        if length is not None:
            framing = b"content-length: %d" % length
        transport.write(head + framing + b"\r\n\r\n")
        try:
            async for chunk in chunks:
                if chunk:
                    transport.write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if is_chunked else chunk)
                await self._room.wait()
        except Exception:
            self.close()  # the reader sees that it is incomplete
            raise
        finally:
            aclose = getattr(chunks, "aclose", None)
            if aclose is not None:
                await aclose()
        if is_chunked:
            transport.write(b"0\r\n\r\n")


class _Incoming:
    """A body while it comes: an async iterator, as fast as its reader reads."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._pieces: deque[bytes] = deque()
        self._unread_bytes = 0
        self._is_whole = False
        self._is_discarded = False
        self._news = asyncio.Event()

    def add(self, piece: bytes) -> None:
        """Take in what has come."""
        if self._is_discarded:
            return
        self._pieces.append(piece)
        self._unread_bytes += len(piece)
        if self._unread_bytes > UNREAD_MAX_BYTES:
            self._transport.pause_reading()
        self._news.set()

    def end(self) -> None:
        """All of it has come."""
        self._is_whole = True
        self._news.set()

    def discard(self) -> None:
        """Nobody reads the rest."""
        self._is_discarded = True
        self._pieces.clear()
        self._transport.resume_reading()

    def __aiter__(self) -> _Incoming:
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._is_whole:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()  # a lost connection cancels its reader
        piece = self._pieces.popleft()
        self._unread_bytes -= len(piece)
        if self._unread_bytes <= UNREAD_MAX_BYTES // 2:
            self._transport.resume_reading()
        return piece


def _head(status: int, headers: Iterable[tuple[str, str]], reason: str = "") -> bytes:
    lines = [f"HTTP/1.1 {status} {reason or _REASONS.get(status, 'Status')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    cleaned = (_LINE_END.sub(" ", line) for line in lines)
    return "\r\n".join(cleaned).encode("latin-1", "replace") + b"\r\n"
