"""The real JavaScript guest in workerd, for conversations that are played against it."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from bindings.http import HttpAnswer
from emulator.bundling.bundle import MAIN, Bundle, Module
from emulator.bundling.tools import find_tools
from emulator.protocol.framing import FrameReader, frame
from emulator.protocol.life import Ping, Pong
from emulator.protocol.loading import PROTOCOL_VERSION, Load, Loaded
from emulator.protocol.message import Message
from emulator.runner.guest_source import WorkerSpec
from emulator.runner.workerd.process import WorkerdProcess
from emulator.runner.workerd.source import WorkerdSource
from emulator.runner.workerd.stacks import Stacks
from tests.end_to_end.wrangler import wrangler_folder

WORKER = Path(__file__).parents[2] / "fixtures" / "conformance" / "src" / "index.js"
DATE = "2026-06-01"


class JavascriptGuests:
    """Starts guests with the worker of the transcripts; they share a folder of sockets."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        program = find_tools(wrangler_folder(), {}).workerd.path
        self._source = WorkerdSource(program, folder, folder, self._build, print, self._answer)
        self._generation = 0

    async def open(self, part: str) -> JavascriptGuest:
        """Return a new guest, which has loaded unless `part` tells how."""
        await self._source.start()
        self._generation += 1
        flags = ("nodejs_als",)
        spec = WorkerSpec(self._folder, WORKER, DATE, flags, {}, {})
        process = await self._source.new_guest(self._generation, spec, {}, apart=True)
        guest = JavascriptGuest(process)
        async with asyncio.timeout(20):
            await process.connect(guest)
        if part != "loading":
            await guest.load(str(self._folder))
        return guest

    async def stop(self) -> None:
        await self._source.stop()

    async def _build(self) -> Bundle:
        module = Module(MAIN, "esm", WORKER.read_bytes())
        return Bundle(MAIN, (module,), None, frozenset({WORKER}), False, ())

    async def _answer(
        self, path: str, stacks: Stacks, headers: Mapping[str, str], body: bytes
    ) -> HttpAnswer:
        return HttpAnswer(404, {}, b"")


class JavascriptGuest(asyncio.Protocol):
    """One guest, and the host's end of its conversation."""

    def __init__(self, process: WorkerdProcess) -> None:
        self._process = process
        self._reader = FrameReader()
        self._heard: deque[Message] = deque()
        self._news = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._pings = 1_000_000

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        for pipe in (self._process.stdout, self._process.stderr):
            os.set_blocking(pipe, False)

    def data_received(self, data: bytes) -> None:
        self._heard += self._reader.receive(data)
        self._news.set()

    async def load(self, project: str) -> None:
        await self.tell(Load(PROTOCOL_VERSION, 1, project, str(WORKER), DATE, [], {}))
        assert isinstance(await self.hear(), Loaded)

    async def tell(self, message: Message) -> None:
        assert self._transport is not None
        self._transport.write(frame(message))

    async def hear(self) -> Message:
        async with asyncio.timeout(10):
            while not self._heard:
                self._news.clear()
                await self._news.wait()
        return self._heard.popleft()

    async def left(self) -> list[Message]:
        """What it says before it answers a ping, and another: what is ready to run has run then."""
        found: list[Message] = []
        for _ in range(3):
            self._pings += 1
            await self.tell(Ping(self._pings))
            while not isinstance(message := await self.hear(), Pong):
                found.append(message)
        return found

    async def gone(self) -> None:
        async with asyncio.timeout(10):
            while self._transport is not None and not self._transport.is_closing():
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        self._process.kill()
        await self._process.exited
        for pipe in (self._process.stdout, self._process.stderr):
            os.close(pipe)
