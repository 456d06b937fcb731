"""One call of the worker's code by the host: its scope, its bodies, its `wait_until` promises."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ...protocol.exchanges import Fetch, Invoke, InvokeDone, InvokeFailed
from ...protocol.windows import Outgoing
from . import conversion, scope, tracebacks, traces
from .loader import Worker
from .loop.web_loop import interrupt
from .sdk.jserror import JsException
from .sdk.workers.entrypoints import Context, DurableObjectAbort
from .streams import IncomingBody, ReadableStream, Send

if TYPE_CHECKING:
    from .objects.instance import DurableInstance

DEFAULT = "Default"


class Exchange:
    """A call being handled; the scope of the user code that handles it."""

    run = 0
    dropped = False
    refuse: Callable[[str], asyncio.Future[Any]] | None = None  # only runs are probes

    def __init__(self, message: Fetch | Invoke, worker: Worker, send: Send) -> None:
        self.id = message.id
        self._message: Any = message
        self.incoming = IncomingBody(message.id, send) if message.has_body else None
        self.outgoing = Outgoing(message.id, send)
        self.depth = message.depth
        self._props = conversion.copy(message.props) if message.props else None
        self._entrypoint = message.entrypoint
        self._worker = worker
        self._send = send
        self._promises: set[asyncio.Future[Any]] = set()
        self._task: asyncio.Task[None] | None = None
        self._begun = False
        self._answered = False
        self._given_up = False
        self._broken: BaseException | None = None
        self.object: DurableInstance | None = None
        self.trace: traces.Trace | None = None

    @property
    def label(self) -> str:
        """What the lines that it prints are labelled with."""
        raise NotImplementedError

    def start(self, loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """Handle the call in a task of its own."""
        if traces.is_on:
            self.trace = self._traced()
        context = contextvars.copy_context()
        context.run(scope.enter, self)
        self._task = loop.create_task(self._exchange(), context=context)
        return self._task

    def cancel(self) -> None:
        """Stop the handler, or the body of the answer: nobody waits for it."""
        self.outgoing.cancel()
        self._given_up = True
        if self._task is not None and self._begun and not self._answered:
            if self._task not in interrupt(self, asyncio.CancelledError):
                self._task.cancel()

    def break_off(self, error: BaseException) -> None:
        """The object whose event it is has ended: it fails with this error."""
        self._broken = error
        for promise in self._promises:
            promise.cancel()
        if self._task is not asyncio.current_task():
            self.cancel()

    def wait_until(self, awaitable: Awaitable[Any]) -> None:
        promise = asyncio.ensure_future(_reported(awaitable))
        self._promises.add(promise)
        promise.add_done_callback(self._promises.discard)

    async def _exchange(self) -> None:
        self._begun = True
        try:
            if self._given_up:  # before it began; cancelling the task then would end it unheard
                raise asyncio.CancelledError
            if self.object is not None:
                self.object.events.add(self)
                self._target = await self.object.entered()
            await self._answer()
        except BaseException as error:  # everything user code raises is the answer to its caller
            if self.trace is not None:
                self.trace.raised(self._broken or error)
            self._failed(self._broken or error)
        self._answered = True
        if self.incoming is not None:
            self.incoming.cancel()
        while self._promises:
            await asyncio.wait(set(self._promises))
        if self.object is not None:
            self.object.events.discard(self)
        if self.trace is not None:
            await self.trace.send()
        self._send(InvokeDone(self.id))

    def _traced(self) -> traces.Trace | None:
        """Return what collects what this event does."""
        if self.object is None:
            return traces.begun(self._message, "stateless", self._entrypoint)
        return traces.begun(self._message, "durableObject", self.object.class_name)

    async def _answer(self) -> None:
        """Call user code and send what it returns."""
        raise NotImplementedError

    def _instance(self) -> Any:
        """Return the object that is called, or a new instance of the class. Raises JsException."""
        if self.object is not None:
            return self._target
        name = self._entrypoint or DEFAULT
        cls = self._worker.entrypoints.get(name)
        if cls is None:
            text = f"There is no '{name}' class defined in the Python Worker's main module"
            raise JsException(text, "TypeError")
        return cls(Context(self._props, self._worker.exports), self._worker.env)

    async def _stream(self, body: ReadableStream) -> None:
        try:
            async for chunk in body:
                await self.outgoing.write(chunk)
                if self.outgoing.cancelled:
                    break
        finally:
            await body.cancel()
        self.outgoing.end()

    def _failed(self, error: BaseException) -> None:
        self._send(InvokeFailed(self.id, *tracebacks.told(error)))


async def _reported(awaitable: Awaitable[Any]) -> None:
    """Await a promise given to `wait_until`; a failure is only shown in the terminal."""
    try:
        await awaitable
    except (Exception, DurableObjectAbort) as error:
        if (trace := traces.current()) is not None:
            trace.raised(error)
        tracebacks.print_error(error)
