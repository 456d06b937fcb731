"""Steps of every kind: what they give back, in which order, and what is recorded."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emulator.engine.model.definition import Definition
from emulator.engine.model.entry_kinds import EntryKind
from emulator.protocol.runs import RunAbort, RunStart, StepDone
from tests.engine.scripted import Context, Step, StepError
from tests.engine.world import CLASS, HOUR, MINUTE, NAME, SECOND, World, play

Event = dict[str, Any]


def test_steps_in_sequence_hand_their_values_on(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> int:
        first = await step.do("first", lambda ctx: 20)
        second = await step.do("second", lambda ctx: first + 1)
        return int(second) * 2

    async def story(world: World) -> None:
        await world.create()

        assert world.status() == "complete"
        assert world.output() == 42

    play(tmp_path, workflow, story)


def test_parallel_steps_run_side_by_side(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> list[int]:
        both = asyncio.Barrier(2)

        async def callback(ctx: Context) -> int:
            return await both.wait()

        return sorted(await asyncio.gather(step.do("a", callback), step.do("b", callback)))

    async def story(world: World) -> None:
        await world.create()

        assert world.output() == [0, 1]

    play(tmp_path, workflow, story)


def test_steps_of_one_name_are_distinguished_by_their_count(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> list[int]:
        return [await step.do("page", lambda ctx, n=n: n) for n in (7, 8, 9)]  # type: ignore[misc]

    async def story(world: World) -> None:
        await world.create()

        assert world.output() == [7, 8, 9]
        assert [(e.step, e.attempt) for e in world.executions] == [
            ("page-1", 1),
            ("page-2", 1),
            ("page-3", 1),
        ]

    play(tmp_path, workflow, story)


def test_a_step_in_a_callback_of_a_step_runs(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> str:
        async def outer(ctx: Context) -> str:
            inner = await ctx.step.do("inner", lambda ctx: "inner")
            return f"outer of {inner}"

        return str(await step.do("outer", outer))

    async def story(world: World) -> None:
        await world.create()

        assert world.output() == "outer of inner"

    play(tmp_path, workflow, story)


def test_a_raised_error_is_caught_in_run_with_its_name_and_message(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> list[str]:
        def fail(ctx: Context) -> None:
            raise StepError("TypeError", "no such order")

        try:
            await step.do("look up", fail, {"retries": {"limit": 0, "delay": 0}})
        except StepError as error:
            return [error.name, error.message]
        raise AssertionError

    async def story(world: World) -> None:
        await world.create()

        assert world.output() == ["TypeError", "no such order"]

    play(tmp_path, workflow, story)


def test_a_step_that_failed_raises_the_same_error_on_replay(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> list[str]:
        def fail(ctx: Context) -> None:
            raise StepError("RangeError", "out of stock")

        try:
            await step.do("reserve", fail, {"retries": {"limit": 0, "delay": 0}})
        except StepError as error:
            await step.sleep("rest", "1 hour")
            return [error.name, error.message]
        raise AssertionError

    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR)

        assert world.output() == ["RangeError", "out of stock"]
        assert world.attempts("reserve-1") == [1]

    play(tmp_path, workflow, story)


def test_an_error_that_run_raises_ends_the_instance_with_it(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        raise StepError("TypeError", "undefined is not a function")

    async def story(world: World) -> None:
        await world.create()

        assert world.status() == "errored"
        assert world.error() == ("TypeError", "undefined is not a function")

    play(tmp_path, workflow, story)


def test_an_instance_is_recorded_step_by_step(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("charge", lambda ctx: 1)

    async def story(world: World) -> None:
        await world.create()

        assert world.kinds() == [
            EntryKind.WORKFLOW_QUEUED,
            EntryKind.WORKFLOW_START,
            EntryKind.STEP_START,
            EntryKind.ATTEMPT_START,
            EntryKind.ATTEMPT_SUCCESS,
            EntryKind.STEP_SUCCESS,
            EntryKind.WORKFLOW_SUCCESS,
        ]

    play(tmp_path, workflow, story)


def test_the_value_of_a_do_is_not_sent_back_to_the_guest_that_made_it(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        return await step.do("make", lambda ctx: "x" * 1000)

    async def story(world: World) -> None:
        await world.create()

        assert [done.payload for done in world.sent(StepDone)] == [b""]
        assert world.output() == "x" * 1000

    play(tmp_path, workflow, story)


def test_the_event_carries_params_id_name_and_creation_time(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Event:
        return event

    async def story(world: World) -> None:
        created_at = datetime.fromtimestamp(world.clock.now_ms() / 1000, UTC)
        await world.create("order-17", {"amount": 5})

        assert world.output("order-17") == {
            "payload": {"amount": 5},
            "timestamp": created_at,
            "instanceId": "order-17",
            "workflowName": NAME,
        }

    play(tmp_path, workflow, story)


def test_params_left_out_are_an_empty_object(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        return event["payload"]

    async def story(world: World) -> None:
        await world.create()

        assert world.output() == {}

    play(tmp_path, workflow, story)


def test_exactly_as_many_do_steps_as_the_limit_allows_succeed(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> str:
        for _ in range(3):
            await step.do("page", lambda ctx: None)
        await step.sleep("rest", "1 second")  # not counted
        try:
            await step.do("page", lambda ctx: None)
        except StepError as error:
            return f"{error.name}: {error.message}"
        raise AssertionError

    async def story(world: World) -> None:
        await world.create()
        await world.advance(SECOND)

        assert world.output() == (
            "WorkflowFatalError: The limit of 3 steps has been reached."
            " This limit can be changed in your worker configuration."
        )

    play(tmp_path, workflow, story, definitions=[Definition(NAME, CLASS, step_limit=3)])


def test_steps_answered_by_replay_do_not_count_twice_against_the_limit(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("first", lambda ctx: None)
        await step.sleep("rest", "1 hour")
        await step.do("second", lambda ctx: None)

    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR)

        assert world.status() == "complete"

    play(tmp_path, workflow, story, definitions=[Definition(NAME, CLASS, step_limit=2)])


def test_a_step_that_run_does_not_await_is_reported(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        step.do("forgotten", lambda ctx: asyncio.sleep(0), line="src/entry.py:7")
        step.sleep("nap", "1 hour")

    async def story(world: World) -> None:
        await world.create()

        assert world.reports == [
            f"{NAME} a: run() returned before the end of forgotten-1 (src/entry.py:7), nap-1;"
            " await every step"
        ]

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("name", ["x" * 257, "tab\tname", "\ud800"])
def test_a_bad_step_name_raises_in_run_and_leaves_no_entry(tmp_path: Path, name: str) -> None:
    async def workflow(event: Event, step: Step) -> str:
        try:
            await step.do(name, lambda ctx: None)
        except StepError as error:
            return error.name
        raise AssertionError

    async def story(world: World) -> None:
        await world.create()

        assert world.output() == "WorkflowFatalError"
        assert world.kinds() == [
            EntryKind.WORKFLOW_QUEUED,
            EntryKind.WORKFLOW_START,
            EntryKind.WORKFLOW_SUCCESS,
        ]

    play(tmp_path, workflow, story)


def test_a_dropped_run_is_not_answered_any_more(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> None:
        async def callback(ctx: Context) -> None:
            await gate.wait()

        await step.do("slow", callback)

    async def story(world: World) -> None:
        await world.create()
        await world.terminate()
        gate.set()
        await world.advance(MINUTE)

        assert [type(message) for message in world.guest.sent] == [RunStart, RunAbort]

    play(tmp_path, workflow, story)


def test_a_step_beside_the_one_whose_error_run_raises_is_reported(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        def broken(ctx: Context) -> None:
            raise StepError("NonRetryableError", "no")

        await asyncio.gather(step.do("broken", broken), step.sleep("nap", "1 hour"))

    async def story(world: World) -> None:
        await world.create()

        problem = "run() raised before the end of nap-1; await every step"
        assert world.reports == [f"{NAME} a: {problem}"]

    play(tmp_path, workflow, story)
