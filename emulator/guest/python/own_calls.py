"""Calls that a worker makes of itself: they need no host. What is passed is copied all the same."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Mapping
from typing import Any

from ...protocol.bindings import BindingCall, BindingFailed
from ...protocol.exchanges import Fetch, Invoke, InvokeFailed
from ...protocol.loading import STUBS
from ...protocol.message import Message
from . import conversion, scope
from .calls import BindingCalls
from .exchange import Exchange
from .exports import target_of
from .fetching import FetchExchange
from .invoking import InvokeExchange
from .loader import Worker
from .sdk.jserror import JsException
from .sdk.workers.response import NULL_BODY, Response, head_and_body
from .streams import ReadableStream
from .stubs import Stubs

# One request may call this many workers, one inside the other.
# Source: https://developers.cloudflare.com/workers/platform/limits/ (service bindings).
DEPTH_MAX = 32
TOO_DEEP = (
    "{} was called from 32 calls inside one another: one request may call at most 32 workers. Do "
    "they call each other in a circle?"
)


class OwnCalls:
    """Satisfies `Own`. bindings: of them, those that have `own` are bound to this worker."""

    def __init__(
        self,
        worker: Worker,
        calls: BindingCalls,
        stubs: Stubs,
        bindings: Mapping[str, Mapping[str, Any]],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._worker = worker
        self._calls = calls
        self._stubs = stubs
        self._targets = {name: each["own"] for name, each in bindings.items() if "own" in each}
        self._loop = loop
        self._context = contextvars.copy_context()  # of no request

    def begin(
        self, message: BindingCall, stream: ReadableStream | None
    ) -> Callable[[asyncio.Future[Any]], None] | None:
        """Return what begins the call, if it is one of this worker itself; see `Own`."""
        exchange = self._exchange(message, stream)
        if exchange is None:
            return None
        if message.depth >= DEPTH_MAX:
            raise JsException(TOO_DEEP.format(f"{message.method}()"))
        exchange.caller = scope.current()

        def begin(answer: asyncio.Future[Any]) -> None:
            self._context.copy().run(exchange.start, self._loop)
            answer.add_done_callback(lambda done: exchange.cancel() if done.cancelled() else None)

        return begin

    def _exchange(
        self, message: BindingCall, stream: ReadableStream | None
    ) -> _OwnInvoke | _OwnFetch | None:
        exported = target_of(message.binding)
        if exported is not None and message.method == "fetch":
            return _OwnFetch(message, exported, self._worker, self._calls, stream)
        invoke = self._invoked(message, exported)
        if invoke is None:
            return None
        return _OwnInvoke(invoke, self._worker, self._stubs, self._calls, stream)

    def _invoked(self, message: BindingCall, exported: dict[str, Any] | None) -> Invoke | None:
        common = {"rpc": True, "depth": message.depth + 1, "payload": message.payload}
        if message.binding == STUBS:
            owner, number, method = message.method.split(" ", 2)
            if owner == self._stubs.address:
                return Invoke(message.id, method, stub=int(number), **common)  # type: ignore[arg-type]
            return None
        target = exported or self._targets.get(message.binding)
        if target is None or message.method == "fetch":  # an asset may answer it
            return None
        entrypoint, props = target["entrypoint"], target["props"]
        return Invoke(message.id, message.method, entrypoint, props=props, **common)  # type: ignore[arg-type]


class _Own(Exchange):
    """An exchange whose caller is in this guest."""

    caller: scope.Scope
    calls: BindingCalls

    def _told(self, message: Message) -> None:
        if isinstance(message, InvokeFailed):
            self._leave_promises()
            self.calls.failure(BindingFailed(self.id, message.name, message.message))

    def _leave_promises(self) -> None:
        """Let the caller, which the host knows, wait for what this call gave to `wait_until`."""
        if self._promises and not self.caller.run:
            self.caller.wait_until(asyncio.wait(set(self._promises)))


class _OwnInvoke(_Own, InvokeExchange):
    def __init__(
        self,
        message: Invoke,
        worker: Worker,
        stubs: Stubs,
        calls: BindingCalls,
        stream: ReadableStream | None,
    ) -> None:
        super().__init__(message, worker, self._told, stubs)
        self.calls = calls
        self._stream_given = stream

    def _stream_of_args(self) -> ReadableStream | None:
        return self._stream_given

    async def _reply(self, payload: bytes, stream: ReadableStream | None) -> None:
        self._leave_promises()
        self.calls.returned(self.id, payload, stream)


class _OwnFetch(_Own, FetchExchange):
    def __init__(
        self,
        message: BindingCall,
        target: dict[str, Any],
        worker: Worker,
        calls: BindingCalls,
        stream: ReadableStream | None,
    ) -> None:
        method, url, headers, body = conversion.decode(message.payload, stream)
        self._body = ReadableStream([bytes(body)]) if isinstance(body, memoryview) else body
        fetch = Fetch(
            message.id,
            method,
            url,
            headers,
            entrypoint=target["entrypoint"],
            depth=message.depth + 1,
            props=target["props"],
        )
        super().__init__(fetch, worker, self._told)
        self.calls = calls

    def _body_of_request(self) -> ReadableStream | None:
        return self._body

    async def _send_response(self, response: Response) -> None:
        if response.web_socket is not None:
            raise JsException("A WebSocket cannot pass through ctx.exports here.", "TypeError")
        headers, body = head_and_body(response)
        if isinstance(body, bytes):
            body = ReadableStream([body])
        answer = {
            "status": response.status,
            "status_text": response.status_text,
            "headers": [list(pair) for pair in headers],
            "body": None if response.status in NULL_BODY else body,
        }
        self._leave_promises()
        self.calls.returned(self.id, *conversion.encode_with_stream(answer))
