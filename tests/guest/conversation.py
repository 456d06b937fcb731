"""Talking to a real guest in frames, as the host would: messages in, messages out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from emulator.protocol import values
from emulator.protocol.framing import FrameReader, frame
from emulator.protocol.life import Ping, Pong
from emulator.protocol.loading import PROTOCOL_VERSION, Load, Loaded
from emulator.protocol.message import Message
from emulator.protocol.runs import RunStart
from emulator.runner.python.forkserver import ForkedProcess
from tests.runner.forks import forks
from tests.runner.running import DEADLINE_S, IMPLICIT_DEPENDENCIES, write

EVENT = {"payload": {"n": 1}, "instanceId": "order-17", "workflowName": "order"}


class Conversation:
    """The host's end of the connection with one guest, without a host."""

    def __init__(self, process: ForkedProcess) -> None:
        self.process = process
        self._reader = FrameReader()
        self._unread: list[Message] = []
        self._heard: list[Message] = []  # while it was asked for something else
        self._pings = 0

    async def tell(self, *messages: Message) -> None:
        """Send messages."""
        data = b"".join(map(frame, messages))
        await asyncio.get_running_loop().sock_sendall(self.process.socket, data)

    async def hear(self) -> Message:
        """Return the next message of the guest's."""
        return self._heard.pop(0) if self._heard else await self._next()

    async def _next(self) -> Message:
        while not self._unread:
            data = await asyncio.get_running_loop().sock_recv(self.process.socket, 65536)
            assert data, "the guest closed the connection"
            self._unread += self._reader.receive(data)
        return self._unread.pop(0)

    async def ask(self, *messages: Message) -> Message:
        """Send messages and return the next one of the guest's."""
        await self.tell(*messages)
        return await self.hear()

    async def nothing_left(self) -> None:
        """Assert that the guest has nothing more to say: it answers a ping, twice, with only that.

        Twice, because what the first ping finds ready to run may itself make something ready.
        """
        for _ in range(3):
            self._pings += 1
            assert await self.ask(Ping(self._pings)) == Pong(self._pings)

    async def left(self) -> list[Message]:
        """Return what the guest says without being asked, up to its answers to three pings."""
        for _ in range(3):
            self._pings += 1
            await self.tell(Ping(self._pings))
            while not any(message == Pong(self._pings) for message in self._heard):
                self._heard.append(await self._next())
        left = [message for message in self._heard if not isinstance(message, Pong)]
        self._heard.clear()
        return left

    async def load(
        self,
        project: Path,
        date: str = IMPLICIT_DEPENDENCIES,
        bindings: Mapping[str, Any] | None = None,
    ) -> Loaded:
        """Load `src/entry.py` of `project`."""
        answer = await self.ask(
            Load(
                PROTOCOL_VERSION,
                1,
                str(project),
                "src/entry.py",
                date,
                ["python_workers"],
                dict(bindings or {}),
                payload=values.encode({"vars": {}}),
            )
        )
        assert isinstance(answer, Loaded), answer
        return answer

    async def start(
        self,
        number: int = 1,
        event: Mapping[str, Any] = EVENT,
        *,
        guarded: bool = False,
        probe: bool = False,
    ) -> Message:
        """Start a run of the class `Order` and return what it says first."""
        payload = values.encode(dict(event))
        start = RunStart(number, "Order", "order", "order-17", payload, guarded, probe)
        return await self.ask(start)


def converse(scenario: Callable[[Conversation], Awaitable[None]]) -> None:
    """Run `scenario` with a fresh guest."""

    async def main() -> None:
        async with asyncio.timeout(DEADLINE_S):
            process = await forks().forkserver.new_guest(1)
            with process.socket, open(process.stdout), open(process.stderr) as errors:
                try:
                    await scenario(Conversation(process))
                finally:
                    process.kill()
                    await process.exited
                    print(errors.read())

    forks().run(main())


def workflow(folder: Path, body: str, more: str = "") -> Path:
    """Write a project whose workflow `Order` has this `run` body."""
    lines = "\n".join(f"        {line}" for line in body.strip("\n").splitlines())
    source = (
        "import asyncio\n"
        "from workers import Response, WorkerEntrypoint, WorkflowEntrypoint\n"
        "from workers.workflows import NonRetryableError\n"
        f"{more}\n"
        "class Order(WorkflowEntrypoint):\n"
        f"    async def run(self, event, step):\n{lines}\n"
    )
    return write(folder, {"src/entry.py": source})


def play(project: Path, scenario: Callable[[Conversation], Awaitable[None]], **load: Any) -> None:
    """Run `scenario` with a guest that has loaded `project`; nothing may be left over."""

    async def loaded(it: Conversation) -> None:
        await it.load(project, **load)
        await scenario(it)
        await it.nothing_left()

    converse(loaded)
