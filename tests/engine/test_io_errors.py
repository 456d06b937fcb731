"""A disk that answers with I/O errors: as when it is full, nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from emulator.errors import WorkerError
from tests.engine.scripted import Context, Step
from tests.engine.world import MINUTE, NAME, World, play

Event = dict[str, Any]

# What SQLite was doing when the disk failed it.
MOMENTS = ("BEGIN IMMEDIATE", "INSERT INTO entries", "COMMIT")


async def one_step(event: Event, step: Step) -> Any:
    return await step.do("work", lambda ctx: "done")


@pytest.mark.parametrize("moment", MOMENTS)
def test_create_on_a_failing_disk_is_refused_and_leaves_nothing(
    tmp_path: Path, moment: str
) -> None:
    async def story(world: World) -> None:
        with world.disk.failing(moment):
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
        with world.disk.failing(moment):
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
        with world.disk.failing(moment):
            gate.set()
            await world.advance(MINUTE)
        await world.crash_and_boot()
        await world.advance(MINUTE)

        assert world.output() == "first second"
        assert world.attempts("first-1") == [1]

    play(tmp_path, workflow, story)
