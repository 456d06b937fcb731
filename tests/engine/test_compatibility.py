"""The upstream engine's own tests, in our words: what no other module of ours covers.

By file of its tests. Titles that are covered elsewhere: creation and deletion in
`test_creating`, `test_batch_creation`, `test_deleting`; operations in `test_lifecycle`; restart in
`test_rewinding`; rollback in `test_rollback`; delay functions in `test_dynamic_delay`;
`subscribe` in `test_subscription`; cron in `test_schedules`. Not ours: RPC stubs and introspection,
and `typed-errors.test.ts`: `retryable` of a binding's errors is set under an experimental
flag that is still in review (`workflows_typed_errors`), on JavaScript's errors, after codes of the
service's rate limits, none of which a local engine has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.engine.actions import Reject
from emulator.engine.decide import steps
from emulator.engine.decide.step_call import StepCall
from emulator.engine.model.definition import STEP_LIMIT, Definition
from emulator.engine.model.instance import Instance
from emulator.engine.model.plain import REDACTED
from emulator.engine.model.step_key import StepKind
from emulator.engine.views import report
from emulator.protocol import values
from tests.engine.scripted import Context, Step, StepError
from tests.engine.world import CLASS, HOUR, NAME, SECOND, World, play

Event = dict[str, Any]
KB = 1_000

# --- context.test.ts: Context


def test_a_first_attempt_is_number_1_and_each_retry_one_more(tmp_path: Path) -> None:
    seen: list[int] = []

    async def workflow(event: Event, step: Step) -> None:
        def work(ctx: Context) -> None:
            seen.append(ctx.attempt)
            if ctx.attempt < 3:
                raise StepError("Error", "not yet")

        await step.do("work", work, {"retries": {"limit": 5, "delay": 0}})

    async def story(world: World) -> None:
        await world.create()

        assert seen == [1, 2, 3]

    play(tmp_path, workflow, story)


# --- context.test.ts: Typed arrays


@pytest.mark.parametrize(
    "value",
    [
        b"x" * (200 * KB),
        values.TypedArray("Float64Array", b"\1" * (200 * KB)),
        {"embedding": values.TypedArray("Float32Array", b"\1" * (200 * KB))},
        {"rows": [{"cells": [b"x" * (100 * KB)]}, {"cells": [b"y" * (100 * KB)]}]},
    ],
    ids=["bytes", "typed", "in an object", "deep in lists of objects"],
)
def test_large_binary_results_come_back_as_they_were_live_and_in_replay(
    tmp_path: Path, value: Any
) -> None:
    seen: list[bool] = []

    async def workflow(event: Event, step: Step) -> None:
        seen.append(await step.do("make", lambda ctx: value) == value)
        await step.sleep("rest", "1 hour")

    async def story(world: World) -> None:
        await world.create()
        await world.crash_and_boot()
        await world.advance(HOUR)

        assert set(seen) == {True} and len(seen) > 1
        assert world.status() == "complete"

    play(tmp_path, workflow, story)


# --- context.test.ts: Sensitive step output


def test_a_sensitive_result_reaches_the_next_step_and_no_report(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        secret = await step.do("secret", lambda ctx: "hunter2", {"sensitive": "output"})
        await step.sleep("rest", "1 hour")
        return len(await step.do("use", lambda ctx: secret))

    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR)

        assert world.output() == len("hunter2")
        first, *_ = report.instance_detail(world.entries(), world.stands(), "v")["steps"]
        assert first["output"] == REDACTED

    play(tmp_path, workflow, story)


def test_the_error_of_a_sensitive_step_is_not_hidden(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        def broken(ctx: Context) -> None:
            raise StepError("Error", "cannot log in")

        config = {"sensitive": "output", "retries": {"limit": 0, "delay": 0}}
        await step.do("secret", broken, config)

    async def story(world: World) -> None:
        await world.create()

        assert world.error() == ("Error", "cannot log in")
        (step,) = report.instance_detail(world.entries(), world.stands(), "v")["steps"]
        error = step["attempts"][0]["error"]
        assert error is not None and error["message"] == "cannot log in"

    play(tmp_path, workflow, story)


# --- engine.test.ts: Engine and step limits


def test_an_event_that_comes_while_nothing_of_the_instance_is_in_memory_is_received(
    tmp_path: Path,
) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        return (await step.wait_for_event("wait", "go"))["payload"]

    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR)
        assert (world.guest.runs, world.engine.roster.check().instances) == (0, 0)

        await world.send("go", 7)

        assert world.output() == 7

    play(tmp_path, workflow, story)


def test_without_a_limit_of_its_own_a_workflow_has_production_s() -> None:
    assert Definition(NAME, CLASS).step_limit == STEP_LIMIT == 10_000


@pytest.mark.parametrize(("before", "refused"), [(24_999, False), (25_000, True)])
def test_with_the_highest_limit_the_25001st_step_is_refused(before: int, refused: bool) -> None:
    instance = Instance(1, NAME, "a", do_steps=before)

    decision = steps.begin(instance, StepCall(StepKind.DO, "work", 1, {}), 0, 25_000)

    assert ([type(each) for each in decision.actions] == [Reject]) is refused
    assert (decision.entries == ()) is refused


# --- validators.test.ts: Validators


@pytest.mark.parametrize("name", ["two words", "n" * 256, "", "naïve 数", "a/../b", "do:1:x"])
def test_a_step_may_be_called_this(tmp_path: Path, name: str) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        first = await step.do(name, lambda ctx: 1)
        await step.sleep(name, "1 hour")
        return first + await step.do(name, lambda ctx: 2)

    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR)

        assert world.output() == 3
        labels = [
            step["name"]
            for step in report.instance_detail(world.entries(), world.stands(), "v")["steps"]
        ]
        assert labels == [f"{name}-1", f"{name}-1", f"{name}-2"]

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("name", ["\x00", "n" * 257, "a\nb", "\x1f"])
def test_a_step_may_not_be_called_this(tmp_path: Path, name: str) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do(name, lambda ctx: 1)

    async def story(world: World) -> None:
        await world.create()

        error, message = world.error()
        assert error == "WorkflowFatalError"
        assert message.endswith("exceeds max length (256 chars) or invalid characters found")

    play(tmp_path, workflow, story)


@pytest.mark.parametrize(
    "config",
    [
        {"retries": {"limit": 0, "delay": 0}},
        {"retries": {"limit": 3, "delay": "5 seconds", "backoff": "linear"}, "timeout": 1},
        {"sensitive": "output"},
        {},
    ],
)
def test_a_step_may_be_configured_like_this(tmp_path: Path, config: Any) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        return await step.do("work", lambda ctx: "done", config)

    async def story(world: World) -> None:
        await world.create()

        assert world.output() == "done"

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("number", [-1, float("inf"), float("nan"), -0.5])
@pytest.mark.parametrize("where", ["delay", "timeout", "limit", "sleep", "wait"])
def test_numbers_that_make_no_sense_are_refused_and_nothing_breaks(
    tmp_path: Path, where: str, number: float
) -> None:
    async def workflow(event: Event, step: Step) -> None:
        retries = {"limit": 1, "delay": 1}
        match where:
            case "delay" | "limit":
                await step.do("x", lambda ctx: 1, {"retries": retries | {where: number}})
            case "timeout":
                await step.do("x", lambda ctx: 1, {"timeout": number})
            case "sleep":
                await step.sleep("x", number)
            case "wait":
                await step.wait_for_event("x", "go", number)

    async def story(world: World) -> None:
        await world.create()
        await world.advance(SECOND)

        assert world.error()[0] == "WorkflowFatalError"
        assert 'step "x": ' in world.error()[1]

    play(tmp_path, workflow, story)


# --- related suites


def test_an_instance_can_create_another_inside_a_step(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> str:
        if event["instanceId"] == "child":
            await step.sleep("rest", "1 hour")
            return "grown up"
        return str(await step.do("create", lambda ctx: create("child")))

    async def create(name: str) -> str:
        return await worlds[0].control.create(NAME, name, None)

    worlds: list[World] = []

    async def story(world: World) -> None:
        worlds.append(world)
        await world.create("parent")
        assert (world.output("parent"), world.status("child")) == ("child", "waiting")

        await world.advance(HOUR)

        assert world.output("child") == "grown up"

    play(tmp_path, workflow, story)
