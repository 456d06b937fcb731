"""How fast a body may be sent, decided by its reader, and both ends of a body for asyncio.

Each direction of an exchange has a window of `WINDOW_BYTES`. A sender takes from it before it sends
Data and waits when it is empty; a receiver gives back with Credit what its consumer has taken. One
slow reader thus holds up its own body and nothing else on the connection. Host and guest read and
send bodies alike; they send messages through a function they are given. No I/O here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Callable

from .exchanges import Cancel, Credit, Data, End
from .message import Message, ProtocolError

WINDOW_BYTES = 256 * 1024
CHUNK_BYTES = 64 * 1024
_CREDIT_AFTER_BYTES = WINDOW_BYTES // 4


class SendWindow:
    """The sender's side: how much the peer has room for."""

    def __init__(self) -> None:
        self.room = WINDOW_BYTES

    def take(self, wanted: int) -> int:
        """Return how many of `wanted` bytes may be sent now (0: wait for Credit)."""
        granted = min(wanted, self.room, CHUNK_BYTES)
        self.room -= granted
        return granted

    def credit(self, amount: int) -> None:
        """The peer has room for `amount` more bytes."""
        self.room += amount


class ReceiveWindow:
    """The receiver's side: when to tell the peer that there is room again."""

    def __init__(self) -> None:
        self._room = WINDOW_BYTES
        self._consumed = 0

    def received(self, amount: int) -> bool:
        """Count bytes that arrived; return False when the peer sent more than it may."""
        self._room -= amount
        return self._room >= 0

    def consumed(self, amount: int) -> int:
        """Count bytes the consumer took; return how much Credit to send now (0: none yet)."""
        self._consumed += amount
        if self._consumed < _CREDIT_AFTER_BYTES:
            return 0
        credit, self._consumed = self._consumed, 0
        self._room += credit
        return credit


Send = Callable[[Message], None]


class Incoming:
    """A body the peer sends: an async iterator that gives credit as pieces are taken."""

    def __init__(self, exchange_id: int, send: Send) -> None:
        self._id = exchange_id
        self._send = send
        self._window = ReceiveWindow()
        self._pieces: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self.ended = False  # nothing more will come

    def data(self, payload: bytes) -> None:
        """Take a piece in. Raises ProtocolError when there was no room for it."""
        if not self._window.received(len(payload)):
            raise ProtocolError(f"exchange {self._id}: more data than there was room for")
        if payload and not self.ended:
            self._pieces.append(payload)
            self._wake()

    def end(self, error: Exception | None = None) -> None:
        """Nothing more comes; with `error`, reading past what came raises it."""
        if not self.ended:
            self.ended = True
            self._error = error
            self._wake()

    def failed_with(self, error: Exception) -> None:
        """Reading past what has come raises `error`."""
        self._error = error
        self._wake()

    def cancel(self) -> None:
        """Stop reading; the peer is told to stop sending."""
        if not self.ended:
            self.ended = True
            self._pieces.clear()
            self._send(Cancel(self._id))

    def __aiter__(self) -> Incoming:
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self.ended:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        piece = self._pieces.popleft()
        credit = self._window.consumed(len(piece))
        if credit and not self.ended:
            self._send(Credit(self._id, credit))
        return piece

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Outgoing:
    """A body we send: it waits for the peer's credit, and stops when the peer cancels."""

    def __init__(self, exchange_id: int, send: Send) -> None:
        self._id = exchange_id
        self._send = send
        self._window = SendWindow()
        self._waiter: asyncio.Future[None] | None = None
        self.cancelled = False

    def credit(self, amount: int) -> None:
        """The peer has room for `amount` more bytes."""
        self._window.credit(amount)
        self._wake()

    def cancel(self) -> None:
        """The peer reads no further."""
        self.cancelled = True
        self._wake()

    def write_now(self, data: memoryview) -> memoryview:
        """Send what there is room for and return the rest."""
        while data and (granted := self._window.take(len(data))):
            self._send(Data(self._id, bytes(data[:granted])))
            data = data[granted:]
        return data

    async def write(self, data: bytes | memoryview) -> None:
        """Send all of `data`, at the peer's pace."""
        rest = memoryview(data)
        while not self.cancelled and (rest := self.write_now(rest)):
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def end(self, error: str = "") -> None:
        """Say that the body is complete, or was cut off by `error`."""
        self._send(End(self._id, error))

    async def pump(self, pieces: AsyncIterable[bytes], cut_off: Callable[[Exception], str]) -> None:
        """Send all of `pieces`, then the end; stop when the peer reads no further.

        When `pieces` raises, the body is cut off with the text that `cut_off` makes of it.
        """
        error = ""
        try:
            async for piece in pieces:
                await self.write(piece)
                if self.cancelled:
                    break
        except Exception as raised:  # the source's trouble is told to the reader
            error = cut_off(raised)
        self.end(error)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
