"""Connections to the server as bytes: HTTP requests and WebSockets, whole, odd or damaged."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

from starlette.routing import Route

from emulator.runner.requests import FetchReply, FetchRequest
from emulator.server.api.envelope import Answer, endpoint
from emulator.server.http.loop import loop_factory
from tests.fuzz.core import Broken, Target
from tests.fuzz.mutation import changed_bytes, text
from tests.server.serving import reply, serving

SILENCE_S = 0.25  # a connection that says nothing for so long waits for more
_TARGETS = (
    *(
        b"/",
        b"/a/b?c=d",
        b"/cdn-cgi/local/thing?a=b",
        b"/client/v4/x",
        b"http://localhost/abs",
        b"*",
    ),
    *(
        b"//evil/",
        b"/%2e%2e/%00",
        b"/\xff\xfe?\x80",
        b"/client/v4/x?\x80",
        b"/" + b"a" * 9_000,
        b"/?" + b"q" * 70_000,
    ),
)
_HEADERS = (
    *(b"Host: localhost", b"Host: evil.example", b"Host: localhost:80", b"Host: [::1]", b"Host:"),
    *(b"Connection: close", b"Connection: keep-alive", b"Connection: Upgrade", b"Upgrade: h2c"),
    *(b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 5, 5", b"Content-Length: 99"),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Expect: 100-continue"),
    *(
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ),
    *(
        b"Sec-WebSocket-Key: x",
        b"Sec-WebSocket-Protocol: chat",
        b"Sec-WebSocket-Extensions: permessage-deflate",
    ),
    *(
        b"Origin: https://evil.example",
        b"Origin: null",
        b"X-Long: " + b"x" * 70_000,
        b"X: \xff\x00",
    ),
    *(b" folded: a", b"Bad Header: a", b"X-Same: 1", b"X-Same: 2", b"Cookie: a=b; c", b": empty"),
)
_BODIES = (
    b"",
    b"hello",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"ffffffff\r\n",
    b"5;ext=1\r\nhello\r\n0\r\nT: r\r\n\r\n",
)
_TOKENS = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b" ",
    b":",
    b"\xff",
    b"\r\n\r\n",
    b"HTTP/9.9",
    b"PRI * HTTP/2.0",
)
_METHODS = (b"GET", b"GET", b"POST", b"PUT", b"OPTIONS", b"HEAD", b"CONNECT", b"TRACE", b"ODD", b"")
_OPEN = (
    b"GET /socket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


async def _worker(request: FetchRequest) -> FetchReply:
    """Read the request and answer with it; a WebSocket gets back what it sends."""
    if request.web_socket:
        body = request.body

        async def echo() -> AsyncIterator[bytes]:
            if body is not None:
                async for message in body:
                    yield message

        return reply(echo(), 101)
    size = 0
    if request.body is not None:
        async for chunk in request.body:
            size += len(chunk)
    return reply(f"{request.method} {size}".encode())


async def _control(request: object) -> Answer:
    return Answer({"fine": True})


class _Log(logging.Handler):
    """What would be printed on the terminal beside our own lines."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(logging.Formatter().format(record))


class Connections(Target):
    """An input is JSON: pieces in base64, sent one after the other on one connection."""

    name = "http"
    about = "HTTP connections: heads, bodies and pipelines, cut and damaged anyhow"
    limit_s = 20.0
    opening = b""  # sent first, and answered, before anything else is

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._runner = asyncio.Runner(loop_factory=loop_factory())
        self._log = _Log()
        logging.getLogger().addHandler(self._log)

    def close(self) -> None:
        logging.getLogger().removeHandler(self._log)
        self._runner.close()

    def make(self, random: Random) -> bytes:
        """Return many connections in one input, as starting the server takes longer than they."""
        return b"\n".join(_encoded(random, self._bytes(random)) for _ in range(8))

    def _bytes(self, random: Random) -> bytes:
        stream = b"".join(_request(random) for _ in range(random.choice((1, 1, 2, 3))))
        return changed_bytes(random, stream, _TOKENS) if random.random() < 0.5 else stream

    def check(self, data: bytes) -> None:
        connections = []
        for line in data.splitlines():
            try:
                connections.append([base64.b64decode(piece) for piece in json.loads(line)])
            except ValueError:
                return  # made too small
        self._log.heard.clear()
        try:
            self._runner.run(self._play(connections))
        except AssertionError:  # `serving` has heard it as well
            if not self._log.heard:
                raise
        if self._log.heard:
            raise Broken(f"printed: {self._log.heard[0]}")

    async def _play(self, connections: list[list[bytes]]) -> None:
        defects: list[str] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: defects.append(str(context))
        )
        routes = [Route("/cdn-cgi/local/thing", endpoint(_control))]
        async with serving(_worker, routes=routes, head_limit_s=1.0) as server:
            answers = await asyncio.gather(
                *(_converse(server.port, self.opening, pieces) for pieces in connections)
            )
            for answer in answers:
                _check_answers(answer)
            if not (await server.exchange(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")):
                raise Broken("the server does not answer any more")
            if server.errors:
                raise Broken(f"reported: {server.errors[0]}")
        if defects:
            raise Broken(defects[0])


def _request(random: Random) -> bytes:
    version = random.choice((b"HTTP/1.1",) * 5 + (b"HTTP/1.0", b"HTTP/2.0", b"http/1.1", b""))
    lines = [b" ".join((random.choice(_METHODS), random.choice(_TARGETS), version))]
    if random.random() < 0.9:
        lines.append(b"Host: localhost")
    lines += random.sample(_HEADERS, random.choice((0, 1, 2, 4)))
    if random.random() < 0.2:
        lines.append(f"X-Odd: {text(random)}".encode("utf-8", "surrogatepass"))
    return b"\r\n".join(lines) + b"\r\n\r\n" + random.choice(_BODIES)


def _encoded(random: Random, stream: bytes) -> bytes:
    pieces = []
    while stream:
        size = random.choice((len(stream), len(stream), 1, 10, 500))
        pieces.append(base64.b64encode(stream[:size]).decode())
        stream = stream[size:]
        if len(pieces) > 30:
            pieces.append(base64.b64encode(stream).decode())
            break
    return json.dumps(pieces).encode()


async def _converse(port: int, opening: bytes, pieces: list[bytes]) -> bytes:
    """Send the pieces; return what comes until the server is silent or closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        if opening:
            writer.write(opening)
            answer = await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        while True:
            chunk = await asyncio.wait_for(reader.read(65_536), SILENCE_S)
            if not chunk:
                break
            answer += chunk
    except (TimeoutError, ConnectionError, RuntimeError):
        pass  # RuntimeError: uvloop's word for a closed connection
    finally:
        writer.close()
    return answer


def _check_answers(answer: bytes) -> None:
    if not answer:
        return
    if not answer.startswith(b"HTTP/1."):
        raise Broken(f"no HTTP: {answer[:100]!r}")
    if b"Traceback" in answer or b"Internal Server Error" in answer:
        raise Broken(f"{answer[:300]!r}")
    for status in re.findall(rb"HTTP/1\.\d (\d+)", answer):
        if int(status) >= 500 and int(status) not in (501, 505):
            raise Broken(f"{answer[:300]!r}")


class WebSockets(Connections):
    """An input is as that of `http`; each connection is a WebSocket's."""

    name = "websocket"
    about = "WebSocket frames of any kind on an open connection"
    opening = _OPEN

    def _bytes(self, random: Random) -> bytes:
        stream = b"".join(_frame(random) for _ in range(random.randint(1, 8)))
        return changed_bytes(random, stream) if random.random() < 0.4 else stream


def _frame(random: Random) -> bytes:
    payload = random.choice((b"hello", b"", "é".encode(), b"\xff\xfe", b"\x03\xe8bye", b"x" * 300))
    first = random.choice((0x81, 0x82, 0x01, 0x00, 0x80, 0x88, 0x89, 0x8A, 0x83, 0xC1, 0xF1, 0x08))
    masked = 0x80 if random.random() < 0.9 else 0
    size = random.choice((len(payload),) * 6 + (0, 125, 2**31, 2**63))
    head = bytes([first])
    if size < 126 and random.random() < 0.9:
        head += bytes([masked | size])
    elif size < 65_536 and random.random() < 0.7:
        head += bytes([masked | 126]) + size.to_bytes(2)
    else:
        head += bytes([masked | 127]) + size.to_bytes(8)
    return head + (bytes(4) if masked else b"") + payload
