"""The host's end of one conversation: bytes <-> messages, exchanges, binding calls, routing.

It decides nothing: what user code asks of a workflow goes to the handler, what it asks of a binding
to the binding. A guest that breaks the protocol is killed; the host goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from bindings.binding import Binding
from emulator.protocol import messages
from emulator.protocol.framing import MAX_FRAME_BYTES, FrameReader, frame
from emulator.protocol.messages import (
    BindingCall,
    Cancel,
    Credit,
    Message,
    Pong,
    ProtocolError,
    RunAbort,
    RunEnd,
    RunHeld,
    RunStart,
    StepBegin,
    StepChunk,
    StepDelayed,
    StepEnd,
    StreamRead,
)
from emulator.runner.binding_calls import BindingCalls
from emulator.runner.exchanges import Exchanges

log = logging.getLogger(__name__)

# What a guest may leave unread: some answers of the largest size. One that asks and does not read
# would otherwise fill the host's memory.
UNREAD_MAX_BYTES = 4 * MAX_FRAME_BYTES

_TO_EXCHANGE = (
    messages.FetchResponse,
    messages.Data,
    messages.End,
    messages.FetchDone,
    messages.FetchFailed,
)


class Steps(Protocol):
    """Who hears what workflow runs in this guest say."""

    def step_begun(self, message: StepBegin) -> None: ...
    def step_ended(self, message: StepEnd) -> None: ...
    def step_chunk(self, message: StepChunk) -> None: ...
    def step_delayed(self, message: StepDelayed) -> None: ...
    def stream_read(self, message: StreamRead) -> None: ...
    def run_ended(self, message: RunEnd) -> None: ...
    def run_held(self, message: RunHeld) -> None: ...
    def all_heard(self) -> None:
        """Everything that has arrived by now has been handed on."""
        ...

    def replayed(self, message: messages.Replayed) -> None: ...


class Connection(asyncio.Protocol):
    """One conversation with a guest.

    `broken` is called once, with the ProtocolError, when the guest breaks the protocol.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        bindings: Mapping[str, Binding],
        broken: Callable[[ProtocolError], None],
    ) -> None:
        self._loop = loop
        self._broken = broken
        self._reader = FrameReader()
        self._pending: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._runs: set[int] = set()
        self._all_heard: Callable[[], None] | None = None
        self.exchanges = Exchanges(loop, self.send)
        self.calls = BindingCalls(loop, self.send, bindings)
        self.loaded: asyncio.Future[messages.Loaded | messages.LoadFailed] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.last_pong = 0
        self._routes: dict[type[Message], Callable[[Any], None]] = {
            **dict.fromkeys(_TO_EXCHANGE, self.exchanges.receive),
            BindingCall: self._on_binding_call,
            Cancel: self._on_cancel,
            Credit: self._on_credit,
            Pong: self._on_pong,
            messages.Loaded: self._on_loaded,
            messages.LoadFailed: self._on_loaded,
        }

    def attach(self, steps: Steps) -> None:
        """Hand what workflow runs say to `steps`."""
        self._routes[StepBegin] = steps.step_begun
        self._routes[StepEnd] = steps.step_ended
        self._routes[StepChunk] = steps.step_chunk
        self._routes[StepDelayed] = steps.step_delayed
        self._routes[StreamRead] = steps.stream_read
        self._routes[messages.Replayed] = steps.replayed
        self._routes[RunEnd] = lambda message: self._on_run_end(message, steps)
        self._routes[RunHeld] = steps.run_held
        self._all_heard = steps.all_heard

    @property
    def busy(self) -> bool:
        """Whether a request or a workflow run is open in the guest."""
        return bool(self.exchanges) or bool(self._runs)

    def send(self, message: Message) -> None:
        """Send `message` at the end of this turn of the loop; a guest that is gone ignores it.

        Raises FrameTooLarge.
        """
        if self.closed.done():
            return
        kind = type(message)
        if kind is RunStart:
            self._runs.add(message.run)  # type: ignore[attr-defined]
        elif kind is RunAbort:
            self._runs.discard(message.run)  # type: ignore[attr-defined]
        data = frame(message)
        if not self._pending:
            self._loop.call_soon(self._flush)
        self._pending.append(data)

    def close(self) -> None:
        """Cut the conversation."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's is no asyncio.Transport

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._reader.receive(data):
                self._hand_on(message)
        except ProtocolError as error:
            self.close()
            self._broken(error)
        if self._runs and self._all_heard is not None:
            self._all_heard()
            self._flush()  # a turn of the loop later is a tenth of a short step

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def _hand_on(self, message: Message) -> None:
        route = self._routes.get(type(message))
        if route is None:
            raise ProtocolError(f"{message.type} is not for the host")
        try:
            route(message)
        except ProtocolError:
            raise
        except Exception as error:  # a defect of ours, but only this guest's message has met it
            log.exception("%s of a guest failed inside Groundfog", message.type)
            raise ProtocolError(f"{message.type} could not be handled: {error!r}") from error

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        transport = self._transport
        if not pending or transport is None or transport.is_closing():
            return
        transport.write(pending[0] if len(pending) == 1 else b"".join(pending))
        unread = transport.get_write_buffer_size()
        if unread > UNREAD_MAX_BYTES:
            self.close()
            self._broken(ProtocolError(f"did not read {unread:,} bytes that were sent to it"))

    def _on_loaded(self, message: messages.Loaded | messages.LoadFailed) -> None:
        if self.loaded.done():
            raise ProtocolError(f"{message.type} came twice")
        self.loaded.set_result(message)

    def _on_binding_call(self, message: BindingCall) -> None:
        self.calls.start(message, message.run == 0 or message.run in self._runs)

    def _on_credit(self, message: Credit) -> None:
        if message.bytes <= 0:
            raise ProtocolError(f"credit of {message.bytes} bytes")
        outflow = self.calls.outflow(message.id)
        if outflow is None:
            self.exchanges.receive(message)
        else:
            outflow.credit(message.bytes)

    def _on_cancel(self, message: Cancel) -> None:
        self.calls.cancel(message.id)
        self.exchanges.receive(message)

    def _on_pong(self, message: Pong) -> None:
        self.last_pong = message.number

    def _on_run_end(self, message: RunEnd, steps: Steps) -> None:
        if not message.kept:
            self._runs.discard(message.run)
        steps.run_ended(message)
