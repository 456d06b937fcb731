"""Bodies inside the guest: `ReadableStream` for user code, and both ends of the credit windows."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from ...protocol.messages import Cancel, Credit, Data, End, Message, ProtocolError
from ...protocol.streams import ReceiveWindow, SendWindow
from .jsdict import JsDict
from .pyodide.ffi import JsException

Send = Callable[[Message], None]


class Chunk(bytes):
    """A piece of a body: bytes, with the methods a Uint8Array proxy has in Pyodide."""

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


class ReadableStream:
    """A stream of bytes that can be read once: `async for chunk in stream`.

    Made from any (async) iterable or iterator of bytes or str.
    """

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

    def getReader(self) -> _Reader:  # JavaScript's name
        """Return a reader with `await read()` -> `{"done", "value"}`."""
        if self.locked:
            raise JsException("This ReadableStream is currently locked to a reader.", "TypeError")
        self.locked = True
        return _Reader(self)

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


class IncomingBody:
    """A body the host sends: an async iterator of Chunks that gives credit as it is read."""

    def __init__(self, exchange_id: int, send: Send) -> None:
        self._id = exchange_id
        self._send = send
        self._window = ReceiveWindow()
        self._chunks: deque[Chunk] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self.ended = False  # nothing more will come

    def data(self, payload: bytes) -> None:
        """Take a piece from the host. Raises ProtocolError when there was no room for it."""
        if not self._window.received(len(payload)):
            raise ProtocolError(f"exchange {self._id}: more data than there was room for")
        if not self.ended:
            self._chunks.append(Chunk(payload))
            self._wake()

    def end(self, error: str = "") -> None:
        """The host has sent everything, or was cut off: then reading raises `error`."""
        self.ended = True
        if error:
            self._error = JsException(error)
        self._wake()

    def cancel(self) -> None:
        """Tell the host that nobody reads on."""
        if not self.ended:
            self.ended = True
            self._chunks.clear()
            self._send(Cancel(self._id))

    async def aclose(self) -> None:
        """Stop reading (the name async generators use)."""
        self.cancel()

    def __aiter__(self) -> IncomingBody:
        return self

    async def __anext__(self) -> Chunk:
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self.ended:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        chunk = self._chunks.popleft()
        credit = self._window.consumed(len(chunk))
        if credit and not self.ended:
            self._send(Credit(self._id, credit))
        return chunk

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class OutgoingBody:
    """A body we send: waits for the host's credit, stops when the host cancels."""

    def __init__(self, exchange_id: int, send: Send) -> None:
        self._id = exchange_id
        self._send = send
        self._window = SendWindow()
        self._waiter: asyncio.Future[None] | None = None
        self.cancelled = False

    def credit(self, amount: int) -> None:
        """The host has room for `amount` more bytes."""
        self._window.credit(amount)
        self._wake()

    def cancel(self) -> None:
        """The host reads no further."""
        self.cancelled = True
        self._wake()

    def write_now(self, data: memoryview) -> memoryview:
        """Send what there is room for and return the rest."""
        while data and (granted := self._window.take(len(data))):
            self._send(Data(self._id, bytes(data[:granted])))
            data = data[granted:]
        return data

    async def write(self, data: bytes | memoryview) -> None:
        """Send all of `data`, at the host's pace."""
        rest = memoryview(data)
        while not self.cancelled and (rest := self.write_now(rest)):
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def end(self, error: str = "") -> None:
        """Say that the body is complete, or was cut off by `error`."""
        self._send(End(self._id, error))

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


ReadableStream.__module__ = "js"
