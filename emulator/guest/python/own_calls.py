"""Calls that a worker makes of itself: they need no host. What is passed is copied all the same."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Mapping
from typing import Any

from ...protocol.bindings import BindingCall, BindingFailed
from ...protocol.exchanges import Invoke, InvokeFailed
from ...protocol.loading import STUBS
from ...protocol.message import Message
from . import scope
from .calls import BindingCalls
from .invoking import InvokeExchange
from .loader import Worker
from .streams import ReadableStream
from .stubs import Stubs

# One request may call this many workers, one inside the other.
# Source: https://developers.cloudflare.com/workers/platform/limits/ (service bindings).
DEPTH_MAX = 32


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
        invoke = self._invoked(message)
        if invoke is None or message.depth >= DEPTH_MAX:
            return None
        exchange = _OwnExchange(invoke, self._worker, self._stubs, self._calls, stream)
        exchange.caller = scope.current()

        def begin(answer: asyncio.Future[Any]) -> None:
            self._context.copy().run(exchange.start, self._loop)
            answer.add_done_callback(lambda done: exchange.cancel() if done.cancelled() else None)

        return begin

    def _invoked(self, message: BindingCall) -> Invoke | None:
        common = {"rpc": True, "depth": message.depth + 1, "payload": message.payload}
        if message.binding == STUBS:
            owner, number, method = message.method.split(" ", 2)
            if owner == self._stubs.address:
                return Invoke(message.id, method, stub=int(number), **common)  # type: ignore[arg-type]
            return None
        target = self._targets.get(message.binding)
        if target is None or message.method == "fetch":  # an asset may answer it
            return None
        entrypoint, props = target["entrypoint"], target["props"]
        return Invoke(message.id, message.method, entrypoint, props=props, **common)  # type: ignore[arg-type]


class _OwnExchange(InvokeExchange):
    caller: scope.Scope

    def __init__(
        self,
        message: Invoke,
        worker: Worker,
        stubs: Stubs,
        calls: BindingCalls,
        stream: ReadableStream | None,
    ) -> None:
        super().__init__(message, worker, self._told, stubs)
        self._calls = calls
        self._stream_given = stream

    def _stream_of_args(self) -> ReadableStream | None:
        return self._stream_given

    async def _reply(self, payload: bytes, stream: ReadableStream | None) -> None:
        self._leave_promises()
        self._calls.returned(self.id, payload, stream)

    def _told(self, message: Message) -> None:
        if isinstance(message, InvokeFailed):
            self._leave_promises()
            self._calls.failure(BindingFailed(self.id, message.name, message.message))

    def _leave_promises(self) -> None:
        """Let the caller, which the host knows, wait for what this call gave to `wait_until`."""
        if self._promises and not self.caller.run:
            self.caller.wait_until(asyncio.wait(set(self._promises)))
