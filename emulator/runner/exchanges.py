"""Calls of a guest's code in flight, HTTP requests above all: opening, answering, cutting off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from emulator.protocol import values
from emulator.protocol.exchanges import (
    Cancel,
    Credit,
    Data,
    End,
    Fetch,
    FetchResponse,
    Invoke,
    InvokeDone,
    InvokeFailed,
    InvokeResult,
)
from emulator.protocol.framing import FrameTooLarge
from emulator.protocol.message import Message, ProtocolError
from emulator.protocol.windows import Incoming, Outgoing, Send
from emulator.runner import payloads
from emulator.runner.requests import (
    FetchReply,
    FetchRequest,
    GuestLost,
    HandlerError,
    InvokeReply,
    InvokeRequest,
    RpcReply,
    RpcRequest,
)

BODY_CUT_OFF = "The client disconnected before it had sent the whole request body."


class _Exchange:
    """One call: its answer, its bodies. `shown` is its name in messages, `"GET /orders"`.

    is_rpc: its answer is passed on as it is. object: the number of the Durable Object it is for.
    """

    __slots__ = ("shown", "is_rpc", "object", "answer", "answered", "body", "outflow", "pump")

    def __init__(self, shown: str, is_rpc: bool, of: int, loop: asyncio.AbstractEventLoop) -> None:
        self.shown = shown
        self.is_rpc = is_rpc
        self.object = of
        self.answer: asyncio.Future[Any] = loop.create_future()
        self.answered = False  # by the guest; `answer` may have been given up before
        self.body: Incoming | None = None
        self.outflow: Outgoing | None = None
        self.pump: asyncio.Task[None] | None = None

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
        elif self.body is not None:
            self.body.end(error)


class Exchanges:
    """Every call the guest has not finished; ids are even, in the order of opening."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Send) -> None:
        self._loop = loop
        self._send = send
        self._open: dict[int, _Exchange] = {}
        self._next_id = 0
        self._idle: list[asyncio.Future[None]] = []
        self._of_objects: dict[int, int] = {}  # how many are open of each Durable Object
        self.on_object_idle: Callable[[int], None] = lambda number: None

    def has_object(self, number: int) -> bool:
        """Whether a call of this Durable Object is open."""
        return number in self._of_objects

    def __len__(self) -> int:
        return len(self._open)

    def work(self) -> list[str]:
        """Return what is being handled, such as `"GET /orders"`, oldest first."""
        return [each.shown for each in self._open.values()]

    async def fetch(self, request: FetchRequest) -> FetchReply:
        """Send `request` to the guest and return its reply; cancelling cancels the handler.

        Raises HandlerError, GuestLost.
        """
        shown = f"{request.method} {_target(request.url)}"
        exchange_id, exchange = self._new(shown, of=request.object)
        self._send(
            Fetch(
                exchange_id,
                request.method,
                request.url,
                [list(pair) for pair in request.headers],
                request.body is not None,
                request.web_socket,
                request.entrypoint,
                request.object,
                request.depth,
                dict(request.props),
                request.durable,
            )
        )
        return await self._answer(exchange_id, exchange, request.body)  # type: ignore[no-any-return]

    async def invoke(self, request: InvokeRequest) -> InvokeReply:
        """Call a method of the user's code and return its reply; cancelling cancels the method.

        Raises HandlerError, GuestLost; NotCloneable and FrameTooLarge for what cannot be sent.
        """
        payload, stream = payloads.encode(request.args)
        exchange_id, exchange = self._new(
            f"{request.entrypoint or 'Default'}.{request.method}()", of=request.object
        )
        body = None if stream is None else stream.chunks
        self._begin(
            Invoke(
                exchange_id,
                request.method,
                request.entrypoint,
                body is not None,
                object=request.object,
                payload=payload,
            ),
        )
        return await self._answer(exchange_id, exchange, body)  # type: ignore[no-any-return]

    async def rpc(self, request: RpcRequest) -> RpcReply:
        """Call a method for another worker; cancelling cancels the method.

        Raises HandlerError, GuestLost, FrameTooLarge.
        """
        name = f"stub {request.stub}" if request.stub else request.entrypoint or "Default"
        exchange_id, exchange = self._new(
            f"{name}.{request.method}()", is_rpc=True, of=request.object
        )
        self._begin(
            Invoke(
                exchange_id,
                request.method,
                request.entrypoint,
                request.body is not None,
                True,
                request.stub,
                request.object,
                request.depth,
                dict(request.props),
                request.durable,
                request.payload,
            ),
        )
        return await self._answer(exchange_id, exchange, request.body)  # type: ignore[no-any-return]

    def _begin(self, message: Invoke) -> None:
        """Send the first message of an exchange, or forget it. Raises FrameTooLarge."""
        try:
            self._send(message)
        except FrameTooLarge:
            self._forget(message.id)
            raise

    def _new(self, shown: str, *, is_rpc: bool = False, of: int = 0) -> tuple[int, _Exchange]:
        exchange_id = self._next_id
        self._next_id += 2
        exchange = self._open[exchange_id] = _Exchange(shown, is_rpc, of, self._loop)
        if of:
            self._of_objects[of] = self._of_objects.get(of, 0) + 1
        return exchange_id, exchange

    async def _answer(
        self, exchange_id: int, exchange: _Exchange, body: AsyncIterator[bytes] | None
    ) -> Any:
        if body is not None:
            exchange.outflow = Outgoing(exchange_id, self._send)
            exchange.pump = self._loop.create_task(
                exchange.outflow.pump(body, lambda error: str(error) or BODY_CUT_OFF),
                name=f"request body {exchange_id}",
            )
        try:
            return await exchange.answer
        except asyncio.CancelledError:
            self._abandon(exchange_id, exchange)
            raise

    async def idle(self) -> None:
        """Return when no request is open."""
        if self._open:
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._idle.append(waiter)
            await waiter

    def receive(self, message: Message) -> None:
        """Handle a message about an exchange.

        Raises ProtocolError for an overrun window, a second answer, or wrong headers.
        """
        exchange = self._open.get(message.id)  # type: ignore[attr-defined]
        if exchange is None:
            return  # it is over
        match message:
            case FetchResponse():
                self._respond(exchange, message)
            case InvokeResult():
                self._return(exchange, message)
            case Data(payload=payload) if exchange.body is not None:
                exchange.body.data(payload)
            case End(error=error) if exchange.body is not None:
                exchange.body.end(HandlerError("Error", error, "") if error else None)
            case Credit(bytes=amount) if exchange.outflow is not None:
                exchange.outflow.credit(amount)
            case Cancel():
                _stop_pump(exchange)
            case InvokeFailed():
                exchange.fail(HandlerError(message.name, message.message, message.traceback))
            case InvokeDone():
                self._close(message.id, exchange)

    def fail(self, exchange_id: int, problem: str) -> None:
        """A message about an exchange could not be handled: it fails, and its handler ends."""
        exchange = self._open.get(exchange_id)
        if exchange is not None:
            exchange.fail(HandlerError("Error", problem, ""))
            self._abandon(exchange_id, exchange)

    def fail_all(self, describe: Callable[[str], str]) -> None:
        """The guest is gone: every open call raises GuestLost, with the text `describe(work)`."""
        for exchange_id, exchange in list(self._open.items()):
            exchange.fail(GuestLost(describe(exchange.shown)))
            self._close(exchange_id, exchange)

    def _respond(self, exchange: _Exchange, message: FetchResponse) -> None:
        _answered(exchange, message)
        headers = [_header(pair) for pair in message.headers]
        if message.has_body and message.payload:
            raise ProtocolError(f"exchange {message.id}: a body both whole and to follow")
        if message.has_body:
            exchange.body = Incoming(message.id, self._send)
        if exchange.answer.done():  # nobody waits any more
            return
        body: AsyncIterator[bytes] | None = exchange.body
        if message.payload:
            body = _whole(message.payload)
        exchange.answer.set_result(
            FetchReply(
                message.status,
                message.status_text,
                headers,
                body,
                partial(_cancel, exchange.body),
                message.socket,
            )
        )

    def _return(self, exchange: _Exchange, message: InvokeResult) -> None:
        _answered(exchange, message)
        shapes = values.HOST_SHAPES
        if message.has_body:
            body = exchange.body = Incoming(message.id, self._send)
            shapes = replace(shapes, body=lambda: body)
        if exchange.answer.done():
            return
        if exchange.is_rpc:
            close = partial(_cancel, exchange.body)
            exchange.answer.set_result(RpcReply(message.payload, exchange.body, close))
            return
        try:
            value = values.decode(message.payload, shapes)
        except values.MalformedValue as error:
            exchange.fail(HandlerError("Error", f"{exchange.shown} returned no value: {error}", ""))
            return
        exchange.answer.set_result(InvokeReply(value, partial(_cancel, exchange.body)))

    def _abandon(self, exchange_id: int, exchange: _Exchange) -> None:
        """The client went away before the reply; the guest still ends the exchange itself."""
        if exchange_id in self._open:
            _stop_pump(exchange)
            self._send(Cancel(exchange_id))

    def _close(self, exchange_id: int, exchange: _Exchange) -> None:
        self._forget(exchange_id)
        _stop_pump(exchange)
        if exchange.body is not None:
            exchange.body.end()
        elif not exchange.answer.done():
            problem = f"the guest ended {exchange.shown} without an answer"
            exchange.answer.set_exception(GuestLost(problem))
        if not self._open:
            for waiter in self._idle:
                if not waiter.done():
                    waiter.set_result(None)
            self._idle.clear()

    def _forget(self, exchange_id: int) -> None:
        number = self._open.pop(exchange_id).object
        if number:
            left = self._of_objects.pop(number) - 1
            if left:
                self._of_objects[number] = left
            else:
                self.on_object_idle(number)


def _answered(exchange: _Exchange, message: FetchResponse | InvokeResult) -> None:
    """The guest answers. Raises ProtocolError when it did before."""
    if exchange.answered:
        raise ProtocolError(f"exchange {message.id} was answered twice")
    exchange.answered = True


def _stop_pump(exchange: _Exchange) -> None:
    if exchange.pump is not None:
        exchange.pump.cancel()


async def _cancel(body: Incoming | None) -> None:
    if body is not None:
        body.cancel()


def _header(pair: list[str]) -> tuple[str, str]:
    match pair:
        case [str() as name, str() as value]:
            return name, value
    raise ProtocolError("fetch_response.headers are not pairs of strings")


def _target(url: str) -> str:
    """Return path and query of an absolute URL."""
    rest = url.partition("://")[2]
    slash = rest.find("/")
    return rest[slash:] if slash >= 0 else "/"


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body
