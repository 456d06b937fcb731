"""A journal that is removed while it is open: nothing more is acknowledged."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from emulator.errors import WorkerError
from tests.engine.scripted import Context, Step
from tests.engine.world import HOUR, World, play

Event = dict[str, Any]
SAID = "journal.sqlite was removed or replaced while it was open"


def remove(world: World) -> None:
    for path in world.path.parent.glob("journal.sqlite*"):
        path.unlink()


async def one_step(event: Event, step: Step) -> Any:
    return await step.do("work", lambda ctx: "done")


def test_nothing_is_created_in_a_journal_that_was_removed(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("a")
        remove(world)

        with pytest.raises(WorkerError, match=SAID):
            await world.create("b")
        with pytest.raises(WorkerError, match=SAID):
            await world.control.delete("orders", "a")

    play(tmp_path, one_step, story)


def test_a_step_that_ends_after_the_journal_was_removed_is_not_acknowledged(tmp_path: Path) -> None:
    gate = asyncio.Event()
    seen: list[Any] = []

    async def workflow(event: Event, step: Step) -> None:
        async def callback(ctx: Context) -> str:
            await gate.wait()
            return "done"

        seen.append(await step.do("work", callback))

    async def story(world: World) -> None:
        await world.create("a")
        remove(world)
        gate.set()
        await world.advance(HOUR)

        assert seen == []
        assert len(world.executions) == 1

    play(tmp_path, workflow, story)


def test_a_removed_journal_is_reported_once_though_nothing_is_recorded(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        remove(world)
        for _ in range(3):
            world.engine.look_at_journal()
            await world.advance(HOUR)

        (report,) = world.reports
        assert SAID in report and "workflows stand still" in report

    play(tmp_path, one_step, story)


def test_a_journal_that_was_replaced_is_as_good_as_removed(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.path.rename(world.path.with_suffix(".moved"))
        world.path.touch()

        with pytest.raises(WorkerError, match=SAID):
            await world.create("a")

    play(tmp_path, one_step, story)
