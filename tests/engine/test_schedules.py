"""Cron schedules: which instances they make, and that no tick makes two."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emulator.clock import SystemClock, VirtualClock
from emulator.engine.clock_control import Timekeeper
from emulator.engine.model.instance import Status
from emulator.engine.schedules import Schedules
from emulator.engine.views.report import instance_detail
from tests.engine.scripted import Step
from tests.engine.world import DAY, HOUR, MINUTE, NAME, SECOND, World, play

Event = dict[str, Any]
HOURLY = (NAME, "0 * * * *")
T0 = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)  # when a world's clock starts


async def tells_its_event(event: Event, step: Step) -> Any:
    return event


def instances(world: World) -> list[str]:
    found = world.journal.query("SELECT id FROM instances ORDER BY key")
    return [row[0] for row in found]


def scheduled(
    directory: Path, story: Callable[[World, Schedules], Awaitable[None]], **options: Any
) -> None:
    async def told(world: World) -> None:
        schedules = Schedules(world.clock, world.control.fire)
        schedules.set([HOURLY])
        await story(world, schedules)

    play(directory, tells_its_event, told, **options)


def test_each_tick_makes_an_instance_whose_id_says_when(tmp_path: Path) -> None:
    async def story(world: World, schedules: Schedules) -> None:
        await world.advance(2 * HOUR + MINUTE)

        assert instances(world) == [f"0 * * * *-{T0 + HOUR}", f"0 * * * *-{T0 + 2 * HOUR}"]
        assert schedules.next_ms() == T0 + 3 * HOUR

    scheduled(tmp_path, story)


def test_the_instance_knows_its_schedule_and_has_no_params(tmp_path: Path) -> None:
    async def story(world: World, schedules: Schedules) -> None:
        await world.advance(HOUR)

        (name,) = instances(world)
        event = world.output(name)
        schedule = {"cron": "0 * * * *", "scheduledTime": T0 + HOUR}
        assert (event["payload"], event["schedule"]) == ({}, schedule)
        detail = instance_detail(world.entries(name), Status.COMPLETE, "v")
        assert (detail["trigger"], detail["schedule"]) == ({"source": "cron"}, schedule)

    scheduled(tmp_path, story)


def test_an_instance_that_nobody_scheduled_has_no_schedule(tmp_path: Path) -> None:
    async def story(world: World, schedules: Schedules) -> None:
        await world.create()

        assert "schedule" not in world.output()
        assert "schedule" not in instance_detail(world.entries(), Status.COMPLETE, "v")

    scheduled(tmp_path, story)


def test_a_restarted_instance_keeps_its_schedule(tmp_path: Path) -> None:
    async def story(world: World, schedules: Schedules) -> None:
        await world.advance(HOUR)
        (name,) = instances(world)

        await world.restart(name)

        assert world.output(name)["schedule"]["scheduledTime"] == T0 + HOUR

    scheduled(tmp_path, story)


def test_a_tick_that_was_answered_before_a_crash_is_not_made_again(tmp_path: Path) -> None:
    async def story(world: World, schedules: Schedules) -> None:
        await world.advance(HOUR)
        await world.crash_and_boot()
        before = VirtualClock(T0)  # the same tick comes again
        again = Schedules(before, world.control.fire)
        again.set([HOURLY])

        before.advance(HOUR)
        await world.settle()

        assert instances(world) == [f"0 * * * *-{T0 + HOUR}"]
        assert world.reports == []

    scheduled(tmp_path, story)


def test_ticks_that_nobody_was_there_for_are_not_made_up_for(tmp_path: Path) -> None:
    async def story(world: World, schedules: Schedules) -> None:
        world.crash()
        world.clock.advance(DAY + MINUTE)
        world.boot()
        again = Schedules(world.clock, world.control.fire)

        again.set([HOURLY])
        await world.settle()

        assert instances(world) == []
        assert again.next_ms() == T0 + DAY + HOUR

    scheduled(tmp_path, story)


def test_a_machine_that_was_suspended_makes_the_tick_it_slept_through_once(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        now_ms = T0

        class Sleepy:
            alarms: list[tuple[int, Callable[[], None]]] = []

            def now_ms(self) -> int:
                return now_ms

            def call_at(self, when_ms: int, callback: Callable[[], None]) -> Any:
                self.alarms.append((when_ms, callback))

        fired: list[int] = []
        clock = Sleepy()
        schedules = Schedules(clock, lambda tick: fired.append(tick.scheduled_ms))
        schedules.set([HOURLY])

        now_ms = T0 + 9 * HOUR + 20 * SECOND  # and the alarm of the first hour rings
        clock.alarms.pop()[1]()
        assert (fired, schedules.next_ms()) == ([T0 + HOUR], T0 + 9 * HOUR)
        clock.alarms.pop()[1]()

        assert fired == [T0 + HOUR, T0 + 9 * HOUR]
        assert schedules.next_ms() == T0 + 10 * HOUR

    play(tmp_path, tells_its_event, story)


def test_a_schedule_that_is_taken_out_fires_no_more_and_others_keep_their_tick(
    tmp_path: Path,
) -> None:
    async def story(world: World, schedules: Schedules) -> None:
        half_past = (NAME, "30 * * * *")
        schedules.set([HOURLY, half_past])
        await world.advance(HOUR)

        schedules.set([HOURLY])
        await world.advance(HOUR)

        assert instances(world) == [
            f"30 * * * *-{T0 + HOUR // 2}",
            *(f"0 * * * *-{T0 + hour * HOUR}" for hour in (1, 2)),
        ]
        schedules.stop()
        assert schedules.next_ms() is None

    scheduled(tmp_path, story)


def test_a_virtual_clock_stops_at_every_tick(tmp_path: Path) -> None:
    async def story(world: World, schedules: Schedules) -> None:
        keeper = Timekeeper(
            world.engine,
            world.clock,
            lambda record: None,
            grace_ms=300,
            other_deadline=schedules.next_ms,
        )

        await keeper.advance_to_next()
        assert keeper.now_ms() == T0 + HOUR
        await keeper.advance(DAY)

        assert len(instances(world)) == 25
        assert all(world.status(name) == "complete" for name in instances(world))

    scheduled(tmp_path, story)


def test_scheduled_instances_wait_for_a_place_like_all_others(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        schedules = Schedules(world.clock, world.control.fire)
        schedules.set([HOURLY, (NAME, "*/30 * * * *")])
        world.lose_guest()
        await world.advance(HOUR)

        assert [world.status(name) for name in instances(world)] == ["queued"] * 3
        world.load()
        await world.settle()

        assert [world.status(name) for name in instances(world)] == ["complete"] * 3

    play(tmp_path, tells_its_event, story, concurrency=1)


@pytest.mark.parametrize("verb", ["pause", "terminate", "delete"])
def test_an_instance_of_a_schedule_is_addressed_by_its_id(tmp_path: Path, verb: str) -> None:
    async def story(world: World, schedules: Schedules) -> None:
        world.lose_guest()
        await world.advance(HOUR)
        (name,) = instances(world)

        await getattr(world, verb)(name)

        if verb == "delete":
            assert instances(world) == []
        else:
            assert world.status(name) == {"pause": "paused", "terminate": "terminated"}[verb]

    scheduled(tmp_path, story)


def test_a_real_clock_arms_schedules_too() -> None:
    import asyncio

    async def main() -> None:
        schedules = Schedules(SystemClock(), lambda tick: None)
        schedules.set([(NAME, "* * * * *")])
        assert schedules.next_ms() is not None
        schedules.stop()

    asyncio.run(main())
