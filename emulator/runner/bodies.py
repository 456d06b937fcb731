"""Bodies on the host's side: read at the consumer's pace, sent at the guest's."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from emulator.protocol.messages import Cancel, Credit, Data, End, Message, ProtocolError
from emulator.protocol.streams import ReceiveWindow, SendWindow

Send = Callable[[Message], None]


class ResponseBody:
    """A body the guest sends: an async iterator that gives credit as chunks are taken."""

    def __init__(self, exchange_id: int, send: Send) -> None:
        self._id = exchange_id
        self._send = send
        self._window = ReceiveWindow()
        self._chunks: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self.ended = False  # nothing more will come

    def data(self, payload: bytes) -> None:
        """Take a piece in. Raises ProtocolError when there was no room for it."""
        if not self._window.received(len(payload)):
            raise ProtocolError(f"exchange {self._id}: more data than there was room for")
        if payload and not self.ended:
            self._chunks.append(payload)
            self._wake()

    def end(self, error: Exception | None = None) -> None:
        """Nothing more comes; with `error`, reading past what came raises it."""
        if not self.ended:
            self.ended = True
            self._error = error
            self._wake()

    async def close(self) -> None:
        """Stop reading; the guest is told to stop sending."""
        if not self.ended:
            self.ended = True
            self._chunks.clear()
            self._send(Cancel(self._id))

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
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


class Outflow:
    """A body we send to the guest."""

    def __init__(self, exchange_id: int, send: Send) -> None:
        self._id = exchange_id
        self._send = send
        self._window = SendWindow()
        self._waiter: asyncio.Future[None] | None = None

    def credit(self, amount: int) -> None:
        """The guest has room for `amount` more bytes."""
        self._window.credit(amount)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def pump(self, chunks: AsyncIterator[bytes], cut_off: Callable[[Exception], str]) -> None:
        """Send all of `chunks`, waiting for credit, then the end.

        When `chunks` raises, the body is cut off with the text that `cut_off` makes of it.
        """
        error = ""
        try:
            async for chunk in chunks:
                await self._write(chunk)
        except Exception as raised:  # the source's trouble is told to the reader, not to the host
            error = cut_off(raised)
        self._send(End(self._id, error))

    async def _write(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            granted = self._window.take(len(rest))
            if granted:
                self._send(Data(self._id, bytes(rest[:granted])))
                rest = rest[granted:]
            else:
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
