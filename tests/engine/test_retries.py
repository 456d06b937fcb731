"""Attempts: how many, when, under which number, and what ends them."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from emulator.engine.model.definition import Definition
from emulator.engine.model.entries import members_of
from emulator.engine.model.entry_kinds import EntryKind
from tests.engine.scripted import Context, Step, StepError
from tests.engine.world import CLASS, DAY, MINUTE, NAME, SECOND, World, play

Event = dict[str, Any]


async def fails_always(event: Event, step: Step) -> None:
    await step.do("charge", _fail, event["payload"].get("config"))


def _fail(ctx: Context) -> None:
    raise StepError("Error", f"declined {ctx.attempt}")


def _starts_ms(world: World) -> list[int]:
    return [e.at_ms for e in world.entries() if e.kind is EntryKind.ATTEMPT_START]


def test_by_default_attempts_are_10_20_40_80_and_160_seconds_apart(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(DAY)

        gaps = [after - before for before, after in pairwise(_starts_ms(world))]
        assert gaps == [10 * SECOND, 20 * SECOND, 40 * SECOND, 80 * SECOND, 160 * SECOND]

    play(tmp_path, fails_always, story)


def test_by_default_there_are_six_attempts_numbered_from_one(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(DAY)

        assert world.attempts("charge-1") == [1, 2, 3, 4, 5, 6]
        assert world.error() == ("Error", "declined 6")

    play(tmp_path, fails_always, story)


@pytest.mark.parametrize(
    ("backoff", "gaps_s"),
    [("constant", [5, 5, 5]), ("linear", [5, 10, 15]), ("exponential", [5, 10, 20])],
)
def test_each_backoff_spaces_attempts_its_own_way(
    tmp_path: Path, backoff: str, gaps_s: list[int]
) -> None:
    async def story(world: World) -> None:
        retries = {"limit": 3, "delay": "5 seconds", "backoff": backoff}
        await world.create(params={"config": {"retries": retries}})
        await world.advance(DAY)

        gaps = [after - before for before, after in pairwise(_starts_ms(world))]
        assert gaps == [gap * SECOND for gap in gaps_s]

    play(tmp_path, fails_always, story)


def test_retries_without_a_backoff_are_exponential(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create(params={"config": {"retries": {"limit": 2, "delay": 1000}}})
        await world.advance(DAY)

        gaps = [after - before for before, after in pairwise(_starts_ms(world))]
        assert gaps == [SECOND, 2 * SECOND]

    play(tmp_path, fails_always, story)


def test_a_delay_of_zero_retries_without_time_passing(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create(params={"config": {"retries": {"limit": 4, "delay": 0}}})

        assert world.attempts("charge-1") == [1, 2, 3, 4, 5]
        assert world.status() == "errored"

    play(tmp_path, fails_always, story)


@pytest.mark.parametrize(("limit", "attempts"), [(0, 1), (1, 2), (2.5, 3), (7, 8)])
def test_a_limit_counts_the_attempts_after_the_first(
    tmp_path: Path, limit: float, attempts: int
) -> None:
    async def story(world: World) -> None:
        await world.create(params={"config": {"retries": {"limit": limit, "delay": 0}}})

        assert len(world.attempts("charge-1")) == attempts

    play(tmp_path, fails_always, story)


def test_a_step_that_succeeds_in_a_later_attempt_has_its_value(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        def callback(ctx: Context) -> int:
            if ctx.attempt < 3:
                raise StepError("Error", "not yet")
            return ctx.attempt

        return await step.do("poll", callback)

    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)

        assert world.output() == 3

    play(tmp_path, workflow, story)


@pytest.mark.parametrize(
    "error",
    [
        StepError("NonRetryableError", "card stolen"),
        StepError("NonRetryableError", ""),
        StepError("Error", "NonRetryableError: card stolen"),
    ],
)
def test_a_non_retryable_error_ends_the_step_at_once(tmp_path: Path, error: StepError) -> None:
    async def workflow(event: Event, step: Step) -> None:
        def callback(ctx: Context) -> None:
            raise error

        await step.do("charge", callback)

    async def story(world: World) -> None:
        await world.create()
        await world.advance(DAY)

        assert world.attempts("charge-1") == [1]
        assert world.error() == (error.name, error.message)

    play(tmp_path, workflow, story)


def test_a_non_retryable_error_is_worded_as_before_without_the_compatibility_flag(
    tmp_path: Path,
) -> None:
    async def workflow(event: Event, step: Step) -> None:
        raise StepError("NonRetryableError", "card stolen")

    async def story(world: World) -> None:
        await world.create()

        name, message = world.error()
        assert name == "WorkflowFatalError"
        assert message.startswith("The execution of the Workflow instance was terminated")

    definitions = [Definition(NAME, CLASS, plain_non_retryable=False)]
    play(tmp_path, workflow, story, definitions=definitions)


def test_an_attempt_that_takes_too_long_fails_and_is_tried_again(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        async def callback(ctx: Context) -> str:
            if ctx.attempt == 1:
                await asyncio.Event().wait()
            return "in time"

        config = {"timeout": "1 minute", "retries": {"limit": 1, "delay": "5 seconds"}}
        return await step.do("slow", callback, config)

    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)
        failure = next(e for e in world.entries() if e.kind is EntryKind.ATTEMPT_FAILURE)
        await world.advance(5 * SECOND)

        assert members_of(failure)["error"] == {
            "name": "WorkflowTimeoutError",
            "message": "Execution timed out after 60000ms",
        }
        assert world.output() == "in time"

    play(tmp_path, workflow, story)


def test_the_late_result_of_a_timed_out_attempt_is_ignored(tmp_path: Path) -> None:
    gates = {1: asyncio.Event(), 2: asyncio.Event()}

    async def workflow(event: Event, step: Step) -> Any:
        async def callback(ctx: Context) -> str:
            await gates[ctx.attempt].wait()
            return f"attempt {ctx.attempt}"

        config = {"timeout": "1 minute", "retries": {"limit": 1, "delay": "5 seconds"}}
        return await step.do("slow", callback, config)

    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE + 5 * SECOND)
        gates[1].set()
        await world.settle()
        assert world.status() == "running"

        gates[2].set()
        await world.settle()

        assert world.kinds().count(EntryKind.ATTEMPT_SUCCESS) == 1

    play(tmp_path, workflow, story)


def test_a_late_result_during_the_retry_wait_does_not_end_it(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> Any:
        async def callback(ctx: Context) -> int:
            if ctx.attempt == 1:
                await gate.wait()
            return ctx.attempt

        config = {"timeout": "1 minute", "retries": {"limit": 1, "delay": "5 seconds"}}
        return await step.do("slow", callback, config)

    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)
        gate.set()
        await world.settle()
        assert world.status() == "waiting"

        await world.advance(5 * SECOND)

        assert world.output() == 2

    play(tmp_path, workflow, story)


def test_the_configuration_of_the_first_encounter_stays(tmp_path: Path) -> None:
    limits = iter([1, 9, 9])

    async def workflow(event: Event, step: Step) -> None:
        config = {"retries": {"limit": next(limits), "delay": "1 hour", "backoff": "constant"}}
        await step.do("charge", _fail, config)

    async def story(world: World) -> None:
        await world.create()
        await world.crash_and_boot()
        await world.advance(DAY)

        assert world.attempts("charge-1") == [1, 2]

    play(tmp_path, workflow, story)


def test_the_context_has_the_whole_configuration(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        return await step.do("look", lambda ctx: ctx.config, {"timeout": "1 minute"})

    async def story(world: World) -> None:
        await world.create()

        config = world.output()
        assert config["timeout"] == "1 minute"
        assert config["retries"] == {"limit": 5, "delay": 10000, "backoff": "exponential"}

    play(tmp_path, workflow, story)


@pytest.mark.parametrize(
    ("config", "rule"),
    [
        ({"retries": {"limit": 1}}, "retries.delay is missing"),
        ({"retries": {"delay": 1}}, "retries.limit is missing"),
        ({"retries": {"limit": -1, "delay": 1}}, "retries.limit is -1; expected 0 to 10000"),
        ({"retries": {"limit": "3", "delay": 1}}, "retries.limit is '3'; expected a number"),
        ({"retries": {"limit": 1, "delay": "5 mins"}}, 'retries.delay is "5 mins"; expected'),
        ({"retries": {"limit": 1, "delay": 1, "backoff": "fast"}}, "retries.backoff is 'fast'"),
        ({"retries": {"limit": 1, "delay": 1, "max": 1}}, "retries has no key 'max'"),
        ({"retry": {}}, "config has no key 'retry'"),
        ({"timeout": 0}, "timeout is 0; expected more than 0"),
        ({"timeout": "5m"}, 'timeout is "5m"; expected milliseconds or'),
        ({"sensitive": "input"}, "sensitive is 'input'; expected \"output\""),
        (["timeout"], "config is ['timeout']; expected an object"),
    ],
)
def test_a_bad_configuration_names_the_line_the_step_and_the_rule(
    tmp_path: Path, config: Any, rule: str
) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("charge", lambda ctx: None, config, line="src/entry.py:31")

    async def story(world: World) -> None:
        await world.create()

        name, message = world.error()
        assert name == "WorkflowFatalError"
        assert message.startswith(f'src/entry.py:31: step "charge": {rule}')
        assert world.executions == []

    play(tmp_path, workflow, story)
