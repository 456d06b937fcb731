"""User requests: ASGI → FetchRequest → worker → FetchReply → ASGI, with streamed bodies.

Nothing is buffered. In both directions a chunk is read only when the one before was taken, so a
slow reader slows its writer down. An error becomes an error page (`error_page.py`); after the
response has begun, it becomes a response that is visibly incomplete. `app.py` decides on routes,
`security.py` on who may ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from starlette.types import Receive, Scope, Send

from emulator.errors import EmulatorError, GuestError
from emulator.runner.loads import Loads
from emulator.runner.requests import FetchReply, FetchRequest, HandlerError, LoadError
from emulator.server.headers import RawHeaders, UnsendableHeader, for_client, for_worker, value_of
from emulator.server.http.connection import connection_of, target_of
from emulator.server.web_socket import WORKER_GONE, ClientSocket, socket_of

if TYPE_CHECKING:
    from emulator.server import error_page

# How long a handler may take to end by itself after its request body was cut off.
CUT_OFF_GRACE_S = 1.0

# Source: https://fetch.spec.whatwg.org/#null-body-status (101 is never sent here)
NULL_BODY_STATUSES = frozenset({204, 205, 304})

OnError = Callable[[str, str, EmulatorError], None]


class Worker(Protocol):
    """What ingress needs of a worker; the supervisor has it."""

    loads: Loads

    @property
    def project_dir(self) -> Path: ...

    async def fetch(self, request: FetchRequest) -> FetchReply:
        """Pass `request` to the current generation.

        To cancel the call cancels the request. Raises HandlerError, GuestLost, or LoadError when no
        generation can serve.
        """
        ...

    def failed_load(self) -> LoadError | None:
        """Return why the newest code could not be loaded, if an older generation serves."""
        ...


class RequestBodyCutOff(EmulatorError):
    """The client went away before it had sent the whole request body."""

    def __init__(self) -> None:
        super().__init__("The client disconnected before it had sent the whole request body.")


class BadReply(EmulatorError):
    """The worker's response cannot be sent as HTTP; the message says why."""


class Ingress:
    """The ASGI app for everything that is not a control route.

    `on_error(method, target, error)` is told what went wrong in the worker, for the terminal;
    it is not told of a LoadError, which the reload has already shown.
    """

    def __init__(self, worker: Worker, on_error: OnError) -> None:
        self._worker = worker
        self._on_error = on_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: RawHeaders = scope["headers"]
        if (socket := socket_of(scope)) is not None:
            await self._converse(socket, scope, send)
            return
        failed_load = self._worker.failed_load()
        if failed_load is not None:
            from emulator.server import error_page

            if error_page.is_navigation(scope["method"], headers):
                serving = _serving(self._worker)
                await error_page.send(failed_load, scope, send, serving, still_serving=True)
                return
        body = _request_body(headers, receive)
        with _ClientWatch(scope, body) as client:
            await self._exchange(_fetch_request(scope, body), client, scope, send)

    async def _exchange(
        self, request: FetchRequest, client: _ClientWatch, scope: Scope, send: Send
    ) -> None:
        outgoing = _Outgoing(scope["method"], send)
        try:
            reply = await self._worker.fetch(request)
            try:
                if not client.lost:
                    await outgoing.send(reply)
            finally:
                if reply.body is not None and not outgoing.body_was_read:
                    await reply.close()
        except RequestBodyCutOff:
            # The worker raised the error of its request body: the client is gone, so no answer.
            return
        except LoadError as error:
            await _send_error(error, scope, send, self._worker)
        except (HandlerError, GuestError, BadReply) as error:
            self._on_error(scope["method"], target_of(scope), error)
            if outgoing.started:
                connection_of(scope).cut()
            else:
                await _send_error(error, scope, send, self._worker)

    async def _converse(self, socket: ClientSocket, scope: Scope, send: Send) -> None:
        """Let the worker answer the opening of a WebSocket; then pass messages both ways."""
        messages = socket.messages()
        request = _fetch_request(scope, messages, web_socket=True)
        outgoing = _Outgoing("GET", send)
        accepted = False
        try:
            reply = await self._worker.fetch(request)
            try:
                if reply.status == 101 and reply.body is not None:
                    headers, _ = for_client(reply.headers)
                    await send({"type": "http.response.start", "status": 101, "headers": headers})
                    accepted = True
                    await socket.deliver(reply.body)
                else:
                    await outgoing.send(reply)
            finally:
                await reply.close()
        except LoadError as error:
            await _send_error(error, scope, send, self._worker)
        except UnsendableHeader as error:
            self._on_error(scope["method"], target_of(scope), BadReply(str(error)))
            await _send_error(BadReply(str(error)), scope, send, self._worker)
        except (HandlerError, GuestError, BadReply) as error:
            self._on_error(scope["method"], target_of(scope), error)
            if accepted:
                await socket.close(WORKER_GONE, "The worker went away")
            elif not outgoing.started:
                await _send_error(error, scope, send, self._worker)


async def _send_error(error: EmulatorError, scope: Scope, send: Send, worker: Worker) -> None:
    from emulator.server import error_page  # imported at the first error: a start waits for less

    await error_page.send(error, scope, send, _serving(worker))


def _serving(worker: Worker) -> error_page.Serving:
    from emulator.server import error_page

    return error_page.Serving(worker.project_dir, worker.loads.count)


class RequestBody:
    """The request body as it arrives. Raises RequestBodyCutOff when it ends too early."""

    def __init__(self, receive: Receive) -> None:
        self.complete = False
        self._receive = receive

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self.complete:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise RequestBodyCutOff
            self.complete = not message.get("more_body", False)
            if chunk := message.get("body", b""):
                return bytes(chunk)
        raise StopAsyncIteration


class _ClientWatch:
    """Cancels the current task when the client goes away, and suppresses that cancellation.

    A handler that reads the request body first gets the error from the body. It is cancelled only
    if it does not end by itself.
    """

    def __init__(self, scope: Scope, body: RequestBody | None) -> None:
        self.lost = False
        self._connection = connection_of(scope)
        self._body = body
        self._task = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> _ClientWatch:
        self._connection.watch(self._on_lost)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self._connection.watch(None)
        if self._timer is not None:
            self._timer.cancel()
        if self.lost and kind is asyncio.CancelledError and self._task is not None:
            self._task.uncancel()
            return True
        return False

    def _on_lost(self) -> None:
        self.lost = True
        if self._task is None:
            return
        if self._body is None or self._body.complete:
            self._task.cancel()
        else:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(CUT_OFF_GRACE_S, self._task.cancel)


class _Outgoing:
    """One response while it is sent: whether it has begun, and whether its body was read."""

    def __init__(self, method: str, send: Send) -> None:
        self.started = False
        self.body_was_read = False
        self._method = method
        self._send = send

    async def send(self, reply: FetchReply) -> None:
        """Send `reply`. Raises BadReply, and what iterating its body raises."""
        headers, length = _response_head(reply, self._method)
        self.started = True
        await self._send(
            {"type": "http.response.start", "status": reply.status, "headers": headers}
        )
        if self._method != "HEAD" and reply.status not in NULL_BODY_STATUSES:
            await self._send_body(reply.body, length)
        await self._send({"type": "http.response.body", "body": b""})

    async def _send_body(self, body: AsyncIterator[bytes] | None, length: int | None) -> None:
        sent = 0
        if body is not None:
            async for chunk in body:
                sent += len(chunk)
                if length is not None and sent > length:
                    raise BadReply(
                        f"The worker's body is longer than its content-length, {length}."
                    )
                if chunk:
                    await self._send(
                        {"type": "http.response.body", "body": chunk, "more_body": True}
                    )
            self.body_was_read = True
        if length is not None and sent < length:
            raise BadReply(f"The worker's body ended after {sent} bytes; content-length: {length}.")


def _request_body(headers: RawHeaders, receive: Receive) -> RequestBody | None:
    length = value_of(headers, b"content-length")
    if length is None:
        chunked = value_of(headers, b"transfer-encoding") is not None
        return RequestBody(receive) if chunked else None
    return RequestBody(receive) if int(length) else None


def _fetch_request(
    scope: Scope, body: AsyncIterator[bytes] | None, web_socket: bool = False
) -> FetchRequest:
    headers: RawHeaders = scope["headers"]
    host = (value_of(headers, b"host") or b"").decode("latin-1")
    client = scope.get("client")
    seen = for_worker(headers, client[0] if client else None)
    if web_socket:  # a header of this hop, but the worker needs it to see what is asked for
        seen.append(("upgrade", "websocket"))
    return FetchRequest(
        method=scope["method"],
        url=f"{scope['scheme']}://{host}{target_of(scope)}",
        headers=seen,
        body=body,
        web_socket=web_socket,
    )


def _response_head(reply: FetchReply, method: str) -> tuple[RawHeaders, int | None]:
    """Return the headers to send, and how many bytes the body must have.

    None means any number, sent chunked. Raises BadReply when HTTP cannot carry the reply.
    """
    if not 200 <= reply.status <= 599:
        raise BadReply(f"The worker answered with status {reply.status}; expected 200 to 599.")
    try:
        headers, length = for_client(reply.headers)
    except UnsendableHeader as error:
        raise BadReply(str(error)) from error
    if reply.status in (204, 304):
        length = None
    elif reply.status == 205 or (reply.body is None and method != "HEAD"):
        length = 0
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    return headers, length
