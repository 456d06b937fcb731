"""Hosts that conversations are played against: the engine, and the connection."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from bindings.binding import ByteStream
from emulator.clock import VirtualClock
from emulator.engine.model.definition import Definition
from emulator.errors import WorkerError
from emulator.protocol import values
from emulator.protocol.exchanges import Credit
from emulator.protocol.framing import FrameReader, frame
from emulator.protocol.loading import Loaded
from emulator.protocol.message import Message
from emulator.runner.connection import Connection
from emulator.runner.requests import FetchRequest, InvokeRequest
from tests.engine.scripted import ScriptedGuest
from tests.engine.world import NAME, World
from tests.protocol.transcripts import Record, fill, message_of

START_MS = 1_767_225_600_000  # 2026-01-01, as in the transcripts
TURNS = 10


class Puppet(ScriptedGuest):
    """A guest that says only what it is told to say."""

    def __init__(self, world: EngineSide) -> None:
        super().__init__(world.engine, world.generation, {}, [])
        workflows = {world.setup["class"]: "src/entry.py:1"}
        self.loaded = Loaded({}, workflows, {}, world.setup.get("free_steps", True))
        self._world = world

    def send(self, message: Message) -> None:
        self.activity += 1
        self._world.said.append((self, message))

    def when_read(self, callback: Any) -> None:
        asyncio.get_running_loop().call_soon(callback)


class EngineSide(World):
    """The engine: what it says of runs."""

    def __init__(self, directory: Path, setup: Record) -> None:
        self.setup = setup
        self.said: deque[tuple[Puppet, Message]] = deque()
        self._of_run: dict[int, Puppet] = {}
        definitions = [Definition(NAME, setup["class"])]
        super().__init__(directory, {}, definitions=definitions, clock=VirtualClock(START_MS))

    def _new_guest(self) -> ScriptedGuest:
        guest = Puppet(self)
        self.guests.append(guest)
        return guest

    async def tell(self, message: Message) -> None:
        guest = self._of_run[message.run]  # type: ignore[attr-defined]
        guest.activity += 1
        self.engine.hear(guest, message)  # type: ignore[arg-type]
        self.engine.all_heard()
        await self.settle()

    async def hear(self, like: Record) -> Message:
        assert self.said, f"expected {like}, heard nothing"
        guest, message = self.said.popleft()
        self._of_run[message.run] = guest  # type: ignore[attr-defined]
        return message

    async def silent(self) -> None:
        assert not self.said, f"not expected: {[message for _, message in self.said]}"

    async def prompt(self, record: Record) -> None: ...

    async def world(self, event: Record) -> None:
        (what, value), *_ = event.items()
        match what:
            case "create":
                await self.create("a", value)
            case "advance_ms":
                await self.advance(value)
            case "event":
                await self.send(value["type"], value["payload"])
            case "load":
                self.code = value
                self.load()
                await self.settle()
            case "crash":
                await self.crash_and_boot()
            case "pause":  # it is answered when nothing of the run executes any more
                self._pausing = asyncio.create_task(self.control.pause(NAME, "a"))
                await self.settle()
            case "terminate":
                await self.terminate()
            case _:
                raise ValueError(what)


class Transport(asyncio.Transport):
    """Where the connection writes: everything is read at once."""

    def __init__(self, said: deque[Message]) -> None:
        super().__init__()
        self._reader = FrameReader()
        self._said = said
        self.ended = False

    def write(self, data: Any) -> None:
        self._said.extend(self._reader.receive(bytes(data)))

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def is_closing(self) -> bool:
        return self.ended

    def abort(self) -> None:
        self.ended = True


class Body:
    """A body that the host sends, fed by the lines of the conversation."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()

    def feed(self, record: Record) -> None:
        match record["type"]:
            case "data":
                self._pieces.put_nowait(fill(record))
            case "end":
                error = record.get("error")
                self._pieces.put_nowait(WorkerError(error) if error else None)
            case "body":
                self._pieces.put_nowait(fill(record))
                self._pieces.put_nowait(None)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield what is fed."""
        while (piece := await self._pieces.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece


class Store:
    """A binding that answers what the conversation says."""

    kind = "ai"

    def __init__(self) -> None:
        self.asked: deque[asyncio.Future[Any]] = deque()

    async def call(self, method: str, args: list[Any]) -> Any:
        for arg in args:
            if hasattr(arg, "__aiter__"):
                [piece async for piece in arg]
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]

    async def close(self) -> None: ...


class ConnectionSide:
    """The host's end of a conversation: exchanges, binding calls, loading, life."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._said: deque[Message] = deque()
        self._store = Store()
        self._bodies: dict[int, Body] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._pongs = 0
        self._debugger: list[Message] = []
        self.broken: list[str] = []
        self._connection = Connection(
            loop, {"STORE": self._store}, lambda error, run: self.broken.append(str(error))
        )
        self._connection.debugger_said = self._debugger.append
        self._transport = Transport(self._said)
        self._connection.connection_made(self._transport)

    async def tell(self, message: Message) -> None:
        self._connection.data_received(frame(message))
        await self._settle()

    async def hear(self, like: Record) -> Message:
        assert self._said, f"expected {like}, heard nothing; {self.broken}"
        return self._said.popleft()

    async def silent(self) -> None:
        await self._settle()
        left = [message for message in self._said if not isinstance(message, Credit)]
        assert not left, f"not expected: {left}"
        assert not self.broken

    async def world(self, event: Record) -> None:
        """`load_failed`: the name that the runner is told; `debugger`: what it is told of one."""
        if "debugger" in event:
            assert [message.type for message in self._debugger[-1:]] == [event["debugger"]]
            return
        assert "gone" in event or event["load_failed"] == self._connection.loaded.result().name  # type: ignore[union-attr]

    async def close(self) -> None:
        self._connection.connection_lost(None)
        self._connection.exchanges.fail_all(lambda work: f"lost {work}")
        await self._connection.calls.close()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def prompt(self, record: Record) -> None:
        number = record.get("id", 0)
        match record["type"]:
            case "fetch":
                body = self._body(record)
                headers = [(name, value) for name, value in record["headers"]]
                request = FetchRequest(
                    record["method"], record["url"], headers, body, record.get("web_socket", False)
                )
                self._tasks[number] = asyncio.create_task(self._fetch(request))
            case "invoke":
                args = self._decoded(record)
                request_ = InvokeRequest(record.get("entrypoint", ""), record["method"], args)
                self._tasks[number] = asyncio.create_task(self._invoke(request_))
            case "data" | "end" | "body":
                self._bodies[number].feed(record)
            case "cancel" if number in self._tasks:
                self._tasks[number].cancel()
            case "binding_result" if self._store.asked:
                self._store.asked.popleft().set_result(self._decoded(record))
            case "binding_failed" if self._store.asked:  # else the call did not get that far
                error = WorkerError(record["message"], name=record["name"])
                self._store.asked.popleft().set_exception(error)
            case "ping":
                self._connection.when_read(lambda: None)
            case "load" | "shutdown":
                self._connection.send(message_of(record, {}))
        await self._settle()

    async def _fetch(self, request: FetchRequest) -> None:
        with suppress(Exception):
            reply = await self._connection.exchanges.fetch(request)
            if reply.body is not None:
                [piece async for piece in reply.body]

    async def _invoke(self, request: InvokeRequest) -> None:
        with suppress(Exception):
            reply = await self._connection.exchanges.invoke(request)
            for stream in reply.value.values() if isinstance(reply.value, dict) else ():
                if hasattr(stream, "__aiter__"):
                    [piece async for piece in stream]

    def _body(self, record: Record) -> AsyncIterator[bytes] | None:
        if not record.get("has_body"):
            return None
        body = self._bodies[record["id"]] = Body()
        return body.pieces()

    def _decoded(self, record: Record) -> Any:
        """Return the payload of a line as the value that makes the host say it."""
        stream = partial(self._stream, record)
        return values.decode(fill(record), values.Shapes(body=stream))

    def _stream(self, record: Record) -> ByteStream:
        body = self._bodies[record["id"]] = Body()
        return ByteStream(body.pieces(), record.get("content_type", ""))

    async def _settle(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)
