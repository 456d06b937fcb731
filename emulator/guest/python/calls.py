"""Binding calls on their way to the host and back.

A call is sent when it is made. What user code gets is a coroutine that only waits for the answer,
as from the published SDK: it can be made a task, and be awaited once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from ...protocol.bindings import BindingCall, BindingFailed, BindingResult
from ...protocol.exchanges import Cancel
from ...protocol.framing import FrameTooLarge
from ...protocol.loading import called
from ...protocol.values import MalformedValue
from ...protocol.windows import Outgoing
from . import conversion, scope, tracebacks
from .loop.web_loop import WebLoop, on_guest_loop
from .sdk.pyodide.ffi import JsException
from .streams import IncomingBody, ReadableStream, Send

Answer = Coroutine[Any, Any, Any]


class Caller(Protocol):
    """What the clients on `env` call through."""

    def call(
        self,
        binding: str,
        method: str,
        args: list[Any],
        *,
        then: Callable[[Any], Any] | None = None,
        failed: Callable[[str, str], Exception] | None = None,
        takes_stream: bool = False,
        is_rpc: bool = False,
        stops: bool = False,
    ) -> Answer:
        """Send a call at once and return what waits for its answer; see `BindingCalls.call`."""
        ...


class Own(Protocol):
    """Answers calls that this guest makes of itself, without the host."""

    def begin(
        self, message: BindingCall, stream: ReadableStream | None
    ) -> Callable[[asyncio.Future[Any]], None] | None:
        """Return what begins such a call, and stops it when its answer is given up.

        None: it is a call of something else.
        """
        ...


class BindingCalls:
    """Every binding call in flight, by exchange id (ours are odd)."""

    def __init__(self, loop: WebLoop, send: Send) -> None:
        self._loop = loop
        self._send = send
        self._next_id = 1
        self._waiting: dict[int, tuple[asyncio.Future[Any], Any, Any]] = {}
        self._runs: dict[int, int] = {}  # of those that a workflow run made: which run
        self._streams: dict[int, IncomingBody] = {}
        self._uploads: dict[int, Outgoing] = {}
        self.functions: conversion.Functions | None = None
        self.own: Own | None = None

    def call(
        self,
        binding: str,
        method: str,
        args: list[Any],
        *,
        then: Callable[[Any], Any] | None = None,
        failed: Callable[[str, str], Exception] | None = None,
        takes_stream: bool = False,
        is_rpc: bool = False,
        stops: bool = False,
    ) -> Answer:
        """Send the call now, awaited or not, and return a coroutine of its result.

        `then` turns the decoded result into what user code gets; `failed` makes the exception from
        the error's name and message. With `takes_stream`, one ReadableStream may stand in `args`;
        it is sent as it is read. With `is_rpc`, another worker is called: functions may too.
        With `stops`, the host does not go on when waiting for the answer is cancelled.
        Raises what `conversion.encode` and `scope.current` raise.
        """
        if not self._loop.is_driven_here():
            options: Any = {"then": then, "failed": failed}
            options |= {"takes_stream": takes_stream, "is_rpc": is_rpc, "stops": stops}
            return self._from_thread(lambda: self.call(binding, method, args, **options))
        current = scope.current()
        if current.refuse is not None:
            return answer_of(current.refuse(called(binding, method)), binding)
        stream: ReadableStream | None = None
        if takes_stream or is_rpc:
            functions = self.functions if is_rpc else None
            payload, stream = conversion.encode_with_stream(args, functions)
        else:
            payload = conversion.encode(args)
        has_body = stream is not None
        depth = current.depth if is_rpc else 0
        number = self._next_id
        held = 0 if current.object is None else current.object.before_call()
        message = BindingCall(number, binding, method, current.run, has_body, depth, held, payload)
        own = self.own if is_rpc and not held else None
        begin = None if own is None else own.begin(message, stream)
        if begin is None:
            try:
                self._send(message)
            except FrameTooLarge as error:
                raise JsException(f"{called(binding, method)}: {error}", "RangeError") from None
        self._next_id += 2
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._waiting[number] = (answer, then, failed)
        if current.run:
            self._runs[number] = current.run
        if stops:
            answer.add_done_callback(lambda done: self._stop(number) if done.cancelled() else None)
        if begin is not None:
            begin(answer)
        elif stream is not None:
            self._upload(number, stream)
        return answer_of(answer, binding, current.object)

    def _from_thread(self, call: Callable[[], Answer]) -> Answer:
        """Make a call for another thread, on the guest's loop."""
        outcome = on_guest_loop(call)

        async def answer() -> Any:
            return await asyncio.wrap_future(outcome)

        return answer()

    def has_open(self, run: int) -> bool:
        """Whether an answer to this workflow run is outstanding."""
        return run in self._runs.values()

    def drop(self, run: int) -> None:
        """Stop waiting for all calls of this workflow run."""
        for exchange_id in [number for number, of in self._runs.items() if of == run]:
            self._waiting[exchange_id][0].cancel()
            upload = self._uploads.pop(exchange_id, None)
            if upload is not None:
                upload.cancel()
                upload.end("The workflow run that sent this is over.")

    def result(self, message: BindingResult) -> None:
        """The host answered."""
        self._runs.pop(message.id, None)
        body = stream = None
        if message.has_body:
            body = self._streams[message.id] = IncomingBody(message.id, self._send)
            stream = ReadableStream(body)
        if not self._resolve(message.id, message.payload, stream) and body is not None:
            body.cancel()
            del self._streams[message.id]

    def returned(self, exchange_id: int, payload: bytes, stream: ReadableStream | None) -> None:
        """This guest itself answered."""
        self._runs.pop(exchange_id, None)
        self._resolve(exchange_id, payload, stream)

    def _resolve(self, exchange_id: int, payload: bytes, stream: ReadableStream | None) -> bool:
        """Give the result to the call; return whether anybody has got it."""
        try:
            value = conversion.decode(payload, stream, self.functions)
        except MalformedValue as error:
            self.failure(BindingFailed(exchange_id, "Error", f"An answer is damaged: {error}"))
            return False
        answer, then, _ = self._waiting.pop(exchange_id, (None, None, None))
        if answer is None or answer.done():
            return False
        try:
            answer.set_result(value if then is None else then(value))
        except Exception as error:  # e.g. D1's first("no such column")
            answer.set_exception(error)
            return False
        return True

    def failure(self, message: BindingFailed) -> None:
        """The host raised."""
        self._runs.pop(message.id, None)
        upload = self._uploads.pop(message.id, None)
        if upload is not None:
            upload.cancel()
        answer, _, failed = self._waiting.pop(message.id, (None, None, None))
        if answer is None or answer.done():
            return
        error = (failed or _js_error)(message.name, message.message)
        if message.label:
            error.__dict__["code"] = message.label  # as in JavaScript
        answer.set_exception(error)

    def _stop(self, number: int) -> None:
        """Nobody waits for an answer any more: what was asked for ends."""
        self._runs.pop(number, None)
        if self._waiting.pop(number, None) is not None:
            self._send(Cancel(number))

    def outgoing(self, exchange_id: int) -> Outgoing | None:
        """Return the stream that is being sent with the call on this exchange."""
        return self._uploads.get(exchange_id)

    def _upload(self, exchange_id: int, stream: ReadableStream) -> None:
        """Send the stream of a call behind it, at the pace of its reader."""
        upload = self._uploads[exchange_id] = Outgoing(exchange_id, self._send)
        task = asyncio.ensure_future(_pumped(upload, stream))
        task.add_done_callback(lambda _: self._uploads.pop(exchange_id, None))

    def stream(self, exchange_id: int) -> IncomingBody | None:
        """Return the result stream that arrives on this exchange."""
        return self._streams.get(exchange_id)

    def stream_ended(self, exchange_id: int) -> None:
        """Forget a stream: nothing more arrives for it."""
        self._streams.pop(exchange_id, None)


def answer_of(answer: asyncio.Future[Any], binding: str, of: scope.Held | None = None) -> Answer:
    """Return a coroutine that waits for `answer`; the call has been sent. of: by this object."""
    waiting = _awaited(answer) if of is None else of.after(answer)
    # What CPython calls one that is never awaited.
    waiting.__qualname__ = f"call of env.{binding}"  # type: ignore[attr-defined]
    return waiting


async def _pumped(upload: Outgoing, stream: ReadableStream) -> None:
    try:
        await upload.pump(stream, _told)
    finally:
        await stream.cancel()


def _told(error: Exception) -> str:
    return tracebacks.error_message(error) or tracebacks.error_name(error)


async def _awaited(answer: asyncio.Future[Any]) -> Any:
    return await answer


def _js_error(name: str, message: str) -> JsException:
    return JsException(message, name)
