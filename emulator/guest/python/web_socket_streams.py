"""A WebSocket whose messages go as streams: to and from a Durable Object, through the host."""

from __future__ import annotations

import asyncio
from typing import Any

from ...protocol import web_sockets as wire
from .streams import ReadableStream
from .web_sockets import WebSocketPair


class Coupled:
    """A pair: user code has the end `near`; the other one is coupled to two streams."""

    def __init__(self) -> None:
        self.near, self._far = WebSocketPair()
        self._messages = self._far.couple()
        self.outgoing = ReadableStream(self._sending())

    def stop(self) -> None:
        """Send nothing: the other side has declined."""
        self._messages.put_nowait(None)

    def hear(self, body: ReadableStream) -> None:
        """Pass on what the other side sends, until it ends."""
        task = asyncio.ensure_future(self._hear(body))
        _hearing.add(task)
        task.add_done_callback(_hearing.discard)

    async def _hear(self, body: ReadableStream) -> None:
        decoder = wire.Decoder()
        kind = 0
        try:
            async for piece in body:
                for kind, payload in decoder.feed(piece):
                    self._far.from_client(kind, payload)
        except Exception:  # its guest has ended
            kind = 0
        if kind != wire.CLOSE:
            self._far.disconnected()
        self._messages.put_nowait(None)

    async def _sending(self) -> Any:
        kind = 0
        while kind != wire.CLOSE and (message := await self._messages.get()) is not None:
            kind = message[0]
            yield wire.encode(*message)


_hearing: set[asyncio.Task[Any]] = set()
