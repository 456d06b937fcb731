"""Executes what the host orders in a run: callbacks, delay functions, rollback handlers.

Each is executed in its own task, in the context of the run, and its outcome is sent to the host.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ....protocol.framing import FrameTooLarge
from ....protocol.runs import RollbackRun, StepDelay, StepEnd, StepRun, StepTaken
from .. import conversion, scope, tracebacks
from ..calling import relaxed_call, settle, settle_coroutine
from ..sdk.pyodide.ffi import JsException
from ..streams import ReadableStream, Send
from . import delays, rollbacks
from .callers import CALLS_MAX, Caller, running
from .outputs import Downloads, InvalidOutput, Upload
from .rollbacks import Handler


class Callback(Protocol):
    """A step's function, ready to be called."""

    wants_ctx: bool
    delay: Any  # before a retry, if the code gives one: a duration or a function

    def __call__(self, ctx: Any) -> Any: ...


@dataclass(slots=True)
class Call:
    """A call of a step, about which the host was asked."""

    answer: asyncio.Future[Any]
    name: str
    count: int  # of its name and kind; known for sure once the host has said to execute it
    callback: Callback | None
    attempt: int = 0
    payload: bytes = b""  # of the attempt in flight, once it has returned
    upload: Upload | None = None  # of the attempt in flight, if it returned a stream

    @property
    def label(self) -> str:
        """Its name in messages: `"charge-1"`."""
        return f"{self.name}-{self.count}"

    def stop_upload(self) -> None:
        """The attempt in progress is over, or the next one begins."""
        if self.upload is not None:
            self.upload.stop()
            self.upload = None


class _Over:
    """Takes the place of a run that is over."""

    run = 0
    depth = 0
    object = None
    label = ""
    dropped = True
    refuse: Callable[[str], asyncio.Future[Any]] | None = None

    def wait_until(self, awaitable: Awaitable[Any]) -> None: ...


class Attempts:
    """Executes the orders for one run. `calls`: its calls without an answer."""

    def __init__(
        self,
        of: scope.Scope,
        context: contextvars.Context,
        calls: dict[int, Call],
        downloads: Downloads,
        loop: asyncio.AbstractEventLoop,
        send: Send,
    ) -> None:
        self._of: scope.Scope = of
        self._context = context
        self._calls = calls
        self._downloads = downloads
        self._loop = loop
        self._send = send

    def forget(self) -> None:
        """Drop the reference to the run: there will be no more orders."""
        self._of = _Over()
        self._context = contextvars.Context()

    def execute(self, number: int, call: Call, attempt: int, config: dict[str, Any]) -> None:
        """Call the callback of a call, in a later turn of the loop."""
        call.stop_upload()
        call.attempt = attempt
        context = self._context.copy()
        context.run(running.set, Caller(number, attempt))
        self._loop.create_task(self._attempt(number, call, attempt, config), context=context)

    def step_run(self, message: StepRun) -> None:
        """The host wants a callback executed."""
        call = self._calls.get(message.call)
        if call is not None and call.callback is not None:
            call.count = message.count or call.count
            self.execute(message.call, call, message.attempt, message.config)

    def step_taken(self, message: StepTaken) -> None:
        """The host has stored a piece of what an attempt streams."""
        call = self._calls.get(message.call)
        if call is not None and call.upload is not None:
            call.upload.taken(message.attempt, message.over)

    def step_delay(self, message: StepDelay) -> None:
        """The host wants to know how long to wait before the next attempt."""
        call = self._calls.get(message.call)
        if call is None or call.callback is None:
            return
        call.count = message.count or call.count
        context = self._context.copy()
        # Its calls are counted after those of the callback, so the two are never confused.
        context.run(running.set, Caller(message.call, after=CALLS_MAX * message.attempt))
        self._loop.create_task(self._delayed(message, call), context=context)

    def roll_back(self, message: RollbackRun, handler: Handler) -> None:
        """Call a rollback handler."""
        context = self._context.copy()
        context.run(running.set, Caller(message.call, message.attempt))
        self._loop.create_task(self._rolled_back(message, handler), context=context)

    async def _attempt(self, number: int, call: Call, attempt: int, config: dict[str, Any]) -> None:
        assert call.callback is not None
        run = self._of.run
        try:
            wants_ctx = call.callback.wants_ctx
            ctx = _context_of(call, attempt, config) if wants_ctx else None
            result = await settle_coroutine(call.callback(ctx))
            if isinstance(result, ReadableStream):
                payload = b""
                if not await self._upload(result, Upload(run, number, attempt, self._send), call):
                    return
                end = StepEnd(run, number, attempt, stream=True)
            else:
                payload = conversion.encode(result)
                end = StepEnd(run, number, attempt, payload=payload)
        except InvalidOutput as error:
            payload = b""
            end = StepEnd(run, number, attempt, error.name, error.message, fatal=True, stream=True)
        except BaseException as error:  # any error of the callback is the attempt's outcome
            if self._of.dropped:
                raise
            tracebacks.print_error(error)
            payload = b""
            end = _attempt_failed(run, number, attempt, error)
        if self._calls.get(number) is not call:
            return  # the host gave the final answer meanwhile
        if call.attempt == attempt:
            call.payload = payload
        try:
            self._send(end)
        except FrameTooLarge:
            self._send(_too_large(run, number, attempt, call.label))

    async def _upload(self, stream: ReadableStream, upload: Upload, call: Call) -> bool:
        """Let the host store the stream of an attempt; return False if the attempt is over."""
        if self._calls.get(upload.call) is not call or call.attempt != upload.attempt:
            await stream.cancel()
            return False
        call.upload = upload
        try:
            await upload.send_all(stream)
        except BaseException:  # it was cut off; how its source reacts does not matter
            if not upload.over:
                raise
        return not upload.over

    async def _delayed(self, message: StepDelay, call: Call) -> None:
        assert call.callback is not None
        ctx = _context_of(call, message.attempt, message.config)
        answer = await delays.answer(message, ctx, call.callback.delay)
        if not self._of.dropped:
            self._send(answer)

    async def _rolled_back(self, message: RollbackRun, handler: Handler) -> None:
        try:
            context = rollbacks.context_of(message)
            output = context["output"]
            context["output"] = self._downloads.received(output, context["stepName"], self._of)
            await settle(relaxed_call(handler, context))
            end = StepEnd(message.run, message.call, message.attempt)
        except BaseException as error:  # any error of the handler is the attempt's outcome
            if self._of.dropped:
                raise
            tracebacks.print_error(error)
            end = StepEnd(message.run, message.call, message.attempt, *tracebacks.told(error))
        self._send(end)


def _context_of(call: Call, attempt: int, config: dict[str, Any]) -> Any:
    step = {"name": call.name, "count": call.count}
    ctx = {"step": step, "attempt": attempt, "config": config}
    return conversion.copy(ctx)


def _attempt_failed(run: int, call: int, attempt: int, error: BaseException) -> StepEnd:
    name, text, traceback = tracebacks.told(error)
    uncloneable = isinstance(error, JsException) and name == conversion.DATA_CLONE_ERROR
    return StepEnd(run, call, attempt, name, text, traceback, fatal=uncloneable)


def _too_large(run: int, call: int, attempt: int, label: str) -> StepEnd:
    """Source: docs/platform/workflows.md, "Errors"."""
    text = f"Step {label} output is too large. Maximum allowed size is 1MiB."
    return StepEnd(run, call, attempt, "WorkflowInternalError", text)
