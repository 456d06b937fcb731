"""Answers the binding calls of one guest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Protocol

from bindings.binding import Binding, ByteStream, Encoded
from emulator.errors import EmulatorError, WorkerError
from emulator.protocol import values
from emulator.protocol.bindings import BindingCall, BindingFailed, BindingResult
from emulator.protocol.framing import MAX_FRAME_BYTES, FrameTooLarge
from emulator.protocol.message import Message, ProtocolError
from emulator.protocol.windows import Outgoing

log = logging.getLogger(__name__)

INTERNAL_ERROR = "internal error"
# A guest's calls in flight. Production allows 1,000 per request (docs "Limits": subrequests), so
# that many at once in twenty requests; each costs the host a few KB.
CALLS_MAX = 20_000
# More is decoded in a thread that lets the loop go on.
DECODED_AT_ONCE_MAX_BYTES = 512 * 1024
_PLAIN = values.Shapes(typed=lambda array: array.view().tolist())
# What may wait to be read when another result comes: some of the largest size.
RESULTS_MAX_BYTES = 4 * MAX_FRAME_BYTES


class Line(Protocol):
    """The way to the guest."""

    def send(self, message: Message) -> None: ...
    async def room(self) -> None:
        """Return when not too much is unread."""
        ...

    @property
    def unread_bytes(self) -> int: ...


class BindingCalls:
    """Runs each call in a task it owns; a call from a run that was dropped fails.

    A call begins when the guest has read most of what it was sent before.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, line: Line, bindings: Mapping[str, Binding]
    ) -> None:
        self._loop = loop
        self._line = line
        self._send = line.send
        self._bindings = bindings
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._outflows: dict[int, Outgoing] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, message: BindingCall, run_is_live: bool) -> None:
        """Answer `message`.

        Raises ProtocolError for an id that is in use or the host's to give.
        """
        if message.id in self._tasks or message.id % 2 == 0:
            raise ProtocolError(f"binding call with id {message.id}, which is not free")
        if not run_is_live:
            text = "The workflow run that made this call is over."
            self._send(BindingFailed(message.id, "Error", text))
            return
        if len(self._tasks) >= CALLS_MAX:
            text = f"More than {CALLS_MAX:,} binding calls at once; await some before making more."
            self._send(BindingFailed(message.id, "Error", text))
            return
        task = self._loop.create_task(self._answer(message), name=f"call {message.method}")
        self._tasks[message.id] = task
        task.add_done_callback(lambda _: self._ended(message.id))

    def outflow(self, exchange_id: int) -> Outgoing | None:
        """Return the result stream being sent on this exchange."""
        return self._outflows.get(exchange_id)

    def cancel(self, exchange_id: int) -> None:
        """The guest reads a result stream no further."""
        if exchange_id in self._outflows:
            self._tasks[exchange_id].cancel()

    async def close(self) -> None:
        """Cancel every call and wait for their ends."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, exchange_id: int) -> None:
        del self._tasks[exchange_id]
        self._outflows.pop(exchange_id, None)

    async def _answer(self, message: BindingCall) -> None:
        where = f"env.{message.binding}.{message.method}()"
        try:
            binding = self._bindings.get(message.binding)
            if binding is None:
                raise WorkerError(f"There is no binding {message.binding}.")
            await self._line.room()
            args = await _arguments(message, binding, where)
            result = await binding.call(message.method, args)
            if isinstance(result, ByteStream):
                await self._stream(message.id, result, where)
            else:
                payload = result.data if isinstance(result, Encoded) else values.encode(result)
                self._check_room(len(payload))
                self._send(BindingResult(message.id, payload=payload))
        except WorkerError as error:
            code = error.code or 0
            self._send(BindingFailed(message.id, error.name, error.message, code))
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

    def _check_room(self, size_bytes: int) -> None:
        """Refuse a result of calls made side by side that the guest is far from reading."""
        unread_bytes = self._line.unread_bytes
        if unread_bytes and unread_bytes + size_bytes > RESULTS_MAX_BYTES:
            raise WorkerError(
                f"The result has {size_bytes:,} bytes, and {unread_bytes:,} bytes of other results"
                " have not been read yet. Await some calls before making more.",
                name="RangeError",
            )

    async def _stream(self, exchange_id: int, stream: ByteStream, where: str) -> None:
        outflow = self._outflows[exchange_id] = Outgoing(exchange_id, self._send)
        self._send(BindingResult(exchange_id, stream=True, content_type=stream.content_type))
        try:
            await outflow.pump(stream.chunks, lambda error: _cut_off(error, where))
        finally:
            close = getattr(stream.chunks, "aclose", None)
            if close is not None:
                await close()


async def _arguments(message: BindingCall, binding: Binding, where: str) -> list[Any]:
    """Return what a call is made with. Raises WorkerError when it is too much, or no values."""
    size = len(message.payload)
    most = getattr(binding, "arguments_max_bytes", {}).get(message.method, size)
    if size > most:
        raise WorkerError(f"{where}: {size:,} bytes of arguments; expected {most:,} at the most.")
    keeps_arrays = getattr(binding, "keeps_typed_arrays", False)
    shapes = values.HOST_SHAPES if keeps_arrays else _PLAIN
    try:
        if size > DECODED_AT_ONCE_MAX_BYTES:
            args = await asyncio.to_thread(values.decode, message.payload, shapes, yielding=True)
        else:
            args = values.decode(message.payload, shapes)
    except values.MalformedValue as error:
        raise WorkerError(f"{where}: the arguments are damaged: {error}") from error
    if not isinstance(args, list):
        raise WorkerError(f"{where}: the arguments are no list")
    return args


def _cut_off(error: Exception, where: str) -> str:
    if isinstance(error, WorkerError):
        return error.message
    log.error("the stream of %s failed inside Groundfog", where, exc_info=error)
    return f"{INTERNAL_ERROR} in the stream of {where}: {type(error).__name__}: {error}"
