"""Bodies inside the guest: `ReadableStream` for user code, and what the host sends."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from ...protocol.windows import Incoming
from ...protocol.windows import Send as Send
from .sdk.jsdict import JsDict
from .sdk.jserror import JsException
from .sdk.jsobject import JsObject


class Chunk(bytes):
    """A piece of a body: bytes, with the members that a Uint8Array has in Pyodide."""

    @property
    def byteLength(self) -> int:  # JavaScript's name
        """The length in bytes."""
        return len(self)

    length = byteLength

    def to_bytes(self) -> bytes:
        """Return plain bytes."""
        return bytes(self)

    def to_memoryview(self) -> memoryview:
        """Return a view."""
        return memoryview(self)

    def to_py(self) -> memoryview:
        """Return a view, as converting a Uint8Array does."""
        return memoryview(self)

    def to_string(self, encoding: str = "utf-8") -> str:
        """Return the text."""
        return self.decode(encoding)


class ReadableStream(JsObject):
    """A stream of bytes that can be read once: `async for chunk in stream`.

    Made from any (async) iterable or iterator of bytes or str. `sdk/javascript/streams.py` adds
    what has to do with streams that are written.
    """

    _is_called = True  # `ReadableStream(source)` is ours
    announced: int | None = None  # how many bytes it has, if it is one of a FixedLengthStream

    def __init__(self, source: Any) -> None:
        self._source = source
        self._iterator: Any = None
        self.locked = False

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        if self._iterator is None:
            self._iterator = _iterate(self._source)
            self.locked = True
        item = await anext(self._iterator)
        return _chunk(item)

    @property
    def source(self) -> Any:
        """What it was made from."""
        return self._source

    def items(self) -> AsyncIterator[Any]:
        """Lock it and return what its source yields, as it comes."""
        self.locked = True
        source = self._source
        self._iterator = source.items() if isinstance(source, ReadableStream) else _iterate(source)
        return self._iterator  # type: ignore[no-any-return]

    @staticmethod
    def from_(source: Any) -> ReadableStream:
        """Return a stream of what can be iterated."""
        return ReadableStream(source)

    def getReader(self) -> _Reader:  # JavaScript's name
        """Return a reader with `await read()` -> `{"done", "value"}`."""
        if self.locked:
            raise JsException("This ReadableStream is currently locked to a reader.", "TypeError")
        self.locked = True
        return _Reader(self)

    def tee(self) -> list[ReadableStream]:
        """Lock it and return two streams of what it yields; each is read at its own pace."""
        if self.locked:
            raise JsException("This ReadableStream is currently locked to a reader.", "TypeError")
        both = _Tee(self)
        return [ReadableStream(branch) for branch in both.branches]

    async def cancel(self, reason: Any = None) -> None:
        """Stop reading; the source is closed."""
        close = getattr(self._iterator or self._source, "aclose", None)
        if close is None:
            close = getattr(self._iterator or self._source, "close", None)
        if close is not None:
            closing = close()
            if inspect.isawaitable(closing):
                await closing

    async def to_bytes(self) -> bytes:
        """Read to the end and return everything."""
        return b"".join([chunk async for chunk in self])


class _Reader:
    def __init__(self, stream: ReadableStream) -> None:
        self._stream = stream

    async def read(self) -> JsDict:
        try:
            return JsDict(done=False, value=await anext(self._stream))
        except StopAsyncIteration:
            return JsDict(done=True, value=None)

    async def cancel(self, reason: Any = None) -> None:
        await self._stream.cancel(reason)

    def releaseLock(self) -> None:  # JavaScript's name
        self._stream.locked = False


class _Tee:
    """One stream for two readers; items that one of them has not read yet are kept for it."""

    def __init__(self, stream: ReadableStream) -> None:
        self.branches = [_Branch(self), _Branch(self)]
        self.end: Exception | None = None  # what reading on raises
        self._stream = stream
        self._items = stream.items()
        self._reading: asyncio.Future[None] | None = None

    async def read(self) -> None:
        """Read one item, or wait until the other branch has."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._read())
        # A reader that is cancelled leaves the item to the other.
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        try:
            item = await anext(self._items)
        except (Exception, asyncio.CancelledError) as error:
            stopped = isinstance(error, StopAsyncIteration | asyncio.CancelledError)
            self.end = StopAsyncIteration() if stopped else error  # type: ignore[assignment]
        else:
            for branch in self.branches:
                branch.add(item)
        self._reading = None

    async def close(self) -> None:
        """Stop reading when neither reads on."""
        if all(branch.closed for branch in self.branches):
            await self._stream.cancel()


class _Branch:
    """Source of one of the two streams."""

    def __init__(self, tee: _Tee) -> None:
        self.closed = False
        self._tee = tee
        self._items: deque[Any] = deque()

    def add(self, item: Any) -> None:
        """Keep an item until it is read."""
        if not self.closed:
            self._items.append(item)

    def __aiter__(self) -> _Branch:
        return self

    async def __anext__(self) -> Any:
        while not self._items:
            if self._tee.end is not None:
                raise self._tee.end
            await self._tee.read()
        return self._items.popleft()

    async def aclose(self) -> None:
        """Stop reading (the name async generators use)."""
        self.closed = True
        self._items.clear()
        await self._tee.close()


class Channel:
    """A stream that is written: source of a ReadableStream. A piece is written once it is read."""

    def __init__(self, cancelled: Callable[[], None] | None = None) -> None:
        self.is_cancelled = False
        self._cancelled = cancelled
        self._piece: Any = None
        self._error: Exception | None = None
        self._closed = False
        self._changed = asyncio.Event()  # a piece is there, or none comes
        self._taken = asyncio.Event()

    async def write(self, piece: Any) -> None:
        """Give a piece, and wait until it is read. Raises JsException if nobody reads on."""
        self._check_reader()
        self._piece = piece
        self._taken.clear()
        self._changed.set()
        await self._taken.wait()
        self._check_reader()

    def fail(self, error: Exception) -> None:
        """Give no more: who reads gets the error."""
        self._error = error
        self.close()

    def close(self) -> None:
        """Give no more."""
        self._closed = True
        self._changed.set()

    def __aiter__(self) -> Channel:
        return self

    async def __anext__(self) -> Any:
        if self._piece is None and not self._closed:
            await self._changed.wait()
        if self._piece is None:
            raise StopAsyncIteration if self._error is None else self._error
        piece, self._piece = self._piece, None
        if not self._closed:
            self._changed.clear()
        self._taken.set()
        return piece

    async def aclose(self) -> None:
        """Stop reading (the name async generators use)."""
        if not self._closed:
            self.is_cancelled = self._closed = True
            self._taken.set()
            if self._cancelled is not None:
                self._cancelled()

    def _check_reader(self) -> None:
        if self.is_cancelled:
            raise JsException("This WritableStream has been closed: nobody reads.", "TypeError")


def is_streamable(value: Any) -> bool:
    """Return whether `value` can be the source of a ReadableStream."""
    return isinstance(value, ReadableStream) or (
        hasattr(value, "__aiter__") or inspect.isgenerator(value)
    )


def _iterate(source: Any) -> Any:
    if hasattr(source, "__aiter__"):
        return aiter(source)
    return _from_sync(iter(source))


async def _from_sync(iterator: Any) -> AsyncIterator[Any]:
    for item in iterator:
        yield item
        await asyncio.sleep(0)  # a long stream must not keep the loop to itself


def _chunk(item: Any) -> Chunk:
    if type(item) is Chunk:
        return item
    if isinstance(item, str):
        return Chunk(item.encode())
    if isinstance(item, bytes | bytearray | memoryview):
        return Chunk(item)
    raise TypeError(f"a body stream yielded {type(item)}; expected bytes or str")


class IncomingBody(Incoming):
    """A body the host sends, as user code may read it: Chunks, and platform errors."""

    def cut_off(self, error: str) -> None:
        """The host could not send everything: reading past what came raises `error`."""
        self.end(JsException(error))

    def break_off(self, error: Exception) -> None:
        """Stop reading: who reads on gets `error`."""
        if not self.ended:
            self.cancel()
            self.failed_with(error)

    async def aclose(self) -> None:
        """Stop reading (the name async generators use)."""
        self.cancel()

    async def __anext__(self) -> Chunk:
        return Chunk(await super().__anext__())


ReadableStream.__module__ = "js"
