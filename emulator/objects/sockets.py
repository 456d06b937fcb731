"""WebSockets that objects have handed over: they stay when their object is not in memory.

Each message of a client is an event of the object. The text that it answers by itself is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from emulator.clock import Clock
from emulator.protocol import values
from emulator.protocol import web_sockets as wire
from emulator.protocol.objects import SocketCall

if TYPE_CHECKING:
    from bindings.durable_objects.storage import Storage

# Delivers an event of a socket: method and arguments.
Deliver = Callable[[str, list[Any]], Awaitable[None]]
_HEAD_BYTES = 5  # of a message, before its payload
_LOST = "WebSocket disconnected without sending Close frame."


class Socket:
    """One socket: what goes to its client, and what is kept with it."""

    def __init__(self, name: str, tags: list[str]) -> None:
        self.name = name
        self.tags = tags
        self.attachment: str | None = None
        self.answered_ms: int | None = None
        self._out: asyncio.Queue[tuple[bytes, Storage | None] | None] = asyncio.Queue()
        self.is_over = False
        self.close: list[Any] = [wire.ABNORMAL, _LOST, False]  # what `webSocketClose` gets
        self.reading: asyncio.Task[None] | None = None

    def send(self, message: bytes, storage: Storage | None = None) -> None:
        """Send a message to the client, once what the object wrote before is durable."""
        if not self.is_over:
            self._out.put_nowait((message, storage))

    def end(self) -> None:
        """Nothing more is sent."""
        self.is_over = True
        self._out.put_nowait(None)

    async def messages(self) -> AsyncIterator[bytes]:
        """Yield what goes to the client, until the object closes or nobody reads any more."""
        try:
            while (item := await self._out.get()) is not None:
                message, storage = item
                if storage is not None:
                    await storage.durable()
                yield message
                if message[0] == wire.CLOSE:
                    self.close = [*wire.close_of(message[_HEAD_BYTES:]), True]
                    return
        finally:
            if self.reading is not None:
                self.reading.cancel()


class Sockets:
    """The sockets of one object, by name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[str, Socket] = {}
        self._auto: list[str] | None = None
        self._reading: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def told(self) -> bytes:
        """Return what a guest is told of them when it opens the object."""
        if not self._open and self._auto is None:
            return b""
        sockets = [
            [each.name, each.tags, each.attachment, each.answered_ms]
            for each in self._open.values()
        ]
        return values.encode({"sockets": sockets, "auto": self._auto})

    def hear(self, message: SocketCall, storage: Storage) -> None:
        """Do what the guest of the object says."""
        socket = self._open.get(message.socket)
        match message.method:
            case "accept":
                tags = [str(tag) for tag in values.decode(message.payload)]
                self._open[message.socket] = Socket(message.socket, tags)
            case "auto_respond":
                self._auto = values.decode(message.payload)
            case "send" if socket is not None:
                socket.send(message.payload, storage)
            case "attach" if socket is not None:
                socket.attachment = message.payload.decode()

    def connect(self, name: str, body: AsyncIterator[bytes] | None, deliver: Deliver) -> Socket:
        """The client of a socket is there: deliver what it sends."""
        socket = self._open[name]
        if body is not None:
            task = socket.reading = asyncio.get_running_loop().create_task(
                self._read(socket, body, deliver), name=f"socket {name}"
            )
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)
        return socket

    def end_all(self) -> None:
        """The object has ended, and its sockets with it."""
        for task in self._reading:
            task.cancel()
        for socket in self._open.values():
            socket.end()
        self._open.clear()

    async def _read(self, socket: Socket, body: AsyncIterator[bytes], deliver: Deliver) -> None:
        try:
            async for kind, payload in _messages(body):
                if kind == wire.CLOSE:
                    socket.close = [*wire.close_of(payload), True]
                    break
                await self._heard(socket, kind, payload, deliver)
        except asyncio.CancelledError:  # the object has closed it, or the client is gone
            pass
        except Exception:  # the guest of the client's request has ended
            pass
        socket.reading = None
        if self._open.get(socket.name) is socket:
            await deliver("webSocketClose", [socket.name, *socket.close])
            self._open.pop(socket.name, None)
        socket.end()

    async def _heard(self, socket: Socket, kind: int, payload: bytes, deliver: Deliver) -> None:
        content = payload.decode(errors="replace") if kind == wire.TEXT else payload
        if self._auto is not None and content == self._auto[0]:
            socket.answered_ms = self._clock.now_ms()
            socket.send(wire.encode(wire.TEXT, self._auto[1].encode()))
            return
        event = asyncio.ensure_future(deliver("webSocketMessage", [socket.name, content]))
        await asyncio.shield(event)  # a handler that closes its socket goes on


async def _messages(body: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    decoder = wire.Decoder()
    async for piece in body:
        for message in decoder.feed(piece):
            yield message
