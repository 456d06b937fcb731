"""Guests that conversations are played against: the real Python guest, and the scripted one."""

from __future__ import annotations

import asyncio
import shutil
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from emulator.protocol.exchanges import Credit
from emulator.protocol.loading import Load, LoadFailed
from emulator.protocol.message import Message
from emulator.protocol.runs import Replayed
from emulator.runner.python.forkserver import ForkedProcess, Forkserver
from tests.engine.scripted import ScriptedGuest
from tests.guest.conversation import Conversation
from tests.protocol.transcripts import Record
from tests.protocol.workflows import WORKFLOWS

WORKER = Path(__file__).parents[2] / "fixtures" / "conformance" / "src" / "entry.py"
BINDINGS = {"STORE": {"kind": "ai"}}
BROKEN = "raise ValueError('no such table')\n"


class Guest(Protocol):
    """One guest."""

    async def tell(self, message: Message) -> None: ...
    async def hear(self) -> Message: ...
    async def left(self) -> list[Message]:
        """Return what it has to say without having been asked."""
        ...

    async def gone(self) -> None:
        """Return when it has ended."""
        ...

    async def close(self) -> None: ...


class GuestSide:
    """All guests of one conversation: `load` and `crash` bring up another."""

    def __init__(self, opened: Any) -> None:
        self._open = opened
        self._guests: list[Guest] = []
        self._of_run: dict[int, Guest] = {}

    async def tell(self, message: Message) -> None:
        await (await self._guest(getattr(message, "run", 0))).tell(message)

    async def hear(self, like: Record) -> Message:
        return await (await self._guest(like.get("run", 0))).hear()

    async def silent(self) -> None:
        for guest in self._guests:
            left = [m for m in await guest.left() if not isinstance(m, Credit | Replayed)]
            assert not left, f"not expected: {left}"

    async def world(self, event: Record) -> None:
        if "gone" in event:
            await self._guests.pop().gone()
        if "crash" in event:
            self._of_run.clear()
        if "load" in event or "crash" in event:
            self._guests.append(await self._open())

    async def prompt(self, record: Record) -> None: ...

    async def close(self) -> None:
        for guest in self._guests:
            await guest.close()

    async def _guest(self, run: int) -> Guest:
        if not self._guests:
            self._guests.append(await self._open())
        newest = self._guests[-1]
        return self._of_run.setdefault(run, newest) if run else newest


class PythonGuest:
    """A process with the worker of the transcripts; `load` is played or done before."""

    def __init__(self, process: ForkedProcess, project: Path) -> None:
        self._process = process
        self._project = project
        self._conversation = Conversation(process)
        self._loaded = True  # a guest without code answers nothing

    async def load(self) -> None:
        """Load the worker, as the conversation does not tell how."""
        await self._conversation.load(self._project, bindings=BINDINGS)

    async def tell(self, message: Message) -> None:
        if isinstance(message, Load):
            message.project_dir = str(self._project)  # type: ignore[misc]
        await self._conversation.tell(message)

    async def hear(self) -> Message:
        async with asyncio.timeout(10):
            message = await self._conversation.hear()
        self._loaded = self._loaded and not isinstance(message, LoadFailed)
        return message

    async def left(self) -> list[Message]:
        return await self._conversation.left() if self._loaded else []

    async def gone(self) -> None:
        async with asyncio.timeout(10):
            await self._process.exited
        self._process.socket.close()

    async def close(self) -> None:
        self._process.kill()
        await self._process.exited
        self._process.socket.close()


async def python_guest(forkserver: Forkserver, folder: Path, part: str) -> PythonGuest:
    """Fork a guest with a project in `folder`."""
    process = await forkserver.new_guest(1)
    (folder / "src").mkdir(exist_ok=True)
    shutil.copy(WORKER, folder / "src" / "entry.py")
    (folder / "src" / "broken.py").write_text(BROKEN)
    guest = PythonGuest(process, folder)
    if part != "loading":
        await guest.load()
    return guest


class ScriptedPeer:
    """The scripted guest, without an engine."""

    def __init__(self) -> None:
        self._said: deque[Message] = deque()
        known = SimpleNamespace(calls=SimpleNamespace(key_of=lambda call: None))
        engine: Any = SimpleNamespace(
            hear=lambda guest, message: self._said.append(message),
            # which it asks for the labels of free steps
            roster=SimpleNamespace(run=lambda number: known),
        )
        self._guest = ScriptedGuest(engine, 1, WORKFLOWS, [])

    async def tell(self, message: Message) -> None:
        self._guest.send(message)

    async def hear(self) -> Message:
        async with asyncio.timeout(10):
            while not self._said:
                await asyncio.sleep(0)
        return self._said.popleft()

    async def left(self) -> list[Message]:
        for _ in range(20):
            await asyncio.sleep(0)
        return list(self._said)

    async def gone(self) -> None:
        self._guest.die()

    async def close(self) -> None:
        self._guest.die()
