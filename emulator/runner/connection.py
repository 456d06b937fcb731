"""The host's end of one conversation: bytes <-> messages, exchanges, binding calls, routing.

It decides nothing: messages about workflow runs go to the handler, binding calls to the binding.
A guest that breaks the protocol is killed; the host goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from bindings.binding import Binding
from emulator.protocol import values
from emulator.protocol.bindings import BindingCall, BindingFailed
from emulator.protocol.exchanges import (
    Cancel,
    Credit,
    Data,
    End,
    FetchResponse,
    InvokeDone,
    InvokeFailed,
    InvokeResult,
)
from emulator.protocol.framing import FrameReader, frame
from emulator.protocol.life import Continued, DebugListening, Ping, Pong, Stopped
from emulator.protocol.loading import OTHER_VERSION, PROTOCOL_VERSION, Loaded, LoadFailed
from emulator.protocol.message import Message, ProtocolError, read_with
from emulator.protocol.objects import ObjectOver, SocketCall, StorageCall
from emulator.protocol.runs import RUN_MESSAGES, RunAbort, RunEnd, RunMessage, RunStart
from emulator.runner.binding_calls import BindingCalls
from emulator.runner.exchanges import Exchanges

log = logging.getLogger(__name__)

read_with(msgspec.json.Decoder().decode)  # the host has it, and reads two messages for each step
values.write_with(msgspec.json.Encoder().encode)

# When so much is unread, the host reads nothing more from the guest and begins none of its calls
# until the guest has read most of it: the answers would otherwise fill the host's memory. The
# runner ends a guest that reads nothing for long.
UNREAD_HIGH_BYTES = 16 * 1024 * 1024
UNREAD_LOW_BYTES = 4 * 1024 * 1024
PENDING_MAX_BYTES = 1024 * 1024  # of one turn of the loop, written together

_TO_EXCHANGE = (
    FetchResponse,
    InvokeResult,
    InvokeDone,
    InvokeFailed,
)
_OF_BODY = (Data, End, Cancel)
_OF_DEBUGGER = (Stopped, Continued, DebugListening)


class Runs(Protocol):
    """Receives the messages of workflow runs in this guest."""

    def hear(self, message: RunMessage) -> None:
        """Handle a message of a run. Raises ProtocolError for a message no guest may send."""
        ...

    def all_heard(self) -> None:
        """All messages that have arrived by now have been passed on."""
        ...

    def mishap(self, number: int, problem: str) -> None:
        """A message about the run with this number could not be handled."""
        ...


class _Mark(Struct, frozen=True):
    """A ping that has not been answered. `position`: how many bytes were sent up to its end."""

    number: int
    position: int
    answered: Callable[[], None]


class Connection(asyncio.Protocol):
    """One conversation with a guest.

    `broken` is called once when the guest breaks the protocol, with the ProtocolError and the
    number of the run that the message was about, or 0.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        bindings: Mapping[str, Binding],
        broken: Callable[[ProtocolError, int], None],
    ) -> None:
        self._loop = loop
        self._broken = broken
        self.debugger_said: Callable[[Stopped | Continued | DebugListening], None] = _ignore
        self._about = 0  # the run that the message being handled is about
        self._reader = FrameReader()
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._transport: asyncio.Transport | None = None
        self._runs: set[int] = set()
        self._heard_by: Runs | None = None
        self._sent_bytes = 0
        self._pings = 0
        self._marks: deque[_Mark] = deque()
        self._is_full = False
        self._waiting_for_room: list[asyncio.Future[None]] = []
        self.exchanges = Exchanges(loop, self.send)
        self.calls = BindingCalls(loop, self, bindings)
        self.loaded: asyncio.Future[Loaded | LoadFailed] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.routes: dict[type[Message], Callable[[Any], None]] = {
            **dict.fromkeys(_TO_EXCHANGE, self.exchanges.receive),
            **dict.fromkeys(_OF_BODY, self._on_body),
            BindingCall: self._on_binding_call,
            Credit: self._on_credit,
            Pong: self._on_pong,
            **dict.fromkeys(_OF_DEBUGGER, lambda message: self.debugger_said(message)),
            Loaded: self._on_loaded,
            LoadFailed: self._on_loaded,
            **dict.fromkeys((StorageCall, SocketCall, ObjectOver), _ignore),  # see `hear_objects`
        }

    def attach(self, runs: Runs) -> None:
        """Pass messages of workflow runs to `runs`."""
        self.routes |= dict.fromkeys(RUN_MESSAGES.values(), runs.hear)
        self.routes[RunEnd] = lambda message: self._on_run_end(message, runs)
        self._heard_by = runs

    def hear_objects(
        self,
        on_storage: Callable[[StorageCall], None],
        on_socket: Callable[[SocketCall], None],
        on_over: Callable[[ObjectOver], None],
        durable: Callable[[int], Awaitable[None]],
    ) -> None:
        """Pass messages of Durable Objects on. durable: waits for what one of them has written."""
        self.routes |= {StorageCall: on_storage, SocketCall: on_socket, ObjectOver: on_over}
        self.calls.durable = durable

    @property
    def busy(self) -> bool:
        """Whether a request or a workflow run is open in the guest, or it has much to read."""
        return bool(self.exchanges) or bool(self._runs) or self._is_full

    @property
    def unread_bytes(self) -> int:
        """How much of what was sent has not been taken over by the operating system."""
        buffered = self._transport.get_write_buffer_size() if self._transport else 0
        return self._pending_bytes + buffered

    def unanswered(self) -> tuple[int, int] | None:
        """Return the first ping without an answer, and how much the guest has read so far.

        The latter is 0 if the system took over everything: then it cannot be known.
        None: all pings are answered.
        """
        if not self._marks:
            return None
        unread_bytes = self.unread_bytes
        # While something is unread, the system's buffer is full: it takes what the guest reads.
        return self._marks[0].number, self._sent_bytes - unread_bytes if unread_bytes else 0

    def when_read(self, callback: Callable[[], None]) -> None:
        """Call `callback` once the guest has read everything that was sent so far."""
        self._pings += 1
        self.send(Ping(self._pings))
        self._marks.append(_Mark(self._pings, self._sent_bytes, callback))

    async def room(self) -> None:
        """Return when not too much is unread, or the guest is gone."""
        while self._is_full and not self.closed.done():
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._waiting_for_room.append(waiter)
            await waiter

    def send(self, message: Message) -> None:
        """Send `message`, at the end of this turn of the loop at the latest.

        A guest that is gone ignores it. Raises FrameTooLarge.
        """
        if self.closed.done():
            return
        kind = type(message)
        if kind is RunStart:
            self._runs.add(message.run)  # type: ignore[attr-defined]
        elif kind is RunAbort:
            self._runs.discard(message.run)  # type: ignore[attr-defined]
        data = frame(message)
        self._sent_bytes += len(data)
        if not self._pending:
            self._loop.call_soon(self.flush)
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes > PENDING_MAX_BYTES:  # then it is known whether there is room
            self.flush()

    def close(self) -> None:
        """Cut the conversation."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's is not an asyncio.Transport
        assert self._transport is not None
        self._transport.set_write_buffer_limits(UNREAD_HIGH_BYTES, UNREAD_LOW_BYTES)

    def pause_writing(self) -> None:
        self._is_full = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._is_full = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        self._let_go_on()

    def data_received(self, data: bytes) -> None:
        self._about = 0
        try:
            for message in self._reader.receive(data):
                self._hand_on(message)
        except ProtocolError as error:
            self.close()
            self._broken(error, self._about)
        if self._runs and self._heard_by is not None:
            self._heard_by.all_heard()
            self.flush()  # the next turn of the loop would cost a tenth of a short step

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)
        self._marks.clear()
        self._let_go_on()

    def _let_go_on(self) -> None:
        waiting, self._waiting_for_room = self._waiting_for_room, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def _hand_on(self, message: Message) -> None:
        self._about = getattr(message, "run", 0)
        route = self.routes.get(type(message))
        if route is None:
            raise ProtocolError(f"{message.type} is not for the host")
        try:
            route(message)
        except ProtocolError:
            raise
        except Exception as error:  # a defect of ours, but only this message fails
            log.exception("%s of a guest failed inside Groundfog", message.type)
            self._fail(message, f"{message.type} could not be handled: {error!r}", error)

    def _fail(self, message: Message, problem: str, error: Exception) -> None:
        """Fail only the call or run of a message that could not be handled.

        Raises ProtocolError if that is unknown: then the guest cannot go on.
        """
        run, exchange = getattr(message, "run", 0), getattr(message, "id", None)
        try:
            if isinstance(message, BindingCall):
                self.send(BindingFailed(message.id, "Error", problem))
            elif run and self._heard_by is not None:
                self._heard_by.mishap(run, problem)
            elif exchange is not None:
                self.exchanges.fail(exchange, problem)
            else:
                raise ProtocolError(problem) from error
        except ProtocolError:
            raise
        except Exception as second:
            log.exception("%s of a guest failed inside Groundfog, twice", message.type)
            raise ProtocolError(problem) from second

    def flush(self) -> None:
        """Write what was sent in this turn of the event loop."""
        pending, self._pending = self._pending, []
        self._pending_bytes = 0
        transport = self._transport
        if not pending or transport is None or transport.is_closing():
            return
        transport.write(pending[0] if len(pending) == 1 else b"".join(pending))

    def _on_loaded(self, message: Loaded | LoadFailed) -> None:
        if self.loaded.done():
            raise ProtocolError(f"{message.type} came twice")
        if isinstance(message, Loaded) and message.protocol != PROTOCOL_VERSION:
            message = _other_version(message.protocol)
        self.loaded.set_result(message)

    def _on_binding_call(self, message: BindingCall) -> None:
        self.calls.start(message, message.run == 0 or message.run in self._runs)

    def _on_credit(self, message: Credit) -> None:
        if message.bytes <= 0:
            raise ProtocolError(f"credit of {message.bytes} bytes")
        self._on_body(message)

    def _on_body(self, message: Data | End | Credit | Cancel) -> None:
        opened_by_host = message.id % 2 == 0
        (self.exchanges if opened_by_host else self.calls).receive(message)

    def _on_pong(self, message: Pong) -> None:
        """Raises ProtocolError for a ping that was not sent, or cannot have been read."""
        if not 0 < message.number <= self._pings:
            raise ProtocolError(f"pong {message.number}, of {self._pings} pings")
        while self._marks and self._marks[0].number <= message.number:
            if self._marks[0].position > self._sent_bytes - self.unread_bytes:
                raise ProtocolError(f"pong {message.number} before it was sent the ping")
            self._marks.popleft().answered()

    def _on_run_end(self, message: RunEnd, runs: Runs) -> None:
        if not message.kept:
            self._runs.discard(message.run)
        runs.hear(message)


def _other_version(version: int) -> LoadFailed:
    text = (
        f"The guest speaks version {version} of the runner protocol, the host version"
        f" {PROTOCOL_VERSION}. Use host and guest of the same version of Groundfog."
    )
    return LoadFailed(OTHER_VERSION, text, "")


def _ignore(message: Message) -> None:
    return None
