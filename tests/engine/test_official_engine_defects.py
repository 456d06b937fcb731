"""Defects of the official local engine, none of which exists here.

By the rows of docs/platform/workflows-local-engine.md.

Rows about the command line, REST, other bindings and other languages are tested where those are.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emulator.answers.creation import NewInstance
from emulator.cli.progress import describe
from emulator.engine.journal import lists
from emulator.engine.journal.lists import Filter, Slice
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Status
from emulator.engine.model.instance_entries import RestartPoint
from emulator.engine.schedules import Schedules
from emulator.engine.views import report
from emulator.errors import WorkerError
from emulator.protocol import values
from tests.engine.scripted import Context, Step, StepError, Undo
from tests.engine.world import CLASS, DAY, HOUR, MINUTE, NAME, SECOND, World, play

Event = dict[str, Any]
NO_RETRIES = {"retries": {"limit": 0, "delay": 0}}


async def sleeper(event: Event, step: Step) -> None:
    await step.sleep("rest", "1 hour")


def raiser(name: str, message: str) -> Any:
    """A callback that raises this."""

    def callback(ctx: Context) -> None:
        raise StepError(name, message)

    return callback


@pytest.mark.parametrize("what", ["sleeping", "retrying", "interrupted"])
def test_row_1_instances_go_on_after_a_restart_of_the_server(tmp_path: Path, what: str) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> str:
        async def work(ctx: Context) -> str:
            if what == "retrying" and ctx.attempt == 1:
                raise StepError("Error", "not yet")
            if what == "interrupted":
                await gate.wait()
            return "done"

        if what == "sleeping":
            await step.sleep("rest", "1 minute")
        return str(await step.do("work", work))

    async def story(world: World) -> None:
        await world.create()
        gate.set()
        await world.crash_and_boot()
        await world.advance(MINUTE)

        assert world.output() == "done"

    play(tmp_path, workflow, story)


def test_row_2_an_id_in_use_is_refused_and_its_body_not_executed_twice(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("work", lambda ctx: None)

    async def story(world: World) -> None:
        await world.create()
        with pytest.raises(WorkerError, match=r"^\(instance.already_exists\)"):
            await world.create()
        assert await world.control.create_batch(NAME, [NewInstance("a"), NewInstance("b")]) == ["b"]
        await world.settle()

        assert world.attempts("work-1") == [1]

    play(tmp_path, workflow, story)


def test_row_3_a_retry_waits_10_seconds_unless_told_otherwise(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("work", raiser("Error", "no"))

    async def story(world: World) -> None:
        await world.create()
        await world.advance(10 * SECOND - 1)
        assert world.attempts("work-1") == [1]

        await world.advance(1)

        assert world.attempts("work-1") == [1, 2]

    play(tmp_path, workflow, story)


def test_row_4_a_sleeping_instance_is_waiting(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()

        assert world.status() == "waiting"

    play(tmp_path, sleeper, story)


def test_row_5_instances_over_the_concurrency_limit_stay_queued(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> None:
        await step.do("work", lambda ctx: gate.wait())

    async def story(world: World) -> None:
        for name in "abc":
            await world.create(name)

        assert [world.status(name) for name in "abc"] == ["running", "running", "queued"]

    play(tmp_path, workflow, story, concurrency=2)


def test_row_6_schedules_start_instances_by_themselves(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        return event["schedule"]["cron"]

    async def story(world: World) -> None:
        schedules = Schedules(world.clock, world.control.fire)
        schedules.set([(NAME, "0 * * * *")])
        hour_ms = schedules.next_ms()

        await world.advance(HOUR)

        assert world.output(f"0 * * * *-{hour_ms}") == "0 * * * *"

    play(tmp_path, workflow, story)


def test_row_7_what_has_ended_is_kept_as_long_as_was_asked_and_no_longer(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        return None

    async def story(world: World) -> None:
        day, week = {"success": DAY}, None
        await world.control.create(NAME, "a-day", None, retention=day)
        await world.control.create(NAME, "by-default", None, retention=week)
        await world.settle()

        await world.advance(DAY + MINUTE)
        left = [found.id for found in lists.page(world.journal, Filter(NAME), Slice(9))]
        await world.advance(6 * DAY)

        assert left == ["by-default"]
        assert lists.page(world.journal, Filter(NAME), Slice(9)) == []

    play(tmp_path, workflow, story)


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda step: step.sleep("x", "366 days"), "more than 365 days"),
        (lambda step: step.wait_for_event("x", "e", 999), "expected 1 second to 365 days"),
        (lambda step: step.wait_for_event("x", "e", "2 years"), "expected 1 second to 365 days"),
        (lambda step: step.wait_for_event("x", "e" * 101), "expected 1 to 100 letters"),
        (
            lambda step: step.do("x", print, {"retries": {"limit": 10_001, "delay": 0}}),
            "expected 0 to 10000",
        ),
    ],
)
def test_row_8_what_exceeds_a_limit_is_refused(tmp_path: Path, call: Any, problem: str) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await call(step)

    async def story(world: World) -> None:
        await world.create()

        assert world.error()[0] == "WorkflowFatalError"
        assert problem in world.error()[1]

    play(tmp_path, workflow, story)


def test_row_9_user_code_that_catches_everything_does_not_notice_a_pause(tmp_path: Path) -> None:
    gate, caught = asyncio.Event(), list[Exception]()

    async def workflow(event: Event, step: Step) -> str:
        for name in ("first", "second"):
            try:
                await step.do(name, lambda ctx: gate.wait())
            except Exception as error:
                caught.append(error)
        return "done"

    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        gate.set()
        await world.advance(HOUR)
        assert (world.status(), world.attempts("second-1")) == ("paused", [])

        await world.resume()

        assert (world.output(), caught) == ("done", [])

    play(tmp_path, workflow, story)


def test_row_10_a_pause_takes_effect_after_a_caught_non_retryable_error(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> None:
        try:
            await step.do("bad", raiser("NonRetryableError", "never"))
        except StepError:
            await step.do("work", lambda ctx: gate.wait())
            await step.do("more", lambda ctx: None)

    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        gate.set()
        await world.settle()

        assert world.status() == "paused"

    play(tmp_path, workflow, story)


def test_row_11_a_pause_with_nested_steps_does_not_lock_up(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> None:
        async def outer(ctx: Context) -> None:
            await gate.wait()
            await ctx.step.do("inner", lambda ctx: None)

        await step.do("outer", outer)

    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        gate.set()
        await world.settle()

        assert world.status() == "paused"
        assert world.kinds().count(EntryKind.STEP_SUCCESS) == 2

    play(tmp_path, workflow, story)


def test_row_12_a_resume_that_races_with_the_end_of_the_step_loses_nothing(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> str:
        await step.do("work", lambda ctx: asyncio.sleep(0))
        return str(await step.do("more", lambda ctx: "done"))

    async def story(world: World) -> None:
        for turns in range(20):
            name = f"i{turns}"
            await world.control.create(NAME, name, None)
            for _ in range(turns):
                await asyncio.sleep(0)
            await world.control.pause(NAME, name)
            for _ in range(turns % 5):
                await asyncio.sleep(0)
            await world.resume(name)

            assert world.status(name) == "complete"
            assert world.attempts("work-1", name) == [1]

    play(tmp_path, workflow, story)


def test_row_13_a_step_that_failed_for_good_is_not_executed_again_in_replay(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> str:
        try:
            await step.do("bad", raiser("NonRetryableError", "never"))
        except StepError as error:
            await step.sleep("rest", "1 hour")
            return error.message
        return "nothing raised"

    async def story(world: World) -> None:
        await world.create()
        await world.crash_and_boot()
        await world.advance(HOUR)

        assert (world.output(), world.attempts("bad-1")) == ("never", [1])

    play(tmp_path, workflow, story)


def test_row_14_consumed_events_never_come_again_and_many_keep_their_order(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> list[int]:
        got = []
        for n in range(12):
            got.append((await step.wait_for_event(f"wait {n}", "go"))["payload"])
            await step.sleep(f"rest {n}", "1 minute")
        return got

    async def story(world: World) -> None:
        await world.create()
        for n in range(12):
            await world.send("go", n)
        for _ in range(12):
            await world.crash_and_boot()
            await world.advance(MINUTE)

        assert world.output() == list(range(12))

    play(tmp_path, workflow, story)


def test_row_15_a_sleep_until_that_has_passed_and_a_changed_sleep_are_replayed(
    tmp_path: Path,
) -> None:
    def slept(duration: str) -> Any:
        async def workflow(event: Event, step: Step) -> str:
            await step.sleep_until("until", 60_000 + event["timestamp"].timestamp() * 1000)
            await step.sleep("rest", duration)
            await step.sleep("more", "1 hour")
            return "done"

        return workflow

    async def story(world: World) -> None:
        await world.create()
        await world.advance(2 * MINUTE)
        world.load({CLASS: slept("2 minutes")})
        await world.advance(HOUR)

        assert world.output() == "done"
        assert world.kinds().count(EntryKind.SLEEP_START) == 3

    play(tmp_path, slept("1 minute"), story)


def test_row_16_an_attempt_that_a_crash_cut_off_is_recorded_as_such(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> None:
        await step.do("work", lambda ctx: gate.wait())

    async def story(world: World) -> None:
        await world.create()
        await world.control.send_event(NAME, "a", "x", b"1")  # the start is on disk by now
        await world.crash_and_boot()

        assert EntryKind.ATTEMPT_INTERRUPTED in world.kinds()
        assert world.attempts("work-1") == [1, 2]

    play(tmp_path, workflow, story)


def test_row_17_handlers_run_again_when_an_instance_restarted_from_a_step_fails_again(
    tmp_path: Path,
) -> None:
    undone: list[str] = []

    async def workflow(event: Event, step: Step) -> None:
        for name in "ab":
            await step.do(name, lambda ctx: 1, rollback=lambda undo: undone.append(undo.step))
        raise StepError("Error", "too late")

    async def story(world: World) -> None:
        await world.create()
        await world.restart(start=RestartPoint("b"))

        assert undone == ["b-1", "a-1", "b-1", "a-1"]

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("length", [255, 256])
def test_row_18_the_longest_step_names_are_rolled_back(tmp_path: Path, length: int) -> None:
    undone: list[Undo] = []

    async def workflow(event: Event, step: Step) -> None:
        await step.do("n" * length, lambda ctx: 1, rollback=undone.append)
        raise StepError("Error", "too late")

    async def story(world: World) -> None:
        await world.create()

        assert [undo.step for undo in undone] == ["n" * length + "-1"]

    play(tmp_path, workflow, story)


def test_row_19_an_error_class_of_the_users_keeps_its_name(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("pay", raiser("CardDeclined", "no funds"), NO_RETRIES)

    async def story(world: World) -> None:
        await world.create()

        assert world.error() == ("CardDeclined", "no funds")

    play(tmp_path, workflow, story)


def test_row_20_outputs_keep_dates_maps_sets_big_numbers_and_cycles(tmp_path: Path) -> None:
    def value() -> Any:
        cycle: dict[str, Any] = {
            "date": datetime(2026, 1, 1, tzinfo=UTC),
            "map": values.MapValue([(1, "one")]),
            "set": {1, 2},
            "big": 2**70,
        }
        cycle["itself"] = cycle
        return cycle

    async def workflow(event: Event, step: Step) -> Any:
        await step.do("work", lambda ctx: value())
        return value()

    async def story(world: World) -> None:
        await world.create()

        output = world.output()
        assert output["itself"] is output
        assert {key: output[key] for key in ("date", "set", "big")} == {
            "date": datetime(2026, 1, 1, tzinfo=UTC),
            "set": {1, 2},
            "big": 2**70,
        }
        assert output["map"].pairs == [(1, "one")]
        assert report.instance_detail(world.entries(), world.stands(), "v")["success"] is True

    play(tmp_path, workflow, story)


def test_row_21_the_status_tells_how_a_rollback_ended(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("a", lambda ctx: 1, rollback=lambda undo: None)
        raise StepError("Error", "too late")

    async def story(world: World) -> None:
        await world.create()

        assert world.rollback() == {"outcome": "complete", "error": None}

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("source", ["api", "binding"])
def test_row_22_an_instance_knows_what_triggered_it(tmp_path: Path, source: str) -> None:
    async def story(world: World) -> None:
        await world.control.create(NAME, "a", None, source)
        await world.terminate()

        detail = report.instance_detail(world.entries(), world.stands(), "v1")
        assert (detail["trigger"], detail["versionId"]) == ({"source": source}, "v1")
        assert detail["steps"][-1]["type"] == "termination"

    play(tmp_path, sleeper, story)


def test_row_24_lists_go_by_creation_and_count_what_is_true_now(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        for name in ("first", "second", "third"):
            await world.create(name)
            await world.advance(SECOND)
        await world.control.terminate(NAME, "first")

        listed = lists.page(world.journal, Filter(NAME), Slice(9))
        assert [found.id for found in listed] == ["third", "second", "first"]
        assert lists.count(world.journal, Filter(NAME, Status.TERMINATED)) == 1
        assert lists.count(world.journal, Filter(NAME, Status.WAITING)) == 2

    play(tmp_path, sleeper, story)


def test_row_25_an_id_of_64_hexadecimal_digits_is_an_id(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("ab" * 32)

        assert world.status("ab" * 32) == "waiting"

    play(tmp_path, sleeper, story)


def test_row_26_an_instance_with_a_dynamic_delay_in_progress_can_be_described(
    tmp_path: Path,
) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("work", raiser("Error", "no"), delay=lambda attempt, error: "1 hour")

    async def story(world: World) -> None:
        await world.create()

        (step,) = report.instance_detail(world.entries(), world.stands(), "v")["steps"]
        retries = step["config"]["retries"]
        assert isinstance(retries, dict) and retries["delay"] == "[dynamic]"
        assert world.status() == "waiting"

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("duration", ["5 min", "5m", "-1 second", -1, "", True, "1hour", None])
def test_row_27_a_wrong_duration_is_refused(tmp_path: Path, duration: Any) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("rest", duration, line="src/entry.py:9")

    async def story(world: World) -> None:
        await world.create()

        assert world.error()[1].startswith('src/entry.py:9: step "rest": the duration is')

    play(tmp_path, workflow, story)


def test_row_28_the_result_of_a_timed_out_callback_does_not_count(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> Any:
        async def work(ctx: Context) -> int:
            if ctx.attempt == 1:
                await gate.wait()
            return ctx.attempt

        config = {"timeout": "1 second", "retries": {"limit": 1, "delay": "1 minute"}}
        return await step.do("work", work, config)

    async def story(world: World) -> None:
        await world.create()
        await world.advance(SECOND)
        gate.set()
        await world.advance(MINUTE)

        assert world.output() == 2

    play(tmp_path, workflow, story)


def test_row_29_a_caught_timeout_of_an_event_and_a_terminal_error_report_nothing(
    tmp_path: Path,
) -> None:
    async def workflow(event: Event, step: Step) -> str:
        with pytest.raises(StepError):
            await step.wait_for_event("wait", "go", "1 second")
        with pytest.raises(StepError):
            await step.do("bad", raiser("NonRetryableError", "never"))
        return "done"

    async def story(world: World) -> None:
        await world.create()
        await world.advance(DAY)

        assert (world.output(), world.reports) == ("done", [])

    play(tmp_path, workflow, story)


def test_row_34_a_non_retryable_error_is_not_tried_again(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("work", raiser("NonRetryableError", ""))

    async def story(world: World) -> None:
        await world.create()
        await world.advance(DAY)

        assert world.attempts("work-1") == [1]

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("instance", ["a", "nobody"])
def test_row_35_an_event_that_nobody_can_receive_is_refused_and_leaves_nothing(
    tmp_path: Path, instance: str
) -> None:
    async def workflow(event: Event, step: Step) -> None: ...

    async def story(world: World) -> None:
        await world.create()
        before = world.kinds()
        with pytest.raises(WorkerError):
            await world.send("go", instance=instance)

        assert world.kinds() == before
        assert world.journal.find(NAME, "nobody") is None

    play(tmp_path, workflow, story)


def test_row_36_an_instance_that_cannot_start_is_there_and_says_why(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.load({})
        await world.create()

        assert world.status() == "queued"
        assert any(CLASS in line for line in world.reports)

    play(tmp_path, sleeper, story)


def test_row_37_errors_of_steps_and_instances_are_shown_at_the_terminal(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("pay", raiser("CardDeclined", "no funds"), NO_RETRIES)

    async def story(world: World) -> None:
        await world.create()

        lines = [describe(entry) for entry in world.entries()]
        assert "pay failed (attempt 1): CardDeclined: no funds" in lines
        assert lines[-1] == "errored: CardDeclined: no funds"

    play(tmp_path, workflow, story)
