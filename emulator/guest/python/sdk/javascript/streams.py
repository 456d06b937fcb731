"""Streams that user code makes: `ReadableStream.new({…})`, `WritableStream`, `TransformStream`.

Source: https://streams.spec.whatwg.org/.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from typing import Any

from ...streams import Channel, ReadableStream
from ..jserror import JsException
from ..jsobject import JsObject, options
from ..jsproxy import call_with
from .buffers import bytes_of
from .promises import Promise, as_exception, promised


class ReadableStreamDefaultController(JsObject):
    """What the functions of a source are given; it is iterated by who reads."""

    def __init__(self, source: dict[str, Any]) -> None:
        self._pull, self._cancel = source.get("pull"), source.get("cancel")
        self._start = source.get("start")
        self._pieces: deque[Any] = deque()
        self._closed = False
        self._error: Exception | None = None
        self._changed = asyncio.Event()
        self._started: Any = None if self._start is None else call_with(self._start, self)

    desiredSize = 1

    def enqueue(self, piece: Any = None) -> None:
        """Add a piece."""
        if self._closed:
            raise JsException("Unable to enqueue: the stream is closed.", "TypeError")
        data = None if isinstance(piece, str) else bytes_of(piece)
        self._pieces.append(piece if data is None else data)
        self._changed.set()

    def close(self) -> None:
        """Add no more."""
        self._closed = True
        self._changed.set()

    def error(self, error: Any = None) -> None:
        """Fail: who reads gets the error."""
        self._error = as_exception(error)
        self._changed.set()

    def __aiter__(self) -> ReadableStreamDefaultController:
        return self

    async def __anext__(self) -> Any:
        if inspect.isawaitable(self._started):
            await self._started
        self._started = None
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._closed:
                raise StopAsyncIteration
            self._changed.clear()
            if self._pull is not None:
                pulled = call_with(self._pull, self)
                if inspect.isawaitable(pulled):
                    await pulled
            if not self._changed.is_set():
                await self._changed.wait()
        return self._pieces.popleft()

    async def aclose(self) -> None:
        """Stop reading (the name async generators use)."""
        if self._cancel is not None and not self._closed:
            self._closed = True
            cancelled = call_with(self._cancel, None)
            if inspect.isawaitable(cancelled):
                await cancelled


class _Writer(JsObject):
    """Writes to a stream."""

    def __init__(self, stream: WritableStream) -> None:
        self._stream = stream

    ready = property(lambda self: Promise.resolve(None))

    @property
    def closed(self) -> Promise:
        """A promise that is kept when the stream is closed."""
        return Promise(self._stream._ended.wait())

    def write(self, piece: Any = None) -> Promise:
        """Write a piece; the promise is kept when it has been taken."""
        data = None if isinstance(piece, str) else bytes_of(piece)
        return Promise(self._stream._write(piece if data is None else data))

    def close(self) -> Promise:
        """Write no more."""
        return Promise(self._stream._close())

    def abort(self, reason: Any = None) -> Promise:
        """Break it off."""
        return Promise(self._stream._abort(reason))

    def releaseLock(self) -> None:  # JavaScript's name
        """Let another writer write."""
        self._stream.locked = False


class WritableStream(JsObject):
    """A stream that is written: to functions of the user's, `{start, write, close, abort}`."""

    def __init__(self, sink: Any = None, strategy: Any = None, **keywords: Any) -> None:
        self._sink = options(sink, keywords)
        self._ended = asyncio.Event()
        self.locked = False
        self._last: asyncio.Future[Any] | None = None
        if (start := self._sink.get("start")) is not None:
            self._last = asyncio.ensure_future(_done(call_with(start, self)))

    def getWriter(self) -> _Writer:  # JavaScript's name
        """Return what writes to it."""
        if self.locked:
            raise JsException("This WritableStream is currently locked to a writer.", "TypeError")
        self.locked = True
        return _Writer(self)

    def close(self) -> Promise:
        """Write no more."""
        return Promise(self._close())

    def abort(self, reason: Any = None) -> Promise:
        """Break it off."""
        return Promise(self._abort(reason))

    async def _write(self, piece: Any) -> None:
        await self._call("write", piece, self)

    async def _close(self) -> None:
        await self._call("close")
        self._ended.set()

    async def _abort(self, reason: Any) -> None:
        await self._call("abort", reason)
        self._ended.set()

    async def _call(self, name: str, *arguments: Any) -> None:
        before, function = self._last, self._sink.get(name)

        async def ordered() -> None:
            if before is not None:
                await before
            if function is not None:
                await _done(call_with(function, *arguments))

        self._last = asyncio.ensure_future(ordered())
        await self._last


class TransformStream(JsObject):
    """What is written to `writable` is read from `readable`, as `{transform, flush}` make it."""

    def __init__(self, transformer: Any = None, *strategies: Any, **keywords: Any) -> None:
        chosen = options(transformer, keywords)
        self._channel = Channel()
        self.readable = ReadableStream(self._channel)
        controller = _TransformController(self._channel)
        transform, flush = chosen.get("transform"), chosen.get("flush")

        async def write(piece: Any) -> None:
            if transform is None:
                await self._channel.write(piece)
            else:
                await _done(call_with(transform, piece, controller))
                await controller.written()

        async def close() -> None:
            if flush is not None:
                await _done(call_with(flush, controller))
                await controller.written()
            self._channel.close()

        async def abort(reason: Any) -> None:
            self._channel.fail(as_exception(reason))

        self.writable = WritableStream({"write": write, "close": close, "abort": abort})
        if (start := chosen.get("start")) is not None:
            self.writable._last = asyncio.ensure_future(_done(call_with(start, controller)))


class IdentityTransformStream(TransformStream):
    """What is written is read."""


class FixedLengthStream(TransformStream):
    """What is written is read; so many bytes are announced."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.readable.announced = int(length)


class _TransformController(JsObject):
    """What the functions of a transformer are given."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._pieces: deque[Any] = deque()

    desiredSize = 1

    def enqueue(self, piece: Any = None) -> None:
        """Add a piece for who reads."""
        data = None if isinstance(piece, str) else bytes_of(piece)
        self._pieces.append(piece if data is None else data)

    def terminate(self) -> None:
        """Add no more."""
        self._channel.close()

    def error(self, error: Any = None) -> None:
        """Fail: who reads gets the error."""
        self._channel.fail(as_exception(error))

    async def written(self) -> None:
        while self._pieces:
            await self._channel.write(self._pieces.popleft())


async def _done(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


def readable(source: Any = None, strategy: Any = None, **keywords: Any) -> ReadableStream:
    """`ReadableStream.new({start, pull, cancel})`."""
    return ReadableStream(ReadableStreamDefaultController(options(source, keywords)))


@promised
async def pipe_to(stream: ReadableStream, writable: WritableStream) -> None:
    """Write all of a stream to another and close that."""
    writer = writable.getWriter()
    try:
        async for piece in stream:
            await writable._write(bytes(piece) if isinstance(piece, bytes) else piece)
    except Exception as error:
        await writable._abort(error)
        raise
    await writable._close()
    writer.releaseLock()


def pipe_through(stream: ReadableStream, pair: Any) -> Any:
    """Write all of a stream to `pair.writable`, and return `pair.readable`."""
    pipe_to(stream, pair.writable)
    return pair.readable


for _name, _function in (("pipeTo", pipe_to), ("pipeThrough", pipe_through)):
    setattr(ReadableStream, _name, _function)
type.__setattr__(ReadableStream, "new", staticmethod(readable))
