"""A disk that answers with I/O errors: as when it is full, nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from emulator.errors import WorkerError
from tests.engine.scripted import Context, Step
from tests.engine.world import MINUTE, NAME, World, play

Event = dict[str, Any]

# What SQLite was doing when the disk failed it.
MOMENTS = ("BEGIN IMMEDIATE", "INSERT INTO entries", "COMMIT")


class _Failing:
    """The journal's connection; statements that begin as told fail, like SQLite's do on EIO."""

    def __init__(self, connection: sqlite3.Connection, moment: str) -> None:
        self._connection = connection
        self._moment = moment

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        self._refuse(statement)
        return self._connection.execute(statement, *parameters)

    def executemany(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        self._refuse(statement)
        return self._connection.executemany(statement, *parameters)

    def _refuse(self, statement: str) -> None:
        if statement.startswith(self._moment):
            raise sqlite3.OperationalError("disk I/O error")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@contextmanager
def failing_disk(world: World, moment: str) -> Iterator[None]:
    """Let every commit of the journal fail at `moment` while the block runs."""
    journal: Any = world.journal
    connection = journal._connection
    journal._connection = _Failing(connection, moment)
    yield
    journal._connection = connection


async def one_step(event: Event, step: Step) -> Any:
    return await step.do("work", lambda ctx: "done")


@pytest.mark.parametrize("moment", MOMENTS)
def test_create_on_a_failing_disk_is_refused_and_leaves_nothing(
    tmp_path: Path, moment: str
) -> None:
    async def story(world: World) -> None:
        with failing_disk(world, moment):
            with pytest.raises(WorkerError, match="not recorded: disk I/O error"):
                await world.create("a")
            await world.advance(MINUTE)
        await world.advance(MINUTE)
        assert world.journal.find(NAME, "a") is None

        await world.create("a")

        assert world.output("a") == "done"

    play(tmp_path, one_step, story)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_step_that_was_not_recorded_is_not_acknowledged_and_all_goes_on_when_the_disk_heals(
    tmp_path: Path, moment: str
) -> None:
    gate = asyncio.Event()
    seen: list[str] = []

    async def workflow(event: Event, step: Step) -> str:
        async def callback(ctx: Context) -> str:
            await gate.wait()
            return "second"

        await step.do("first", lambda ctx: "first")
        seen.append(await step.do("second", callback))
        return seen[-1]

    async def story(world: World) -> None:
        await world.create()
        with failing_disk(world, moment):
            gate.set()
            await world.advance(10 * MINUTE)
            assert (world.status(), seen) == ("running", [])
        await world.advance(MINUTE)

        assert world.output() == "second"
        assert world.attempts("first-1") == [1]
        assert [("disk I/O error" in each, "go on" in each) for each in world.reports] == [
            (True, False),
            (False, True),
        ]

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_was_acknowledged_is_there_after_a_crash_on_a_failing_disk(
    tmp_path: Path, moment: str
) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> str:
        async def callback(ctx: Context) -> str:
            await gate.wait()
            return "second"

        first = await step.do("first", lambda ctx: "first")
        return f"{first} {await step.do('second', callback)}"

    async def story(world: World) -> None:
        await world.create()
        with failing_disk(world, moment):
            gate.set()
            await world.advance(MINUTE)
        await world.crash_and_boot()
        await world.advance(MINUTE)

        assert world.output() == "first second"
        assert world.attempts("first-1") == [1]

    play(tmp_path, workflow, story)
