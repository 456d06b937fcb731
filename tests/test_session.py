"""A session: workers that run without a command line, one or several of them."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from emulator.config.load import load_config
from emulator.config.model import Config
from emulator.errors import StateError
from emulator.runner.python.forkserver import Forkserver
from emulator.runner.requests import FetchRequest
from emulator.server.http.listen import PortInUse
from emulator.session import Door, Project, Running, Session
from emulator.state import State
from tests.waiting import DEADLINE_S

CONFIGURATION = """
name = "{name}"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]

[vars]
NAME = "{name}"

[[d1_databases]]
binding = "DB"
"""
ENTRY = """
from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        await self.env.DB.exec("CREATE TABLE IF NOT EXISTS seen (name TEXT)")
        await self.env.DB.prepare("INSERT INTO seen VALUES (?)").bind(self.env.NAME).run()
        seen = await self.env.DB.prepare("SELECT name FROM seen").all()
        return Response(" ".join(row.name for row in seen.results))
"""


class Told:
    """A terminal that keeps what it is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def notice(self, text: str) -> None:
        self.texts.append(text)

    warning = error = notice

    def output(self, line: object) -> None:
        self.texts.append(str(line))

    def fetched(self, fetched: object) -> None:
        self.texts.append(str(fetched))

    def reloaded(self, changed: frozenset[Path], duration_ms: float) -> None:
        self.texts.append("reloaded")

    def load_failed(self, error: Exception, still_serving: bool) -> None:
        self.texts.append(str(error))

    def diverged(self, told: object) -> None:
        self.texts.append(str(told))


def project(folder: Path) -> Project:
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "entry.py").write_text(ENTRY)
    (folder / "wrangler.toml").write_text(CONFIGURATION.format(name=folder.name))

    def read() -> Config:
        return load_config(folder, process_env={})

    config = read()
    return Project(config, read, State.locate(config))


def in_session(scenario: Callable[[Session, Forkserver], Awaitable[None]]) -> None:
    """Run `scenario` with a session on a forkserver of its own, within a deadline."""

    async def main() -> None:
        forkserver = Forkserver(Path(sys.executable))
        async with asyncio.timeout(DEADLINE_S), Session(forkserver) as session:
            await scenario(session, forkserver)

    asyncio.run(main())


async def started(session: Session, project: Project, door: Door | None = None) -> Running:
    running = session.open(project, Told(), door)
    await running.listen()
    await running.start()
    return running


async def fetch(running: Running) -> str:
    reply = await running.supervisor.fetch(FetchRequest("GET", "http://localhost/", []))
    assert reply.body is not None
    return b"".join([chunk async for chunk in reply.body]).decode()


def test_a_worker_runs_without_a_command_line_and_without_http(tmp_path: Path) -> None:
    async def scenario(session: Session, forkserver: Forkserver) -> None:
        running = await started(session, project(tmp_path / "one"))

        assert await fetch(running) == "one"
        assert running.announced is None

    in_session(scenario)
    assert not (tmp_path / "one" / ".groundfog" / "dev.json").exists()


def test_two_workers_run_in_one_session_each_with_its_own_state_and_door(tmp_path: Path) -> None:
    async def scenario(session: Session, forkserver: Forkserver) -> None:
        both = [
            await started(session, project(tmp_path / name), Door("127.0.0.1", 0))
            for name in ("one", "two")
        ]

        async with httpx.AsyncClient(trust_env=False) as client:
            for running, name in zip(both, ("one", "two"), strict=True):
                assert running.announced is not None
                assert (await client.get(running.announced.url)).text == name
                assert (await client.get(running.announced.url)).text == f"{name} {name}"
        assert both[0].announced != both[1].announced

    in_session(scenario)


def test_stopping_one_worker_leaves_the_forkserver_and_the_other_worker_alive(
    tmp_path: Path,
) -> None:
    async def scenario(session: Session, forkserver: Forkserver) -> None:
        first = await started(session, project(tmp_path / "one"))
        second = await started(session, project(tmp_path / "two"))
        pid = forkserver.pid
        assert pid is not None

        await session.close(first)

        assert forkserver.pid == pid
        assert await fetch(second) == "two"
        again = await started(session, first.project)
        assert await fetch(again) == "one"
        assert forkserver.pid == pid

    in_session(scenario)


def test_a_state_has_one_worker_at_a_time_and_the_refused_one_takes_nothing(tmp_path: Path) -> None:
    async def scenario(session: Session, forkserver: Forkserver) -> None:
        running = await started(session, project(tmp_path / "one"))

        with pytest.raises(StateError, match="is in use by another command"):
            session.open(running.project, Told(), Door("127.0.0.1", 0))

        assert await fetch(running) == "one"

    in_session(scenario)


def test_a_port_in_use_is_told_before_a_journal_is_made_and_leaves_the_state_free(
    tmp_path: Path,
) -> None:
    one = project(tmp_path / "one")

    async def scenario(session: Session, forkserver: Forkserver) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            with pytest.raises(PortInUse):
                session.open(one, Told(), Door("127.0.0.1", taken.getsockname()[1]))
        assert not one.state.journal.exists()

        assert await fetch(await started(session, one)) == "one"

    in_session(scenario)


def test_files_are_private_while_a_session_has_workers_and_not_after(tmp_path: Path) -> None:
    before = os.umask(0o022)
    os.umask(0o022)
    try:

        async def scenario(session: Session, forkserver: Forkserver) -> None:
            first = await started(session, project(tmp_path / "one"))
            second = await started(session, project(tmp_path / "two"))
            await session.close(first)
            await fetch(second)

        in_session(scenario)
        journal = tmp_path / "two" / ".groundfog" / "d1" / "DB.sqlite"
        assert journal.stat().st_mode & 0o077 == 0
        (tmp_path / "mine").write_text("")
        assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)
