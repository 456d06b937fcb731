"""A real HTTP server on loopback that answers as a test tells it to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Request:
    """What arrived: `path` with its query, headers in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[[Request], bytes]


@dataclass
class Service:
    """`answer` makes the bytes of each response; empty ones leave the client without any."""

    answer: Answer
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    hangs: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            pairs = (line.split(": ", 1) for line in head[1:] if line)
            headers = {name.lower(): value for name, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            request = Request(head[0].split()[1], headers, body)
            self.requests.append(request)
            content = self.answer(request)
            if content == HANG:
                await self.hangs.wait()
            writer.write(content)
            await writer.drain()
        finally:
            writer.close()


HANG = b"hang"


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Service]:
    """Run a service until the block ends."""
    service = Service(answer)
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    service.url = f"http://{host}:{port}"
    try:
        yield service
    finally:
        service.hangs.set()
        server.close()


def response(body: Any, status: int = 200, kind: str = "application/json") -> bytes:
    """Return a response; a body that is no bytes is JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(content)}\r\n"
    return f"{head}connection: close\r\n\r\n".encode() + content


def result(value: Any) -> bytes:
    """Return Cloudflare's envelope around a result."""
    return response({"result": value, "success": True, "errors": [], "messages": []})
