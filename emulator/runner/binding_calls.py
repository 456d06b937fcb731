"""Answers the binding calls of one guest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from bindings.binding import Binding, Call, Encoded
from emulator.errors import EmulatorError, WorkerError
from emulator.protocol import values
from emulator.protocol.bindings import BindingCall, BindingFailed, BindingResult
from emulator.protocol.exchanges import Cancel, Credit, Data, End
from emulator.protocol.framing import MAX_FRAME_BYTES, FrameTooLarge
from emulator.protocol.loading import called
from emulator.protocol.message import Message, ProtocolError
from emulator.protocol.windows import Incoming, Outgoing
from emulator.runner import payloads

log = logging.getLogger(__name__)

INTERNAL_ERROR = "internal error"
# A guest's calls in flight. Production allows 1,000 subrequests per request, so this is enough for
# twenty requests at once; each call costs the host a few KB.
# Source: https://developers.cloudflare.com/workers/platform/limits/ (subrequests).
CALLS_MAX = 20_000
BODIES_MAX = 1_000  # each may hold a window of 256 KiB
# Larger arguments are decoded in a thread, so that the loop goes on.
DECODED_AT_ONCE_MAX_BYTES = 512 * 1024
_PLAIN = values.Shapes(typed=lambda array: array.view().tolist())
# Results that may wait to be read when another one comes: a few of the largest size.
RESULTS_MAX_BYTES = 4 * MAX_FRAME_BYTES


class Line(Protocol):
    """The connection to the guest."""

    def send(self, message: Message) -> None: ...
    async def room(self) -> None:
        """Return when not too much is unread."""
        ...

    @property
    def unread_bytes(self) -> int: ...


class _Call:
    """A call in flight, and its bodies."""

    __slots__ = ("task", "incoming", "outgoing")

    def __init__(self, incoming: Incoming | None) -> None:
        self.task: asyncio.Task[None] | None = None
        self.incoming = incoming
        self.outgoing: Outgoing | None = None


class BindingCalls:
    """Runs each call in a task it owns; a call from a run that was dropped fails.

    A call begins when the guest has read most of what was sent to it before.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, line: Line, bindings: Mapping[str, Binding]
    ) -> None:
        self._loop = loop
        self._line = line
        self._send = line.send
        self._bindings = bindings
        self._open: dict[int, _Call] = {}
        self.durable: Callable[[int], Awaitable[None]] | None = None
        self._bodies = 0  # calls in flight whose arguments have a body

    def __len__(self) -> int:
        return len(self._open)

    def start(self, message: BindingCall, run_is_live: bool) -> None:
        """Answer `message`.

        Raises ProtocolError for an id that is in use, or that only the host may give.
        """
        if message.id in self._open or message.id % 2 == 0:
            raise ProtocolError(f"binding call with id {message.id}, which is not free")
        problem = self._refused(message, run_is_live)
        if problem:
            self._send(BindingFailed(message.id, "Error", problem))
            return
        call = _Call(Incoming(message.id, self._send) if message.has_body else None)
        self._bodies += message.has_body
        self._open[message.id] = call
        call.task = self._loop.create_task(
            self._answer(message, call), name=f"call {message.method}"
        )
        call.task.add_done_callback(lambda _: self._ended(message.id))

    def receive(self, message: Data | End | Credit | Cancel) -> None:
        """Handle a message about a body of a call; ignore it if the call is over.

        Raises ProtocolError for more data than there was room for.
        """
        call = self._open.get(message.id)
        if call is None:
            return
        match message:
            case Data(payload=payload) if call.incoming is not None:
                call.incoming.data(payload)
            case End(error=error) if call.incoming is not None:
                call.incoming.end(WorkerError(error) if error else None)
            case Credit(bytes=amount) if call.outgoing is not None:
                call.outgoing.credit(amount)
            case Cancel() if call.task is not None:
                call.task.cancel()

    async def close(self) -> None:
        """Cancel every call and wait for their ends."""
        tasks = [call.task for call in self._open.values() if call.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _refused(self, message: BindingCall, run_is_live: bool) -> str:
        if not run_is_live:
            return "The workflow run that made this call is over."
        if len(self._open) >= CALLS_MAX:
            return f"More than {CALLS_MAX:,} binding calls at once; await some before making more."
        if message.has_body and self._bodies >= BODIES_MAX:
            return f"More than {BODIES_MAX:,} bodies at once; await some calls before making more."
        return ""

    def _ended(self, exchange_id: int) -> None:
        call = self._open.pop(exchange_id)
        if call.incoming is not None:
            self._bodies -= 1
            call.incoming.cancel()

    async def _answer(self, message: BindingCall, call: _Call) -> None:
        where = called(message.binding, message.method)
        try:
            binding = self._bindings.get(message.binding)
            if binding is None:
                raise WorkerError(f"There is no binding {message.binding}.")
            await self._line.room()
            if message.object and self.durable is not None:
                await self.durable(message.object)
            forward = getattr(binding, "forward", None)
            if forward is not None:
                passed = Call(message.method, message.payload, call.incoming, message.depth)
                await self._reply(message.id, call, await forward(passed), where)
                return
            args = await _arguments(message, binding, where, call.incoming)
            result = await binding.call(message.method, args)
            await self._reply(message.id, call, result, where)
        except WorkerError as error:
            code = error.code or 0
            self._send(BindingFailed(message.id, error.name, error.message, code, error.label))
        except RecursionError:
            text = f"{where}: a value is nested too deeply for it."
            self._send(BindingFailed(message.id, "RangeError", text))
        except FrameTooLarge as error:
            self._send(BindingFailed(message.id, "RangeError", f"{where}: {error}"))
        except EmulatorError as error:  # such as a journal that the disk has damaged
            self._send(BindingFailed(message.id, "Error", f"{where}: {error}"))
        except Exception as error:  # a bug in one binding must not take other requests down
            log.exception("%s failed inside Groundfog", where)
            text = f"{INTERNAL_ERROR} in {where}: {type(error).__name__}: {error}"
            self._send(BindingFailed(message.id, "Error", text))

    async def _reply(self, exchange_id: int, call: _Call, result: Any, where: str) -> None:
        if isinstance(result, Encoded):
            payload, stream = result.data, result.stream
        else:
            payload, stream = payloads.encode(result)
        try:
            self._check_room(len(payload))
            if stream is None:
                self._send(BindingResult(exchange_id, payload=payload))
                return
            outgoing = call.outgoing = Outgoing(exchange_id, self._send)
            self._send(BindingResult(exchange_id, True, stream.content_type, payload))
            await outgoing.pump(stream.chunks, lambda error: _cut_off(error, where))
        finally:
            if stream is not None:
                await payloads.close(stream)

    def _check_room(self, size_bytes: int) -> None:
        """Refuse a result if too many results of other calls have not been read yet."""
        unread_bytes = self._line.unread_bytes
        if unread_bytes and unread_bytes + size_bytes > RESULTS_MAX_BYTES:
            raise WorkerError(
                f"The result has {size_bytes:,} bytes, and {unread_bytes:,} bytes of other results"
                " have not been read yet. Await some calls before making more.",
                name="RangeError",
            )


async def _arguments(
    message: BindingCall, binding: Binding, where: str, body: Incoming | None
) -> list[Any]:
    """Return a call's arguments. Raises WorkerError if they are too large or damaged."""
    size = len(message.payload)
    most = getattr(binding, "arguments_max_bytes", {}).get(message.method, size)
    if size > most:
        raise WorkerError(f"{where}: {size:,} bytes of arguments; expected {most:,} at the most.")
    keeps_arrays = getattr(binding, "keeps_typed_arrays", False)
    shapes = values.HOST_SHAPES if keeps_arrays else _PLAIN
    if body is not None:
        shapes = replace(shapes, body=lambda: body)
    try:
        if size > DECODED_AT_ONCE_MAX_BYTES:
            args = await asyncio.to_thread(values.decode, message.payload, shapes, yielding=True)
        else:
            args = values.decode(message.payload, shapes)
    except values.MalformedValue as error:
        raise WorkerError(f"{where}: the arguments are damaged: {error}") from error
    if not isinstance(args, list):
        raise WorkerError(f"{where}: the arguments are not a list")
    return args


def _cut_off(error: Exception, where: str) -> str:
    if isinstance(error, WorkerError):
        return error.message
    log.error("the stream of %s failed inside Groundfog", where, exc_info=error)
    return f"{INTERNAL_ERROR} in the stream of {where}: {type(error).__name__}: {error}"
