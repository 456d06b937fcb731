"""A real server on a free port, in front of a worker that is a function of the test."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
from starlette.routing import BaseRoute

from emulator.errors import EmulatorError
from emulator.runner.loads import Loads
from emulator.runner.requests import FetchReply, FetchRequest, LoadError
from emulator.server.app import create_app
from emulator.server.http import head
from emulator.server.http.listen import bind
from emulator.server.http.loop import loop_factory
from emulator.server.http.serve import Server
from emulator.server.security import Access

DEADLINE_S = 10.0

T = TypeVar("T")
Handler = Callable[[FetchRequest], Awaitable[FetchReply]]
Headers = list[tuple[str, str]]


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on the event loop that the server is made for, with a deadline."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(asyncio.wait_for(main, DEADLINE_S))


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def reply(
    body: bytes | AsyncIterator[bytes] | None = b"ok",
    status: int = 200,
    headers: Headers | None = None,
    close: Callable[[], Awaitable[None]] | None = None,
) -> FetchReply:
    async def nothing() -> None:
        return None

    stream = chunks(body) if isinstance(body, bytes) else body
    return FetchReply(status, "", headers or [], stream, close or nothing)


async def ok(request: FetchRequest) -> FetchReply:
    return reply()


@dataclass
class FakeWorker:
    """Answers with `handler`; remembers every request that reached it."""

    handler: Handler = ok
    load_error: LoadError | None = None
    requests: list[FetchRequest] = field(default_factory=list)
    project_dir: Path = Path("/nowhere")
    loads: Loads = field(default_factory=Loads)

    async def fetch(self, request: FetchRequest) -> FetchReply:
        self.requests.append(request)
        return await self.handler(request)

    def failed_load(self) -> LoadError | None:
        return self.load_error


@dataclass
class Serving:
    """A running server: where it is, what reached its worker, what it told the terminal."""

    port: int
    worker: FakeWorker
    server: Server
    errors: list[EmulatorError] = field(default_factory=list)
    log: list[tuple[str, str, int]] = field(default_factory=list)

    @property
    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", trust_env=False)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def exchange(self, *parts: bytes) -> bytes:
        """Send `parts` one after the other, and return everything until the server closes."""
        reader, writer = await self.connect()
        try:
            for part in parts:
                writer.write(part)
                await asyncio.sleep(0)  # the server, in this loop too, may read it by itself
            return await reader.read()
        finally:
            writer.close()


@asynccontextmanager
async def serving(
    handler: Handler = ok,
    *,
    access: Access | None = None,
    routes: Sequence[BaseRoute] = (),
    load_error: LoadError | None = None,
    head_limit_s: float = head.LIMIT_S,
) -> AsyncIterator[Serving]:
    worker = FakeWorker(handler, load_error)
    errors: list[EmulatorError] = []
    log: list[tuple[str, str, int]] = []
    app = create_app(
        worker,
        access=access or Access(),
        routes=lambda: routes,
        on_error=lambda method, target, error: errors.append(error),
        on_request=lambda method, target, status, ms: log.append((method, target, status)),
    )
    server = Server(app, bind("127.0.0.1", 0, explicit=True), head_limit_s=head_limit_s)
    _, port = await server.start()
    complaints = _Complaints()
    logging.getLogger("uvicorn.error").addHandler(complaints)
    try:
        yield Serving(port, worker, server, errors, log)
        await server.stop()
        assert complaints.heard == []
    finally:
        await server.stop()
        logging.getLogger("uvicorn.error").removeHandler(complaints)


class _Complaints(logging.Handler):
    """What uvicorn would print on the terminal: nothing, whatever clients and workers do."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(logging.Formatter().format(record))


def get(target: str = "/", *lines: str, host: str | None = "localhost") -> bytes:
    """Return a GET that asks to close; `lines` are further header lines."""
    return request("GET", target, *lines, host=host)


def request(
    method: str, target: str, *lines: str, host: str | None = "localhost", body: bytes = b""
) -> bytes:
    head = [f"{method} {target} HTTP/1.1"]
    if host is not None:
        head.append(f"Host: {host}")
    head += [*lines, "Connection: close"]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def status_of(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])
