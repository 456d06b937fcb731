"""A delay that is a function: asked after each failed attempt that will be tried again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from emulator.engine.model.entries import members_of
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.views import report
from tests.engine.scripted import Context, Delay, Step, StepError, Workflow
from tests.engine.world import CLASS, HOUR, MINUTE, SECOND, World, play

Event = dict[str, Any]


def flaky(delay: Delay | None, failures: int = 1, **retries: Any) -> Workflow:
    """A workflow of one step that fails so often, each time after asking `delay`."""

    async def workflow(event: Event, step: Step) -> Any:
        def work(ctx: Context) -> int:
            if ctx.attempt <= failures:
                raise StepError("RangeError", f"attempt {ctx.attempt}")
            return ctx.attempt

        config = {"retries": {"limit": 3, "backoff": "constant"} | retries}
        return await step.do("work", work, config, delay=delay)

    return workflow


def noting(asked: list[int], answer: Any) -> Delay:
    """A function that gives this answer, and notes after which attempts it was asked."""

    def delay(attempt: int, error: StepError) -> Any:
        asked.append(attempt)
        return answer

    return delay


def starts(world: World) -> list[int]:
    """When each attempt began, in seconds after the first."""
    at_ms = [entry.at_ms for entry in world.entries() if entry.kind is EntryKind.ATTEMPT_START]
    return [(each - at_ms[0]) // SECOND for each in at_ms]


def test_the_function_says_how_long_to_wait_after_each_failure(tmp_path: Path) -> None:
    asked: list[tuple[int, str, str]] = []

    def delay(attempt: int, error: StepError) -> str:
        asked.append((attempt, error.name, error.message))
        return f"{attempt * 10} seconds"

    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)

        assert asked == [(1, "RangeError", "attempt 1"), (2, "RangeError", "attempt 2")]
        assert starts(world) == [0, 10, 30]
        assert world.output() == 3

    play(tmp_path, flaky(delay, failures=2), story)


def test_the_backoff_applies_to_what_the_function_returns(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)

        assert starts(world) == [0, 5, 15, 35]

    workflow = flaky(lambda attempt, error: 5 * SECOND, failures=3, backoff="exponential")
    play(tmp_path, workflow, story)


def test_a_step_that_will_not_be_tried_again_asks_nobody(tmp_path: Path) -> None:
    asked: list[int] = []

    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR)

        assert asked == [1]
        assert world.error() == ("RangeError", "attempt 2")

    workflow = flaky(noting(asked, 0), failures=9, limit=1)
    play(tmp_path, workflow, story)


def test_the_context_shows_no_delay_and_the_journal_that_it_is_dynamic(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def workflow(event: Event, step: Step) -> None:
        await step.do("work", lambda ctx: seen.append(ctx.config), delay=lambda attempt, error: 0)

    async def story(world: World) -> None:
        await world.create()

        assert seen[0]["retries"] == {"limit": 5, "backoff": "exponential"}
        (step,) = report.instance_detail(world.entries(), world.stands(), "v")["steps"]
        retries = step["config"]["retries"]
        assert isinstance(retries, dict) and retries["delay"] == "[dynamic]"

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("given", [-1, float("inf"), float("nan"), "5 min", None, True, [5], {}])
def test_a_result_that_is_not_a_duration_ends_the_step(tmp_path: Path, given: Any) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR)

        assert world.error() == (
            "NonRetryableDelayError",
            'The delay function for step "work-1" returned an invalid delay value'
            ' (expected a number of ms or a duration string like "30 seconds")',
        )
        assert world.attempts("work-1") == [1]

    play(tmp_path, flaky(lambda attempt, error: given), story)


def test_a_function_that_raises_ends_the_step_and_the_attempt_keeps_its_own_error(
    tmp_path: Path,
) -> None:
    def delay(attempt: int, error: StepError) -> None:
        raise StepError("Error", "no idea")

    async def story(world: World) -> None:
        await world.create()

        name, message = world.error()
        assert name == "NonRetryableDelayError"
        assert message == 'The delay function for step "work-1" threw an error: no idea'
        (failure,) = (e for e in world.entries() if e.kind is EntryKind.ATTEMPT_FAILURE)
        assert members_of(failure)["error"] == {"name": "RangeError", "message": "attempt 1"}

    play(tmp_path, flaky(delay), story)


def test_a_delay_error_can_be_caught_in_run_live_and_in_replay(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> str:
        def broken(ctx: Context) -> None:
            raise StepError("Error", "broken")

        try:
            await step.do("work", broken, delay=lambda attempt, error: -1)
        except StepError as error:
            await step.sleep("rest", "1 hour")
            return error.name
        return "nothing raised"

    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR)

        assert world.output() == "NonRetryableDelayError"
        assert world.attempts("work-1") == [1]

    play(tmp_path, workflow, story)


# --- while the function is asked


def slow(gate: asyncio.Event) -> Delay:
    """A function that answers "10 seconds" once the gate is open."""

    async def delay(attempt: int, error: StepError) -> str:
        await gate.wait()
        return "10 seconds"

    return delay


def test_an_instance_whose_function_is_asked_is_running_and_can_be_described(
    tmp_path: Path,
) -> None:
    gate = asyncio.Event()

    async def story(world: World) -> None:
        await world.create()
        await world.advance(3 * SECOND)

        assert world.status() == "running"
        (step,) = report.instance_detail(world.entries(), world.stands(), "v")["steps"]
        assert (step["success"], len(step["attempts"])) == (None, 1)
        gate.set()
        await world.settle()

        assert world.status() == "waiting"

    play(tmp_path, flaky(slow(gate)), story)


def test_a_crash_while_the_function_is_asked_asks_again_and_repeats_no_attempt(
    tmp_path: Path,
) -> None:
    gate = asyncio.Event()

    async def story(world: World) -> None:
        await world.create()
        await world.advance(2 * SECOND)
        await world.crash_and_boot()
        gate.set()
        await world.settle()
        assert world.attempts("work-1") == [1]

        await world.advance(10 * SECOND)

        assert (world.attempts("work-1"), world.output()) == ([1, 2], 2)

    play(tmp_path, flaky(slow(gate)), story)


def test_the_wait_that_the_function_has_asked_for_survives_a_crash(tmp_path: Path) -> None:
    asked: list[int] = []

    async def story(world: World) -> None:
        await world.create()
        await world.advance(30 * MINUTE)
        await world.crash_and_boot()
        await world.advance(30 * MINUTE - SECOND)
        assert world.attempts("work-1") == [1]

        await world.advance(SECOND)

        assert (asked, world.attempts("work-1")) == ([1], [1, 2])

    play(tmp_path, flaky(noting(asked, "1 hour")), story)


def test_a_pause_takes_effect_while_the_function_is_asked(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        assert world.status() == "paused"
        gate.set()
        await world.resume()
        await world.advance(10 * SECOND)

        assert world.attempts("work-1") == [1, 2]

    play(tmp_path, flaky(slow(gate)), story)


def test_a_reload_asks_the_new_code(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: flaky(lambda attempt, error: "1 minute")})
        await world.settle()
        gate.set()
        await world.advance(MINUTE - SECOND)
        assert world.attempts("work-1") == [1]

        await world.advance(SECOND)

        assert world.attempts("work-1") == [1, 2]

    play(tmp_path, flaky(slow(gate)), story)


def test_a_guest_lost_while_the_function_is_asked_is_asked_again_in_the_next(
    tmp_path: Path,
) -> None:
    gate = asyncio.Event()

    async def story(world: World) -> None:
        await world.create()
        world.lose_guest()
        gate.set()
        world.load()
        await world.advance(10 * SECOND)

        assert world.attempts("work-1") == [1, 2]
        failures = [e for e in world.entries() if e.kind is EntryKind.ATTEMPT_FAILURE]
        assert len(failures) == 1

    play(tmp_path, flaky(slow(gate)), story)


def test_a_function_that_takes_every_guest_down_fails_the_instance_in_the_end(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        await world.create()
        for _ in range(5):
            world.lose_guest()
            world.load()
            await world.settle()

        assert world.status() == "errored"

    play(tmp_path, flaky(slow(asyncio.Event())), story)


def test_a_timed_out_attempt_asks_the_function_too(tmp_path: Path) -> None:
    asked: list[str] = []

    def delay(attempt: int, error: StepError) -> int:
        asked.append(error.name)
        return 0

    async def workflow(event: Event, step: Step) -> Any:
        async def work(ctx: Context) -> int:
            if ctx.attempt == 1:
                await asyncio.Event().wait()
            return ctx.attempt

        config = {"retries": {"limit": 1}, "timeout": "2 seconds"}
        return await step.do("work", work, config, delay=delay)

    async def story(world: World) -> None:
        await world.create()
        await world.advance(2 * SECOND)

        assert (asked, world.output()) == (["WorkflowTimeoutError"], 2)

    play(tmp_path, workflow, story)


def test_a_rollback_takes_no_function(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        config = {"retries": {"limit": 1, "delay": {"$function": 1}}}
        await step.do("work", lambda ctx: 1, rollback=print, rollback_config=config)

    async def story(world: World) -> None:
        await world.create()

        assert "rollback: retries.delay is a function; expected a duration" in world.error()[1]

    play(tmp_path, workflow, story)
