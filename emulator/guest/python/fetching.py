"""One HTTP request: the user's `fetch` and its response, which may be a WebSocket."""

from __future__ import annotations

import asyncio
from typing import Any

from ...protocol import web_sockets
from ...protocol.exchanges import Fetch, FetchResponse
from ...protocol.windows import CHUNK_BYTES
from .calling import relaxed_call, settle
from .exchange import Exchange
from .loader import Worker
from .sdk.jsobject import is_named
from .sdk.pyodide.ffi import JsException
from .sdk.workers.headers import HeaderList
from .sdk.workers.request import Request
from .sdk.workers.response import NULL_BODY, Response, head_and_body
from .streams import IncomingBody, ReadableStream, Send
from .web_sockets import WebSocket

_LABEL_MAX_CHARS = 40  # of the path


class FetchExchange(Exchange):
    """A request being handled."""

    def __init__(self, message: Fetch, worker: Worker, send: Send) -> None:
        super().__init__(message, worker, send)

    @property
    def label(self) -> str:
        return f"{self._message.method} {_path(self._message.url)}"

    async def _answer(self) -> None:
        await self._send_response(_checked(await settle(self._call())))

    async def _send_response(self, response: Response) -> None:
        if self.trace is not None:
            self.trace.answered(response.status)
        if response.web_socket is not None:
            await self._converse(response, response.web_socket)
            return
        headers, body = head_and_body(response)
        if response.status in NULL_BODY:
            body = None
        if isinstance(body, bytes):
            headers = _with_length(headers, len(body))
        elif body is not None and not isinstance(body.source, IncomingBody):
            headers = _with_length(headers, body.announced)
        whole = body if isinstance(body, bytes) and len(body) <= CHUNK_BYTES else b""
        self._send(
            FetchResponse(
                self.id,
                response.status,
                [list(pair) for pair in headers],
                body is not None and not whole,
                response.status_text,
                payload=whole,
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
        method = getattr(self._instance(), "fetch", None)
        if method is None:
            raise TypeError("Method fetch does not exist")
        body = self._body_of_request()
        request = Request.received(message.method, message.url, message.headers, body)
        return relaxed_call(method, request, None, None)

    def _body_of_request(self) -> ReadableStream | None:
        if self.incoming is None or self._message.web_socket:
            return None
        return ReadableStream(self.incoming)

    async def _converse(self, response: Response, socket: WebSocket) -> None:
        """Pass messages between the client and the socket until one of them closes."""
        if not self._message.web_socket:
            raise JsException(
                "Worker tried to return WebSocket in a response to a request which did not "
                'contain the header "Upgrade: websocket".',
                "TypeError",
            )
        headers, _ = head_and_body(response)
        handed_over = socket.peer.handed_over
        if handed_over is not None:
            pairs = [list(pair) for pair in headers]
            self._send(FetchResponse(self.id, 101, pairs, socket=handed_over.name))
            return
        messages = socket.couple()
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


def _checked(result: Any) -> Response:
    """Return what `fetch` returned if it is a response.

    Source: docs/platform/python-workers.md, "Handlers".
    """
    if isinstance(result, Response):
        return result
    if is_named(result, "Response"):
        return result._own  # type: ignore[no-any-return]
    if isinstance(result, tuple):
        raise TypeError(f"{type(result)} cannot be sent over RPC.")
    raise TypeError(
        "Incorrect type for Promise: the Promise did not resolve to 'Response'. "
        f"(fetch returned {_described(result)})"
    )


def _described(result: Any) -> str:
    return "None" if result is None else f"a value of {type(result)}"


def _with_length(headers: HeaderList, length: int | None) -> HeaderList:
    """A body is sent with its true length, or without one, not with the one user code gave."""
    kept = [pair for pair in headers if pair[0].lower() != "content-length"]
    return kept if length is None else [*kept, ("content-length", str(length))]


def _path(url: str) -> str:
    """Return the path of a URL, shortened: what its request is called in the terminal."""
    begin = url.find("/", url.find("//") + 2)
    path = url[begin:].partition("?")[0] if begin >= 0 else "/"
    return path if len(path) <= _LABEL_MAX_CHARS else f"{path[:_LABEL_MAX_CHARS]}…"
