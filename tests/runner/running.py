"""A real runner with real guests on a project in a temporary folder."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bindings.binding import Binding
from bindings.network.network import Network
from emulator.engine.guests.blame import Cause, Loss
from emulator.protocol.loading import NETWORK
from emulator.protocol.runs import Replayed, RunMessage, StepChunk, StreamRead
from emulator.runner.guest import Guest
from emulator.runner.output import OutputLine
from emulator.runner.python.forkserver import Forkserver
from emulator.runner.requests import FetchReply, FetchRequest
from emulator.runner.runner import Runner, WorkerSpec
from tests.runner.forks import forks

HANG_TIMEOUT_MS = 30_000
DEADLINE_S = 20.0
IMPLICIT_DEPENDENCIES = "2026-06-01"


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write a project's files, dedented; return the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return folder


def spec(
    project: Path,
    *,
    bindings: Mapping[str, Mapping[str, str]] | None = None,
    variables: Mapping[str, Any] | None = None,
    date: str = IMPLICIT_DEPENDENCIES,
) -> WorkerSpec:
    """Return what to load: `src/entry.py` of `project`."""
    return WorkerSpec(
        project_dir=project,
        main=project / "src" / "entry.py",
        compatibility_date=date,
        compatibility_flags=("python_workers",),
        bindings=bindings or {},
        vars=variables or {},
    )


@dataclass
class Recorder:
    """A run handler, output sink and reporter that remembers everything."""

    work: list[str] = field(default_factory=list)
    messages: list[RunMessage] = field(default_factory=list)
    losses: list[tuple[int, str]] = field(default_factory=list)
    causes: list[tuple[Cause, int, bool]] = field(default_factory=list)
    lines: list[OutputLine] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)

    def hear(self, guest: Guest, message: RunMessage) -> None:
        assert not isinstance(message, Replayed), message
        if not isinstance(message, StepChunk | StreamRead):
            self.messages.append(message)

    def all_heard(self) -> None:
        pass

    def mishap(self, guest: Guest, number: int, problem: str) -> None:
        self.reports.append(problem)

    def guest_lost(self, guest: Guest, loss: Loss) -> None:
        self.losses.append((guest.generation, loss.reason))
        self.causes.append((loss.cause, loss.run, loss.others))

    def work_of(self, guest: Guest) -> list[str]:
        return self.work

    def printed(self, stream: str) -> list[str]:
        """Return the lines printed on a stream."""
        return [line.text for line in self.lines if line.stream == stream]


@dataclass
class Running:
    """A started runner, and what was heard from it."""

    runner: Runner
    heard: Recorder
    project: Path

    async def load(self, bindings: Mapping[str, Binding] | None = None, **options: Any) -> Guest:
        """Load the project and let it serve; `kinds` overrides what the guest is told."""
        kinds = {name: {"kind": binding.kind} for name, binding in (bindings or {}).items()}
        kinds = options.pop("kinds", kinds)
        guest = await self.runner.load(
            spec(self.project, bindings=kinds, **options),
            {NETWORK: Network(), **(bindings or {})},
        )
        self.runner.switch(guest)
        return guest

    async def get(self, path: str = "/") -> bytes:
        """Request `path` and return the body."""
        return (await read(await self.fetch(path)))[2]

    async def fetch(
        self,
        path: str = "/",
        method: str = "GET",
        body: AsyncIterator[bytes] | None = None,
        headers: list[tuple[str, str]] | None = None,
    ) -> FetchReply:
        """Request `path`."""
        url = f"http://localhost{path}"
        return await self.runner.fetch(FetchRequest(method, url, headers or [], body))


async def read(reply: FetchReply) -> tuple[int, dict[str, str], bytes]:
    """Read a reply to its end: status, headers, body."""
    chunks = [chunk async for chunk in reply.body] if reply.body is not None else []
    return reply.status, dict(reply.headers), b"".join(chunks)


def run(
    project: Path,
    scenario: Callable[[Running], Awaitable[None]],
    *,
    source: Forkserver | None = None,
    hang_timeout_ms: int = HANG_TIMEOUT_MS,
    **options: Any,
) -> Recorder:
    """Run `scenario` with a runner that is stopped afterwards, within a deadline.

    `source` is a forkserver of the test's own, stopped afterwards too, in place of the shared one.
    """
    heard = Recorder()

    async def main() -> None:
        runner = Runner(
            source or forks().forkserver,
            heard,
            heard.lines.append,
            heard.reports.append,
            hang_timeout_ms,
            **options,
        )
        await runner.start()
        try:
            async with asyncio.timeout(DEADLINE_S):
                await scenario(Running(runner, heard, project))
        finally:
            await runner.stop()
            if source is not None:
                await source.stop()

    forks().run(main())
    return heard
