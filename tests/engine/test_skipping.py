"""Not waiting: what skipping a sleep, an event wait or a retry delay does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from emulator.engine.decide.skips import Skipped
from emulator.engine.model.entry_kinds import EntryKind
from emulator.errors import WorkerError
from tests.engine.scripted import Context, Step, StepError
from tests.engine.world import DAY, HOUR, NAME, SECOND, World, play

Event = dict[str, Any]


async def sleeps(event: Event, step: Step) -> str:
    await step.sleep("rest", "30 days")
    return "rested"


async def skip(world: World, label: str | None = None, instance: str = "a") -> Skipped:
    skipped = await world.control.skip(NAME, instance, label)
    await world.settle()
    return skipped


@pytest.mark.parametrize("idle_for_ms", [0, 10 * SECOND], ids=["in memory", "dropped"])
def test_a_skipped_sleep_is_over_at_once(tmp_path: Path, idle_for_ms: int) -> None:
    async def story(world: World) -> None:
        await world.create()
        began_ms = world.clock.now_ms()
        await world.advance(idle_for_ms)

        skipped = await skip(world)

        assert world.output() == "rested"
        assert skipped == Skipped("rest-1", "sleep", began_ms + 30 * DAY)
        assert world.clock.now_ms() == began_ms + idle_for_ms

    play(tmp_path, sleeps, story)


def test_a_skipped_sleep_stays_skipped_after_a_crash(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("first", "30 days")
        await step.sleep("second", "1 hour")

    async def story(world: World) -> None:
        await world.create()
        await world.advance(10 * SECOND)
        await world.control.skip(NAME, "a")  # durable when it returns, and nothing has run yet
        await world.crash_and_boot()
        assert world.kinds().count(EntryKind.SLEEP_COMPLETE) == 1

        await world.advance(HOUR)

        assert world.status() == "complete"

    play(tmp_path, workflow, story)


def test_a_skipped_event_wait_has_timed_out(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> str:
        try:
            await step.wait_for_event("approval", "approved", "1 hour")
        except StepError as error:
            return error.message
        return "no"

    async def story(world: World) -> None:
        await world.create()

        skipped = await skip(world)

        assert skipped.type == "waitForEvent"
        assert world.output() == "Execution timed out after 3600000ms"

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("idle_for_ms", [0, 10 * SECOND], ids=["in memory", "dropped"])
def test_a_skipped_retry_delay_begins_the_next_attempt(tmp_path: Path, idle_for_ms: int) -> None:
    def flaky(ctx: Context) -> str:
        if ctx.attempt == 1:
            raise ValueError("not yet")
        return "done"

    async def workflow(event: Event, step: Step) -> Any:
        return await step.do("call", flaky, {"retries": {"limit": 3, "delay": "1 day"}})

    async def story(world: World) -> None:
        await world.create()
        await world.advance(idle_for_ms)

        skipped = await skip(world)

        assert skipped.type == "retry"
        assert world.output() == "done"
        assert world.attempts("call-1") == [1, 2]
        skips = [e.attempt for e in world.entries() if e.kind is EntryKind.TIMER_SKIPPED]
        assert skips == [1]

    play(tmp_path, workflow, story)


def test_the_earliest_of_several_waits_is_skipped(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await asyncio.gather(step.sleep("long", "2 days"), step.sleep("short", "1 day"))

    async def story(world: World) -> None:
        await world.create()

        assert (await skip(world)).name == "short-1"
        assert (await skip(world)).name == "long-1"
        assert world.status() == "complete"

    play(tmp_path, workflow, story)


def test_a_named_wait_is_skipped(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await asyncio.gather(step.sleep("long", "2 days"), step.sleep("short", "1 day"))

    async def story(world: World) -> None:
        await world.create()

        assert (await skip(world, "long-1")).name == "long-1"
        await world.advance(DAY)
        assert world.status() == "complete"

    play(tmp_path, workflow, story)


def test_an_unknown_wait_is_refused_with_those_there_are(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await asyncio.gather(step.sleep("rest", "2 days"), step.sleep("pause", "1 day"))

    async def story(world: World) -> None:
        await world.create()

        refused = r'cannot_skip\) Step "nap-1" does not .*: pause-1, rest-1$'
        with pytest.raises(WorkerError, match=refused):
            await world.control.skip(NAME, "a", "nap-1")

        assert world.status() == "waiting"

    play(tmp_path, workflow, story)


def test_an_instance_that_executes_has_nothing_to_skip(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("work", lambda ctx: asyncio.Event().wait())

    async def story(world: World) -> None:
        await world.create()

        with pytest.raises(WorkerError, match=r"cannot_skip\) Nothing waits: no sleep"):
            await world.control.skip(NAME, "a")

    play(tmp_path, workflow, story)


def test_a_paused_or_ended_instance_has_nothing_to_skip(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        with pytest.raises(WorkerError, match="that is paused; resume it first"):
            await world.control.skip(NAME, "a")

        await world.resume()
        await skip(world)

        with pytest.raises(WorkerError, match="that is complete$"):
            await world.control.skip(NAME, "a")

    play(tmp_path, sleeps, story)


def test_an_instance_that_was_skipped_while_it_slept_through_a_pause_is_due(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        await world.advance(DAY)
        await world.resume()

        await skip(world)

        assert world.output() == "rested"

    play(tmp_path, sleeps, story)


def test_an_unknown_instance_is_not_found(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        with pytest.raises(WorkerError, match=r"\(instance.not_found\)"):
            await world.control.skip(NAME, "nobody")

    play(tmp_path, sleeps, story)
