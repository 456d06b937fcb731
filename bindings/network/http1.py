"""One HTTP/1.1 request on a connection of its own, and its answer as it arrives.

At most two pieces of 64 KiB are held: a body is read as fast as its reader takes it. The body of
the request is sent meanwhile. Nothing is decoded, and no redirect is followed.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections import deque
from collections.abc import AsyncIterator
from urllib.parse import SplitResult, urlsplit

import httptools
from msgspec import Struct

Headers = list[tuple[str, str]]
Body = bytes | AsyncIterator[bytes] | None

HEAD_MAX_S = 100.0  # production answers 524 after so long
_PIECE_BYTES = 64 * 1024
_HEAD_MAX_BYTES = 256 * 1024
_PORTS = {"http": 80, "https": 443}
_OWN = ("host", "content-length", "transfer-encoding", "connection")
_NO_BODY = (204, 205, 304)
_COUNTED = ("POST", "PUT", "PATCH")  # say that they have no body


class Answer(Struct, frozen=True):
    """The head of an answer, and its body: whole when it came with the head, else as it comes.

    The pieces must be read to their end, or `aclose` called.
    """

    status: int
    reason: str
    headers: Headers
    body: Body


async def send(
    method: str,
    url: str,
    headers: Headers,
    body: Body,
    length: int | None = None,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Send a request; return when the head of the answer is there.

    length: of a stream, if known. tls: for `https`; None: what the system trusts.

    Raises OSError, TimeoutError, EOFError or ValueError when the network or the server fails, and
    what reading `body` raises.
    """
    parts = urlsplit(url)
    exchange = _Exchange(method)
    try:
        async with asyncio.timeout(HEAD_MAX_S):
            await exchange.open(parts, tls)
            sent = [*(pair for pair in headers if pair[0].lower() not in _OWN)]
            sent += _framing(method, body, length)
            exchange.write(_head(method, parts, sent), body, chunked=length is None)
            return await exchange.answer()
    except BaseException:
        exchange.close()
        raise


def _framing(method: str, body: Body, length: int | None) -> Headers:
    if isinstance(body, bytes):
        length = len(body)
    elif body is not None and length is None:
        return [("transfer-encoding", "chunked")]
    elif body is None and method in _COUNTED:
        length = 0
    return [] if length is None else [("content-length", str(length))]


def _head(method: str, parts: SplitResult, headers: Headers) -> bytes:
    target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
    host = parts.netloc.rpartition("@")[2].removesuffix(f":{_PORTS[parts.scheme]}")
    lines = [f"{name}: {value}" for name, value in [("host", host), *headers]]
    lines = [f"{method} {target} HTTP/1.1", *lines, "", ""]
    return "\r\n".join(lines).encode("latin-1")


class _Exchange:
    """A connection; the methods in `on_` are called by the parser."""

    def __init__(self, method: str) -> None:
        self._method = method
        self._parser = httptools.HttpResponseParser(self)
        self._reason = ""
        self._headers: Headers = []
        self._head_bytes = 0
        self._has_head = self._is_whole = False
        self._pieces: deque[bytes] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._failed: BaseException | None = None  # of the body of the request
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self, parts: SplitResult, tls: ssl.SSLContext | None) -> None:
        """Connect to the server of a URL."""
        secure = parts.scheme == "https"
        self._reader, self._writer = await asyncio.open_connection(
            parts.hostname,
            parts.port or _PORTS[parts.scheme],
            ssl=(tls or _tls()) if secure else None,
            server_hostname=parts.hostname if secure else None,
        )

    def write(self, head: bytes, body: Body, *, chunked: bool) -> None:
        """Send a request, a stream as it is read."""
        assert self._writer is not None
        self._writer.write(head)
        if isinstance(body, bytes):
            self._writer.write(body)
        elif body is not None:
            self._sending = asyncio.ensure_future(self._upload(body, chunked))

    async def answer(self) -> Answer:
        """Return the answer when its head is there."""
        while not self._has_head:
            await self._read()
        status = self._parser.get_status_code()
        if self._method == "HEAD" or status in _NO_BODY:
            self.close()
            return Answer(status, self._reason, self._headers, None)
        body: Body = self._rest()
        if self._is_whole:
            body = b"".join(self._pieces)
            self.close()
        return Answer(status, self._reason, self._headers, body)

    def close(self) -> None:
        """Cut the connection."""
        if self._sending is not None:
            self._sending.cancel()
        if self._writer is not None:
            self._writer.transport.abort()

    async def _rest(self) -> AsyncIterator[bytes]:
        try:
            while self._pieces or not self._is_whole:
                if self._pieces:
                    yield self._pieces.popleft()
                else:
                    await self._read()
        finally:
            self.close()

    async def _read(self) -> None:
        assert self._reader is not None
        try:
            data = await self._reader.read(_PIECE_BYTES)
        except OSError as error:
            raise self._failed or error from None
        if data:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserError as error:
                raise ValueError(f"the answer is not HTTP: {error}") from None
        elif self._failed is not None:
            raise self._failed
        elif self._has_head and self._ends_with_connection():
            self._is_whole = True
        else:
            raise EOFError("the server closed the connection before its answer was complete")

    def _ends_with_connection(self) -> bool:
        return not any(name in ("content-length", "transfer-encoding") for name, _ in self._headers)

    async def _upload(self, body: AsyncIterator[bytes], chunked: bool) -> None:
        assert self._writer is not None
        try:
            async for piece in body:
                if piece:
                    self._writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                    await self._writer.drain()
            self._writer.write(b"0\r\n\r\n" if chunked else b"")
        except OSError:  # the server reads no further; its answer says why
            return
        except Exception as error:
            self._failed = error
            self._writer.transport.abort()

    def on_status(self, reason: bytes) -> None:
        self._reason += reason.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > _HEAD_MAX_BYTES:
            raise ValueError(f"the head of the answer has more than {_HEAD_MAX_BYTES:,} bytes")
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self._has_head = self._parser.get_status_code() >= 200
        if not self._has_head:  # an interim answer: the one that counts follows
            self._reason, self._headers = "", []

    def on_body(self, piece: bytes) -> None:
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        self._is_whole = self._has_head


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
