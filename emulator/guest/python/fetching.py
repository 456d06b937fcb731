"""One HTTP request: the user's `fetch`, its response body, its `wait_until` promises."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

from ...protocol import web_sockets
from ...protocol.exchanges import Fetch, FetchDone, FetchFailed, FetchResponse
from ...protocol.windows import CHUNK_BYTES, Outgoing
from . import scope, tracebacks
from .calling import relaxed_call, settle
from .loader import Worker
from .sdk.pyodide.ffi import JsException
from .sdk.workers.entrypoints import Context
from .sdk.workers.headers import HeaderList
from .sdk.workers.request import Request
from .sdk.workers.response import NULL_BODY, Response, head_and_body
from .streams import IncomingBody, ReadableStream, Send
from .web_sockets import WebSocket

DEFAULT = "Default"


class FetchExchange:
    """A request being handled; the scope of the user code that handles it."""

    run = 0
    dropped = False
    refuse: Callable[[str], asyncio.Future[Any]] | None = None  # requests are never probes

    def __init__(self, message: Fetch, worker: Worker, send: Send) -> None:
        self.id = message.id
        self.incoming = IncomingBody(message.id, send) if message.has_body else None
        self.outgoing = Outgoing(message.id, send)
        self._message = message
        self._worker = worker
        self._send = send
        self._promises: set[asyncio.Future[Any]] = set()
        self._task: asyncio.Task[None] | None = None
        self._answered = False

    def start(self, loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """Handle the request in a task of its own."""
        context = contextvars.copy_context()
        context.run(scope.enter, self)
        self._task = loop.create_task(self._exchange(), context=context)
        return self._task

    def cancel(self) -> None:
        """The client went away: stop the handler, or the response body."""
        self.outgoing.cancel()
        if self._task is not None and not self._answered:
            self._task.cancel()

    def wait_until(self, awaitable: Awaitable[Any]) -> None:
        promise = asyncio.ensure_future(_reported(awaitable))
        self._promises.add(promise)
        promise.add_done_callback(self._promises.discard)

    async def _exchange(self) -> None:
        try:
            await self._answer()
        except BaseException as error:  # everything user code raises is the answer to its client
            self._failed(error)
        self._answered = True
        if self.incoming is not None:
            self.incoming.cancel()
        while self._promises:
            await asyncio.wait(set(self._promises))
        self._send(FetchDone(self.id))

    async def _answer(self) -> None:
        response = _checked(await settle(self._call()))
        if response.web_socket is not None:
            await self._converse(response, response.web_socket)
            return
        headers, body = head_and_body(response)
        if response.status in NULL_BODY:
            body = None
        if isinstance(body, bytes):
            headers = _with_length(headers, len(body))
        whole = body if isinstance(body, bytes) and len(body) <= CHUNK_BYTES else b""
        self._send(
            FetchResponse(
                self.id,
                response.status,
                [list(pair) for pair in headers],
                body is not None and not whole,
                response.status_text,
                whole,
            )
        )
        if whole:
            return
        if isinstance(body, bytes):
            if rest := self.outgoing.write_now(memoryview(body)):
                await self.outgoing.write(rest)
            self.outgoing.end()
        elif body is not None:
            await self._stream(body)

    def _call(self) -> Any:
        message = self._message
        cls = self._worker.entrypoints.get(DEFAULT)
        if cls is None:
            raise TypeError(
                f"There is no '{DEFAULT}' class defined in the Python Worker's main module"
            )
        method = getattr(cls(Context(), self._worker.env), "fetch", None)
        if method is None:
            raise TypeError("Method fetch does not exist")
        streams = self.incoming is not None and not message.web_socket
        body = ReadableStream(self.incoming) if streams else None
        request = Request.received(message.method, message.url, message.headers, body)
        return relaxed_call(method, request, None, None)

    async def _stream(self, body: ReadableStream) -> None:
        try:
            async for chunk in body:
                await self.outgoing.write(chunk)
                if self.outgoing.cancelled:
                    break
        finally:
            await body.cancel()
        self.outgoing.end()

    async def _converse(self, response: Response, socket: WebSocket) -> None:
        """Pass messages between the client and the socket until one of them closes."""
        if not self._message.web_socket:
            raise JsException(
                "Worker tried to return WebSocket in a response to a request which did not "
                'contain the header "Upgrade: websocket".',
                "TypeError",
            )
        messages = socket.couple()
        headers, _ = head_and_body(response)
        self._send(FetchResponse(self.id, 101, [list(pair) for pair in headers], True))
        hearing = asyncio.ensure_future(self._hear(socket))
        try:
            while (message := await messages.get()) is not None:
                await self.outgoing.write(web_sockets.encode(*message))
                if message[0] == web_sockets.CLOSE:
                    break
        except asyncio.CancelledError:  # the host gave the connection up
            socket.disconnected()
        finally:
            hearing.cancel()
        self.outgoing.end()

    async def _hear(self, socket: WebSocket) -> None:
        assert self.incoming is not None
        decoder = web_sockets.Decoder()
        async for piece in self.incoming:
            for kind, payload in decoder.feed(piece):
                socket.from_client(kind, payload)
        socket.disconnected()

    def _failed(self, error: BaseException) -> None:
        self._send(
            FetchFailed(
                self.id,
                tracebacks.error_name(error),
                tracebacks.error_message(error),
                tracebacks.format_error(error),
            )
        )


async def _reported(awaitable: Awaitable[Any]) -> None:
    """Await a promise given to `wait_until`; nobody but the terminal hears that it failed."""
    try:
        await awaitable
    except Exception as error:
        tracebacks.print_error(error)


def _checked(result: Any) -> Response:
    """Return what `fetch` returned if it is a response.

    Source: docs/platform/python-workers.md, "Handlers".
    """
    if isinstance(result, Response):
        return result
    if isinstance(result, tuple):
        raise TypeError(f"{type(result)} cannot be sent over RPC.")
    raise TypeError(
        "Incorrect type for Promise: the Promise did not resolve to 'Response'. "
        f"(fetch returned {_described(result)})"
    )


def _described(result: Any) -> str:
    return "None" if result is None else f"a value of {type(result)}"


def _with_length(headers: HeaderList, length: int) -> HeaderList:
    """A body that is known whole goes out with its true length, whatever user code said."""
    kept = [pair for pair in headers if pair[0].lower() != "content-length"]
    return [*kept, ("content-length", str(length))]
