"""Sleeping: until when, what it costs meanwhile, and what crashes do to it."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from emulator.answers.creation import NewInstance
from emulator.clock import VirtualClock
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.roster import Census
from emulator.engine.runs.idle import CROWD, CROWDED_GRACE_MS, IDLE_GRACE_MS
from emulator.protocol.runs import RunAbort, RunStart
from tests.engine.scripted import Step, StepError
from tests.engine.world import DAY, HOUR, MINUTE, NAME, SECOND, World, play

Event = dict[str, Any]


async def sleeps_an_hour(event: Event, step: Step) -> str:
    await step.sleep("rest", "1 hour")
    return "rested"


def test_a_sleep_ends_when_its_time_has_come_and_not_before(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR - 1)
        assert world.status() == "waiting"

        await world.advance(1)

        assert world.output() == "rested"

    play(tmp_path, sleeps_an_hour, story)


def test_a_sleep_shorter_than_the_grace_is_not_replayed(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("blink", IDLE_GRACE_MS // 2)

    async def story(world: World) -> None:
        await world.create()
        await world.advance(IDLE_GRACE_MS)

        assert world.status() == "complete"
        assert world.started() == ["a"]

    play(tmp_path, workflow, story)


def test_a_sleep_keeps_its_deadline_through_a_crash_of_the_host(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(20 * MINUTE)
        await world.crash_and_boot()
        await world.advance(40 * MINUTE - 1)
        assert world.status() == "waiting"

        await world.advance(1)

        assert world.output() == "rested"

    play(tmp_path, sleeps_an_hour, story)


def test_a_sleep_that_became_due_while_the_host_was_down_fires_once(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        world.crash()
        world.clock.advance(2 * HOUR)
        world.boot()
        await world.settle()

        assert world.output() == "rested"
        assert world.kinds().count(EntryKind.SLEEP_COMPLETE) == 1

    play(tmp_path, sleeps_an_hour, story)


def test_a_due_sleep_is_not_forgotten_by_a_host_that_found_no_guest(tmp_path: Path) -> None:
    """1. The deadline passes while no code is loaded. 2. The host ends. 3. A host with code."""

    async def story(world: World) -> None:
        await world.create()
        world.crash()
        world.clock.advance(2 * HOUR)
        world.boot(guest=False)
        await world.settle()
        await world.crash_and_boot()

        assert world.output() == "rested"

    play(tmp_path, sleeps_an_hour, story)


def test_a_sleep_beside_a_running_callback_fires_after_a_crash(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        slow = step.do("slow", lambda ctx: asyncio.Event().wait(), {"timeout": "1 day"})
        await step.sleep("rest", "1 hour")
        await step.do("after", lambda ctx: None)
        await slow

    async def story(world: World) -> None:
        await world.create()
        await world.crash_and_boot()
        await world.advance(HOUR)

        assert world.attempts("after-1") == [1]

    play(tmp_path, workflow, story)


def test_a_run_that_only_waits_is_dropped_from_the_guest_after_the_grace(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        assert world.guest.runs == 1

        await world.advance(IDLE_GRACE_MS)

        assert world.guest.runs == 0
        assert len(world.sent(RunAbort)) == 1

    play(tmp_path, sleeps_an_hour, story)


def test_where_many_runs_only_wait_those_that_come_last_are_dropped_early(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        for number in range(CROWD + 3):
            await world.create(str(number))
        assert world.guest.runs == CROWD + 3

        await world.advance(CROWDED_GRACE_MS)
        assert world.guest.runs == CROWD
        await world.advance(HOUR)

        assert {world.status(str(number)) for number in range(CROWD + 3)} == {"complete"}

    play(tmp_path, sleeps_an_hour, story)


def test_a_run_that_goes_on_soon_is_kept_among_many_too(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("blink", IDLE_GRACE_MS // 2)

    async def story(world: World) -> None:
        for number in range(CROWD + 3):
            await world.create(str(number))
        await world.advance(IDLE_GRACE_MS)

        assert world.sent(RunAbort) == []

    play(tmp_path, workflow, story)


def test_an_engine_keeps_nothing_of_a_sleeping_instance_but_its_timer(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(IDLE_GRACE_MS)

        assert world.engine.roster.check() == Census(timers=1)

    play(tmp_path, sleeps_an_hour, story)


def test_a_finished_instance_leaves_nothing_in_memory(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR)

        assert world.engine.roster.check() == Census()
        assert world.guest.runs == 0

    play(tmp_path, sleeps_an_hour, story)


async def create_many(world: World, count: int) -> list[str]:
    names = [f"i{n}" for n in range(count)]
    for first in range(0, count, 100):
        await world.control.create_batch(NAME, [NewInstance(n) for n in names[first : first + 100]])
    await world.advance(IDLE_GRACE_MS)
    world.guest.sent.clear()
    return names


def test_a_sleeping_instance_costs_less_than_600_bytes(tmp_path: Path) -> None:
    count = 1_000

    async def story(world: World) -> None:
        await world.create()
        await world.advance(IDLE_GRACE_MS)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            await create_many(world, count)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert (after - before) / count < 600

    play(tmp_path, sleeps_an_hour, story)


def test_two_thousand_sleeping_instances_each_wake_once(tmp_path: Path) -> None:
    woken: list[str] = []

    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("rest", "30 days")
        woken.append(event["instanceId"])

    async def story(world: World) -> None:
        names = await create_many(world, 2_000)
        await world.advance(31 * DAY)

        assert sorted(woken) == sorted(names)

    play(tmp_path, workflow, story)


def test_sleep_until_ends_at_its_instant(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep_until("the day", event["payload"]["at"])

    async def story(world: World) -> None:
        await world.create(params={"at": world.clock.now_ms() + DAY})
        await world.advance(DAY - 1)
        assert world.status() == "waiting"

        await world.advance(1)

        assert world.status() == "complete"

    play(tmp_path, workflow, story)


def test_sleep_until_the_past_raises(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> str:
        try:
            await step.sleep_until("yesterday", event["payload"]["at"])
        except StepError as error:
            return f"{error.name}: {error.message}"
        raise AssertionError

    async def story(world: World) -> None:
        await world.create(params={"at": world.clock.now_ms() - 1})

        assert world.output() == "Error: You can't sleep until a time in the past, time-traveler"

    play(tmp_path, workflow, story)


def test_replaying_sleep_until_after_its_instant_does_not_raise(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> str:
        await step.sleep_until("the hour", event["payload"]["at"])
        await step.sleep("and then", "1 day")
        return "done"

    async def story(world: World) -> None:
        await world.create(params={"at": world.clock.now_ms() + HOUR})
        await world.advance(2 * DAY)

        assert world.output() == "done"

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("duration", ["5 mins", "", -1, None, True, "1 hour ", {"hours": 1}])
def test_a_bad_duration_names_the_line_and_the_step(tmp_path: Path, duration: Any) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("rest", duration, line="src/entry.py:7")

    async def story(world: World) -> None:
        await world.create()

        name, message = world.error()
        assert name == "WorkflowFatalError"
        assert message.startswith('src/entry.py:7: step "rest": the duration is ')

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("timestamp", ["tomorrow", True, None, float("nan"), float("inf")])
def test_a_wrong_instant_is_refused(tmp_path: Path, timestamp: Any) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep_until("when", timestamp)

    async def story(world: World) -> None:
        await world.create()

        assert "expected a datetime" in world.error()[1]

    play(tmp_path, workflow, story)


def test_more_than_a_year_is_refused(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("long", "366 days")

    async def story(world: World) -> None:
        await world.create()

        assert "more than 365 days" in world.error()[1]

    play(tmp_path, workflow, story)


def test_sleeps_side_by_side_end_each_at_its_own_time(tmp_path: Path) -> None:
    order: list[str] = []

    async def workflow(event: Event, step: Step) -> None:
        async def branch(name: str, duration: str) -> None:
            await step.sleep(name, duration)
            await step.do(f"after {name}", lambda ctx: order.append(name))

        await asyncio.gather(branch("long", "2 hours"), branch("short", "1 hour"))

    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR)
        assert order == ["short"]

        await world.advance(HOUR)

        assert order == ["short", "long"]

    play(tmp_path, workflow, story)


def test_waking_starts_the_run_once(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR + SECOND)

        assert len(world.sent(RunStart)) == 2

    play(tmp_path, sleeps_an_hour, story)


class BusyClock(VirtualClock):
    def pass_by(self, span_ms: int) -> None:
        """Let time pass while the host is busy: nothing rings."""
        self._now_ms += span_ms


def test_a_deadline_that_passes_while_another_is_dealt_with_is_not_missed(tmp_path: Path) -> None:
    clock = BusyClock()

    async def workflow(event: Event, step: Step) -> str:
        await asyncio.gather(step.sleep("first", 500), step.sleep("second", 501))
        return "rested"

    async def story(world: World) -> None:
        append = world.journal.append

        def slow_append(*entries: Entry, late: bool = False) -> None:
            append(*entries, late=late)
            if entries and entries[0].kind is EntryKind.SLEEP_COMPLETE:
                clock.pass_by(1)  # recording has taken a millisecond

        await world.create()
        world.journal.append = slow_append  # type: ignore[method-assign]
        await world.advance(10 * SECOND)

        assert world.output() == "rested"

    play(tmp_path, workflow, story, clock=clock)
