"""Byte streams that steps return: sent to the host while the attempt runs, and read back from it.

User code gets from such a step a stream of the stored bytes, never the stream that it returned. So
the bytes are the same live and in every replay. PROTOCOL.md, section 9, has the rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from ....protocol.runs import (
    OUTPUT_CHUNK_BYTES,
    OUTPUT_WINDOW_CHUNKS,
    StepChunk,
    StreamPiece,
    StreamRead,
)
from ....protocol.values import StreamValue
from .. import scope
from ..sdk.pyodide.ffi import JsException
from ..streams import Chunk, ReadableStream, Send

# Source: https://github.com/cloudflare/workers-sdk/blob/main/packages/workflows-shared/src/lib/streams.ts
# (MAX_STREAM_OUTPUT_INPUT_CHUNK_BYTES).
INPUT_CHUNK_MAX_BYTES = 16 * 1024 * 1024


class InvalidOutput(Exception):
    """The stream cannot be kept, and a retry cannot help: the instance fails."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message


class Upload:
    """The stream of one attempt on its way to the host."""

    def __init__(self, run: int, call: int, attempt: int, send: Send) -> None:
        self.over = False  # the attempt has ended before its stream
        self.call = call
        self.attempt = attempt
        self._run = run
        self._send = send
        self._task = asyncio.current_task()
        self._on_the_way = 0
        self._room: asyncio.Future[None] | None = None

    async def send_all(self, stream: ReadableStream) -> None:
        """Send `stream` to its end, at the host's pace. Raises InvalidOutput, or what it raises."""
        if stream.locked:
            raise InvalidOutput(
                "InvalidStepReadableStreamError",
                "Step returned a ReadableStream that is already locked or otherwise unreadable."
                " Return a fresh, unlocked ReadableStream from step.do().",
            )
        rest = bytearray()
        try:
            async for item in stream.items():
                rest += _bytes(item)
                while len(rest) >= OUTPUT_CHUNK_BYTES:
                    await self._chunk(bytes(rest[:OUTPUT_CHUNK_BYTES]))
                    del rest[:OUTPUT_CHUNK_BYTES]
        finally:
            await stream.cancel()
        if rest:
            await self._chunk(bytes(rest))

    def taken(self, attempt: int, over: bool) -> None:
        """The host has stored a chunk, or wants no more of this attempt."""
        if attempt != self.attempt:
            return
        if over:
            self.stop()
        self._on_the_way -= 1
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def stop(self) -> None:
        """The attempt is over: read no further."""
        if not self.over and self._task is not None:  # once: its source may be cleaning up
            self._task.cancel()
        self.over = True

    async def _chunk(self, data: bytes) -> None:
        while self._on_the_way >= OUTPUT_WINDOW_CHUNKS:
            self._room = asyncio.get_running_loop().create_future()
            await self._room
        self._on_the_way += 1
        self._send(StepChunk(self._run, self.call, self.attempt, data))


def _bytes(item: Any) -> bytes | bytearray | memoryview:
    """Return a chunk's bytes. Raises InvalidOutput."""
    if not isinstance(item, bytes | bytearray | memoryview):
        raise InvalidOutput(
            "UnsupportedStreamChunkError",
            "Step returned a ReadableStream with unsupported chunk type. Only ArrayBuffer and"
            f" TypedArray chunks are supported. (It is {type(item)}; expected bytes.)",
        )
    size = item.nbytes if isinstance(item, memoryview) else len(item)
    if size > INPUT_CHUNK_MAX_BYTES:
        raise InvalidOutput(
            "OversizedStreamChunkError",
            "Step returned a ReadableStream chunk larger than the maximum allowed size of"
            f" {INPUT_CHUNK_MAX_BYTES} bytes. Return smaller chunks from step.do().",
        )
    return item.tobytes() if isinstance(item, memoryview) else item


class Stored:
    """Source of a ReadableStream: the stored bytes of a step, read from the host piece by piece."""

    def __init__(self, value: StreamValue, read: Callable[[int], asyncio.Future[bytes]]) -> None:
        self._chunks = value.chunks
        self._read = read

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        for position in range(self._chunks):
            yield Chunk(await self._read(position))


def fresh(value: Any) -> Any:
    """Return `value`; of a step's stored stream one that has not been read."""
    if type(value) is ReadableStream and type(value.source) is Stored:
        return ReadableStream(value.source)
    return value


class Downloads:
    """The pieces of stored streams that a run waits for."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Send) -> None:
        self._loop = loop
        self._send = send
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._last = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def received(self, value: Any, step: str, of: scope.Scope) -> Any:
        """Return the value of a step for user code, with streams in place of references."""
        return self.stream(value, step, of) if type(value) is StreamValue else value

    def stream(self, value: StreamValue, step: str, of: scope.Scope) -> ReadableStream:
        """Return a stream of what is stored, for the run `of`."""

        def read(position: int) -> asyncio.Future[bytes]:
            if of.dropped:
                raise scope.RunDropped
            if not of.run:
                raise JsException("The workflow run that this stream belongs to is over.")
            self._last += 1
            found: asyncio.Future[bytes] = self._loop.create_future()
            self._waiting[self._last] = found
            where = (value.id, position, value.chunks, value.size)
            self._send(StreamRead(of.run, self._last, *where, step))
            return found

        return ReadableStream(Stored(value, read))

    def piece(self, message: StreamPiece) -> None:
        """The host answered."""
        found = self._waiting.pop(message.read, None)
        if found is None or found.done():
            return
        if message.error:
            found.set_exception(JsException(message.error))
        else:
            found.set_result(message.payload)

    def clear(self) -> None:
        """Stop waiting for pieces."""
        self._waiting.clear()
