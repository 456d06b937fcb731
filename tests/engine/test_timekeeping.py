"""Moving time while workflows run: where it stops, what it waits for, what it never does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from emulator.clock import SystemClock, VirtualClock
from emulator.engine.clock_control import SavedClock, Timekeeper
from emulator.engine.model.entry_kinds import EntryKind
from emulator.errors import UsageError
from tests.engine.scripted import Context, Step, StepError, Workflow
from tests.engine.world import DAY, HOUR, MINUTE, NAME, SECOND, World, play
from tests.waiting import eventually

Event = dict[str, Any]
GRACE_MS = 150


async def three_rests(event: Event, step: Step) -> str:
    for _ in range(3):
        await step.sleep("rest", "1 day")
    return "rested"


def with_keeper(
    directory: Path,
    workflow: Workflow,
    story: Callable[[World, Timekeeper, list[SavedClock]], Awaitable[None]],
) -> None:
    async def told(world: World) -> None:
        saved: list[SavedClock] = []
        keeper = Timekeeper(world.engine, world.clock, saved.append, grace_ms=GRACE_MS)
        await story(world, keeper, saved)

    play(directory, workflow, told)


def test_one_advance_plays_one_deadline_after_the_other(tmp_path: Path) -> None:
    async def story(world: World, keeper: Timekeeper, saved: list[SavedClock]) -> None:
        await world.create()
        began_ms = keeper.now_ms()

        await keeper.advance(5 * DAY)

        assert world.output() == "rested"
        ends = [e.at_ms for e in world.entries() if e.kind is EntryKind.SLEEP_COMPLETE]
        assert ends == [began_ms + DAY, began_ms + 2 * DAY, began_ms + 3 * DAY]
        assert keeper.now_ms() == began_ms + 5 * DAY

    with_keeper(tmp_path, three_rests, story)


def test_next_stops_at_the_next_deadline_and_not_at_a_timeout_that_is_over(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("work", lambda ctx: 1, {"timeout": "10 minutes"})
        await step.sleep("rest", "1 day")

    async def story(world: World, keeper: Timekeeper, saved: list[SavedClock]) -> None:
        await world.create()
        began_ms = keeper.now_ms()
        assert keeper.next_ms() == began_ms + DAY

        moved = await keeper.advance_to_next()

        assert (moved, keeper.now_ms()) == (True, began_ms + DAY)
        assert world.status() == "complete"
        assert await keeper.advance_to_next() is False

    with_keeper(tmp_path, workflow, story)


def test_code_in_flight_takes_no_time(tmp_path: Path) -> None:
    async def slow(ctx: Context) -> str:
        for _ in range(50):
            await asyncio.sleep(0)
        return "answer"

    async def workflow(event: Event, step: Step) -> Any:
        return await step.do("call", slow, {"timeout": "1 minute"})

    async def story(world: World, keeper: Timekeeper, saved: list[SavedClock]) -> None:
        await world.control.create(NAME, "a", None)

        await keeper.advance(5 * DAY)

        assert world.output() == "answer"
        assert world.attempts("call-1") == [1]

    with_keeper(tmp_path, workflow, story)


def test_code_that_hangs_is_left_behind_and_times_out(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> str:
        config = {"timeout": "1 minute", "retries": {"limit": 0, "delay": 0}}
        try:
            await step.do("hang", lambda ctx: asyncio.Event().wait(), config)
        except StepError as error:
            return error.message
        return ""

    async def story(world: World, keeper: Timekeeper, saved: list[SavedClock]) -> None:
        await world.create()

        await keeper.advance(MINUTE - 1)
        assert world.status() == "running"
        await keeper.advance(1)

        assert world.output() == "Execution timed out after 60000ms"

    with_keeper(tmp_path, workflow, story)


def test_all_that_wakes_at_one_moment_runs_before_time_goes_on(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("rest", "1 day")
        for number in range(20):
            await step.do(f"work {number}", lambda ctx: asyncio.sleep(0.01))

    async def story(world: World, keeper: Timekeeper, saved: list[SavedClock]) -> None:
        for number in range(100):
            await world.control.create(NAME, f"i{number}", None)
        due_ms = keeper.now_ms() + DAY
        began = monotonic()

        await keeper.advance(5 * DAY)

        assert monotonic() - began > GRACE_MS / 1000
        for number in range(100):
            assert world.entries(f"i{number}")[-1].at_ms == due_ms
            assert world.status(f"i{number}") == "complete"

    with_keeper(tmp_path, workflow, story)


def test_sleeps_of_no_length_without_end_do_not_hold_time_up(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        while True:
            await step.sleep("spin", 0)

    async def story(world: World, keeper: Timekeeper, saved: list[SavedClock]) -> None:
        await world.control.create(NAME, "a", None)
        began_ms = keeper.now_ms()

        await keeper.advance(HOUR)

        assert keeper.now_ms() == began_ms + HOUR

    with_keeper(tmp_path, workflow, story)


def test_where_time_goes_is_saved_before_it_moves(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("rest", "1 day")

    async def story(world: World, keeper: Timekeeper, saved: list[SavedClock]) -> None:
        await world.create()
        seen: list[SavedClock | None] = []
        world.journal.on_commit = lambda entries: seen.append(saved[-1] if saved else None)
        end_ms = keeper.now_ms() + 2 * DAY

        await keeper.advance(2 * DAY)

        assert seen and set(seen) == {SavedClock(now_ms=end_ms)}

    with_keeper(tmp_path, workflow, story)


def test_time_that_is_beyond_every_date_is_refused(tmp_path: Path) -> None:
    async def story(world: World, keeper: Timekeeper, saved: list[SavedClock]) -> None:
        now_ms = keeper.now_ms()

        with pytest.raises(UsageError, match="beyond the last date"):
            await keeper.advance(10**15)

        assert (keeper.now_ms(), saved) == (now_ms, [])

    with_keeper(tmp_path, three_rests, story)


def test_a_real_clock_is_not_moved(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        keeper = Timekeeper(world.engine, SystemClock(), lambda record: None, grace_ms=0)

        for operation in (
            keeper.freeze(),
            keeper.run(),
            keeper.advance(1),
            keeper.advance_to_next(),
        ):
            with pytest.raises(UsageError, match="groundfog dev --clock virtual"):
                await operation

        assert not keeper.is_frozen

    play(tmp_path, three_rests, story)


class TestBeginning:
    def begin(self, tmp_path: Path, clock: Callable[[int], Any]) -> tuple[Any, list[str], int]:
        """Begin with a clock made from the time of the journal's last entry."""
        reports: list[str] = []
        made: list[Any] = []

        async def story(world: World) -> None:
            await world.create()
            made.append(world.entries()[-1].at_ms)
            made.append(clock(made[0]))
            Timekeeper(world.engine, made[1], lambda record: None, grace_ms=0).begin(reports.append)

        play(tmp_path, three_rests, story)
        return made[1], reports, made[0]

    def test_a_virtual_clock_behind_the_journal_begins_at_its_end(self, tmp_path: Path) -> None:
        clock, reports, last_ms = self.begin(tmp_path, lambda last: VirtualClock(last - DAY))

        assert clock.now_ms() == last_ms
        assert "time never goes back" in reports[0]

    def test_a_virtual_clock_ahead_of_the_journal_stays(self, tmp_path: Path) -> None:
        clock, reports, last_ms = self.begin(tmp_path, lambda last: VirtualClock(last + DAY))

        assert (clock.now_ms(), reports) == (last_ms + DAY, [])

    def test_a_real_clock_behind_the_journal_is_told_of(self, tmp_path: Path) -> None:
        def behind(last_ms: int) -> SystemClock:
            return SystemClock(lambda: (last_ms - 30 * DAY) * 1_000_000, lambda: 0)

        _, reports, _ = self.begin(tmp_path, behind)

        assert "the journal ends 30 days ahead of this machine's clock" in reports[0]


def test_a_running_virtual_clock_goes_on_by_itself_and_stops_when_frozen() -> None:
    async def main() -> None:
        clock = VirtualClock(1_000, SystemClock())
        rung: list[int] = []
        clock.call_at(1_020, lambda: rung.append(clock.now_ms()))
        assert clock.now_ms() == 1_000

        clock.run()
        await asyncio.to_thread(eventually, lambda: rung)
        clock.freeze()

        stopped_ms = clock.now_ms()
        assert rung[0] >= 1_020 and stopped_ms >= rung[0]
        clock.call_at(stopped_ms, lambda: rung.append(-1))  # due already: it rings although frozen
        clock.call_at(stopped_ms + 1, lambda: rung.append(-2))
        await asyncio.to_thread(eventually, lambda: -1 in rung)
        assert -2 not in rung and clock.now_ms() == stopped_ms

    asyncio.run(main())


def test_a_running_clock_is_advanced_and_runs_on(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        clock = VirtualClock(world.clock.now_ms(), SystemClock())
        saved: list[SavedClock] = []
        keeper = Timekeeper(world.engine, clock, saved.append, grace_ms=GRACE_MS)
        await keeper.run()
        assert not keeper.is_frozen
        before_ms = keeper.now_ms()

        await keeper.advance(DAY)

        assert before_ms + DAY <= keeper.now_ms() <= before_ms + DAY + 60 * SECOND
        assert not keeper.is_frozen
        assert saved[-1] == SavedClock(ahead_ms=clock.ahead_ms)

    play(tmp_path, three_rests, story)
