"""Rollback: the handlers of the steps that started, when an instance fails or is terminated."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from emulator.engine.model.entries import members_of
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Status
from emulator.engine.model.instance_entries import RestartPoint
from emulator.engine.roster import Census
from emulator.engine.views import report
from emulator.protocol.runs import RollbackRun
from tests.engine.scripted import Context, Handler, Step, StepError, Undo, Workflow
from tests.engine.world import CLASS, DAY, GRACE_MS, HOUR, MINUTE, NAME, SECOND, World, play

Event = dict[str, Any]
NO_RETRIES = {"retries": {"limit": 0, "delay": 0}}
ROLLBACK_KINDS = range(EntryKind.ROLLBACK_START, EntryKind.ROLLBACK_FAILED + 1)


class Saga:
    """Steps a, b and c in sequence, each with a handler, then an error. `undone` is in order."""

    def __init__(self, *names: str, config: Any = None) -> None:
        self.names = names or ("a", "b", "c")
        self.config = config
        self.undone: list[str] = []
        self.fails = True

    async def run(self, event: Event, step: Step) -> str:
        for name in self.names:
            await step.do(
                name,
                lambda ctx: "made",
                rollback=self.undo,
                rollback_config=self.config,
            )
        if self.fails:
            raise StepError("Error", "too late")
        return "done"

    async def undo(self, undo: Undo) -> None:
        self.undone.append(undo.step)


def rollback_kinds(world: World) -> list[EntryKind]:
    return [kind for kind in world.kinds() if kind in ROLLBACK_KINDS]


def undos(world: World) -> list[tuple[str, int]]:
    """Every execution of a handler, with its attempt number."""
    found = [execution for execution in world.executions if execution.step.startswith("undo ")]
    return [(execution.step.removeprefix("undo "), execution.attempt) for execution in found]


def failing(handler: Handler, rollback_config: Any = None) -> Workflow:
    """A workflow of one step with this handler, which fails."""

    async def workflow(event: Event, step: Step) -> None:
        await step.do("a", lambda ctx: 1, rollback=handler, rollback_config=rollback_config)
        raise StepError("Error", "too late")

    return workflow


# --- which handlers, in which order


def test_handlers_are_executed_the_last_step_first_when_run_fails(tmp_path: Path) -> None:
    saga = Saga()

    async def story(world: World) -> None:
        await world.create()

        assert saga.undone == ["c-1", "b-1", "a-1"]
        assert world.error() == ("Error", "too late")
        assert world.rollback() == {"outcome": "complete", "error": None}
        assert world.guest.runs == 0

    play(tmp_path, saga.run, story)


def test_parallel_steps_are_rolled_back_in_reverse_order_of_their_starts(tmp_path: Path) -> None:
    gates = {name: asyncio.Event() for name in "abc"}
    saga = Saga()

    async def workflow(event: Event, step: Step) -> None:
        await asyncio.gather(
            *(
                step.do(name, lambda ctx, g=gate: g.wait(), rollback=saga.undo)  # type: ignore[misc]
                for name, gate in gates.items()
            )
        )
        raise StepError("Error", "too late")

    async def story(world: World) -> None:
        await world.create()
        for name in "bca":  # the order they end in does not matter
            gates[name].set()
            await world.settle()

        assert saga.undone == ["c-1", "b-1", "a-1"]

    play(tmp_path, workflow, story)


def test_the_step_that_failed_is_rolled_back_too_without_an_output(tmp_path: Path) -> None:
    seen: list[tuple[str, Any]] = []

    async def workflow(event: Event, step: Step) -> None:
        def broken(ctx: Context) -> None:
            raise StepError("Error", "broken")

        undo: Handler = lambda undo: seen.append((undo.step, undo.output))  # noqa: E731
        await step.do("good", lambda ctx: 7, rollback=undo)
        await step.do("bad", broken, NO_RETRIES, rollback=undo)

    async def story(world: World) -> None:
        await world.create()

        assert seen == [("bad-1", None), ("good-1", 7)]
        assert world.error() == ("Error", "broken")

    play(tmp_path, workflow, story)


def test_a_step_still_in_flight_when_run_fails_is_rolled_back_too(tmp_path: Path) -> None:
    gate = asyncio.Event()
    saga = Saga()

    async def workflow(event: Event, step: Step) -> None:
        step.do("slow", lambda ctx: gate.wait(), rollback=saga.undo)
        await step.sleep("a while", 0)
        raise StepError("Error", "too late")

    async def story(world: World) -> None:
        await world.create()
        gate.set()
        await world.advance(DAY)

        assert saga.undone == ["slow-1"]
        assert EntryKind.STEP_SUCCESS not in world.kinds()

    play(tmp_path, workflow, story)


def test_steps_without_a_handler_are_left_alone(tmp_path: Path) -> None:
    saga = Saga()

    async def workflow(event: Event, step: Step) -> None:
        await step.do("plain", lambda ctx: 1)
        await step.do("careful", lambda ctx: 1, rollback=saga.undo)
        await step.do("plain too", lambda ctx: 1)
        raise StepError("Error", "too late")

    async def story(world: World) -> None:
        await world.create()

        assert saga.undone == ["careful-1"]

    play(tmp_path, workflow, story)


def test_two_steps_of_one_name_are_rolled_back_each_with_its_own_output(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def workflow(event: Event, step: Step) -> None:
        outputs = iter((1, 2))
        for _ in range(2):
            undo: Handler = lambda undo: seen.append(undo.output)  # noqa: E731
            await step.do("same", lambda ctx: next(outputs), rollback=undo)
        raise StepError("Error", "too late")

    async def story(world: World) -> None:
        await world.create()

        assert seen == [2, 1]

    play(tmp_path, workflow, story)


def test_a_nested_step_is_rolled_back_before_the_one_it_is_in(tmp_path: Path) -> None:
    saga = Saga()

    async def workflow(event: Event, step: Step) -> None:
        async def outer(ctx: Context) -> None:
            await ctx.step.do("inner", lambda ctx: 1, rollback=saga.undo)

        await step.do("outer", outer, rollback=saga.undo)
        raise StepError("Error", "too late")

    async def story(world: World) -> None:
        await world.create()

        assert saga.undone == ["inner-1", "outer-1"]

    play(tmp_path, workflow, story)


def test_a_step_name_of_256_characters_is_rolled_back(tmp_path: Path) -> None:
    saga = Saga("n" * 256)

    async def story(world: World) -> None:
        await world.create()

        assert saga.undone == ["n" * 256 + "-1"]
        assert world.rollback()["outcome"] == "complete"

    play(tmp_path, saga.run, story)


# --- when there is none


def test_an_instance_that_completes_rolls_nothing_back(tmp_path: Path) -> None:
    saga = Saga()
    saga.fails = False

    async def story(world: World) -> None:
        await world.create()

        assert (world.status(), world.rollback(), saga.undone) == ("complete", None, [])

    play(tmp_path, saga.run, story)


def test_a_failed_step_that_run_catches_rolls_nothing_back(tmp_path: Path) -> None:
    saga = Saga()

    async def workflow(event: Event, step: Step) -> None:
        def broken(ctx: Context) -> None:
            raise StepError("Error", "broken")

        with pytest.raises(StepError):
            await step.do("bad", broken, NO_RETRIES, rollback=saga.undo)

    async def story(world: World) -> None:
        await world.create()

        assert (world.status(), saga.undone) == ("complete", [])

    play(tmp_path, workflow, story)


def test_a_failure_without_handlers_records_no_rollback(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("plain", lambda ctx: 1)
        raise StepError("Error", "too late")

    async def story(world: World) -> None:
        await world.create()

        assert rollback_kinds(world) == []
        assert (world.status(), world.rollback()) == ("errored", None)

    play(tmp_path, workflow, story)


def test_a_value_that_cannot_be_cloned_rolls_nothing_back(tmp_path: Path) -> None:
    saga = Saga()

    async def workflow(event: Event, step: Step) -> None:
        await step.do("good", lambda ctx: 1, rollback=saga.undo)
        await step.do("bad", lambda ctx: object(), rollback=saga.undo)

    async def story(world: World) -> None:
        await world.create()
        await world.advance(DAY)

        assert (world.status(), saga.undone, rollback_kinds(world)) == ("errored", [], [])

    play(tmp_path, workflow, story)


def test_a_plain_termination_rolls_nothing_back(tmp_path: Path) -> None:
    saga = Saga()

    async def workflow(event: Event, step: Step) -> None:
        await step.do("a", lambda ctx: 1, rollback=saga.undo)
        await step.sleep("rest", "1 day")

    async def story(world: World) -> None:
        await world.create()
        await world.terminate()
        await world.advance(2 * DAY)

        assert (world.status(), world.rollback(), saga.undone) == ("terminated", None, [])

    play(tmp_path, workflow, story)


# --- what a handler gets, and how it is run


def test_a_handler_gets_the_context_of_its_step_the_error_and_the_output(tmp_path: Path) -> None:
    seen: list[Undo] = []

    async def workflow(event: Event, step: Step) -> None:
        def second_time(ctx: Context) -> dict[str, int]:
            if ctx.attempt == 1:
                raise StepError("Error", "not yet")
            return {"id": 7}

        config = {"retries": {"limit": 1, "delay": 0}, "timeout": "1 minute"}
        await step.do("charge", second_time, config, rollback=seen.append)
        raise StepError("TypeError", "too late")

    async def story(world: World) -> None:
        await world.create()
        await world.advance(SECOND)

        (undo,) = seen
        assert (undo.step, undo.attempt, undo.output) == ("charge-1", 2, {"id": 7})
        assert undo.config == {
            "retries": {"limit": 1, "delay": 0, "backoff": "exponential"},
            "timeout": "1 minute",
        }
        assert (undo.error.name, undo.error.message) == ("TypeError", "too late")

    play(tmp_path, workflow, story)


def test_a_handler_is_tried_again_as_its_own_configuration_says(tmp_path: Path) -> None:
    at_ms: list[int] = []
    config = {"retries": {"limit": 2, "delay": "30 seconds", "backoff": "linear"}}

    async def story(world: World) -> None:
        def undo(undo: Undo) -> None:
            at_ms.append(world.clock.now_ms())
            if len(at_ms) < 3:
                raise StepError("Error", "not yet")

        world.load({CLASS: failing(undo, config)})
        await world.create()
        await world.advance(5 * MINUTE)

        assert [later - sooner for sooner, later in zip(at_ms, at_ms[1:], strict=False)] == [
            30 * SECOND,
            60 * SECOND,
        ]
        assert world.rollback() == {"outcome": "complete", "error": None}

    play(tmp_path, failing(lambda undo: None), story)


def test_without_a_configuration_a_handler_has_the_defaults_of_a_step(tmp_path: Path) -> None:
    def broken(undo: Undo) -> None:
        raise StepError("Error", "broken")

    async def story(world: World) -> None:
        await world.create()
        await world.advance(DAY)

        assert undos(world) == [("a-1", attempt) for attempt in range(1, 7)]
        starts = [e.at_ms for e in world.entries() if e.kind is EntryKind.ROLLBACK_ATTEMPT_START]
        assert [(at_ms - starts[0]) // SECOND for at_ms in starts] == [0, 10, 30, 70, 150, 310]

    play(tmp_path, failing(broken), story)


def test_a_handler_that_takes_too_long_is_tried_again(tmp_path: Path) -> None:
    gate = asyncio.Event()
    config = {"retries": {"limit": 1, "delay": 0}, "timeout": "2 seconds"}

    async def story(world: World) -> None:
        await world.create()
        await world.advance(SECOND)
        assert undos(world) == [("a-1", 1)]

        await world.advance(2 * SECOND)
        gate.set()
        await world.settle()

        assert undos(world) == [("a-1", 1), ("a-1", 2)]
        assert world.rollback()["outcome"] == "complete"

    play(tmp_path, failing(lambda undo: gate.wait(), config), story)


def test_the_first_handler_that_fails_for_good_is_the_last(tmp_path: Path) -> None:
    undone: list[str] = []

    async def workflow(event: Event, step: Step) -> None:
        def undo(undo: Undo) -> None:
            undone.append(undo.step)
            if undo.step == "b-1":
                raise StepError("RangeError", "cannot undo")

        for name in "abc":
            await step.do(name, lambda ctx: 1, rollback=undo, rollback_config=NO_RETRIES)
        raise StepError("Error", "too late")

    async def story(world: World) -> None:
        await world.create()

        assert undone == ["c-1", "b-1"]
        assert world.error() == ("Error", "too late")  # the error of run(), whatever came after
        problem = {"name": "RangeError", "message": "cannot undo"}
        assert world.rollback() == {"outcome": "failed", "error": problem}
        failed = next(e for e in world.entries() if e.kind is EntryKind.ROLLBACK_FAILED)
        said = members_of(failed)
        assert (said["totalSteps"], said["completedSteps"]) == (3, 1)

    play(tmp_path, workflow, story)


def test_a_non_retryable_error_ends_the_attempts_of_a_handler(tmp_path: Path) -> None:
    def broken(undo: Undo) -> None:
        raise StepError("NonRetryableError", "never")

    async def story(world: World) -> None:
        await world.create()
        await world.advance(DAY)

        assert undos(world) == [("a-1", 1)]
        assert world.rollback()["outcome"] == "failed"

    play(tmp_path, failing(broken), story)


def test_a_handler_cannot_call_steps(tmp_path: Path) -> None:
    refused: list[str] = []

    async def workflow(event: Event, step: Step) -> None:
        async def undo(undo: Undo) -> None:
            try:
                await step.do("more", lambda ctx: 1)
            except StepError as error:
                refused.append(error.message)

        await step.do("a", lambda ctx: 1, rollback=undo)
        raise StepError("Error", "too late")

    async def story(world: World) -> None:
        await world.create()

        assert refused == ["Cannot execute steps during rollback phase"]

    play(tmp_path, workflow, story)


def test_a_bad_rollback_configuration_is_refused_when_the_step_is_called(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do(
            "a", lambda ctx: 1, line="src/e.py:3", rollback=print, rollback_config={"retries": {}}
        )

    async def story(world: World) -> None:
        await world.create()

        name, message = world.error()
        assert name == "WorkflowFatalError"
        assert message.startswith('src/e.py:3: step "a": rollback: retries.limit is missing')
        assert EntryKind.STEP_START not in world.kinds()

    play(tmp_path, workflow, story)


# --- what is recorded and told


def test_a_rollback_is_recorded_step_by_step(tmp_path: Path) -> None:
    saga = Saga("a", "b")

    async def story(world: World) -> None:
        await world.create()

        one = [
            EntryKind.ROLLBACK_STEP_START,
            EntryKind.ROLLBACK_ATTEMPT_START,
            EntryKind.ROLLBACK_ATTEMPT_SUCCESS,
            EntryKind.ROLLBACK_STEP_SUCCESS,
        ]
        start, end = EntryKind.ROLLBACK_START, EntryKind.ROLLBACK_COMPLETE
        assert rollback_kinds(world) == [start, *one, *one, end]
        assert world.kinds()[-1] is EntryKind.WORKFLOW_FAILURE
        begun, ended = (members_of(e) for e in world.entries() if e.kind in (start, end))
        assert begun["triggerError"] == {"name": "Error", "message": "too late"}
        assert begun["totalSteps"] == 2
        assert ended == {"totalSteps": 2, "completedSteps": 2}

    play(tmp_path, saga.run, story)


def test_an_instance_that_rolls_back_is_running_to_workers_and_rolling_back_to_rest(
    tmp_path: Path,
) -> None:
    gate = asyncio.Event()

    async def story(world: World) -> None:
        await world.create()

        assert (world.status(), world.stands()) == ("running", Status.ROLLING_BACK)
        assert world.rollback() is None
        gate.set()
        await world.settle()

        assert (world.status(), world.stands()) == ("errored", Status.ERRORED)

    play(tmp_path, failing(lambda undo: gate.wait()), story)


def test_the_report_lists_handlers_as_steps_of_their_own_type(tmp_path: Path) -> None:
    saga = Saga("a", config={"timeout": "1 minute"})

    async def story(world: World) -> None:
        await world.create()

        detail = report.instance_detail(world.entries(), world.stands(), "v")
        step, undo = detail["steps"]
        assert (step["type"], undo["type"], detail["step_count"]) == ("step", "rollback", 1)
        assert (undo["name"], undo["success"], len(undo["attempts"])) == ("a-1", True, 1)
        assert undo["config"]["timeout"] == "1 minute"
        assert detail["rollback"] == {"outcome": "complete", "error": None}

    play(tmp_path, saga.run, story)


# --- terminate with rollback


def resting(saga: Saga) -> Workflow:
    """The steps of `saga`, and then a day's sleep."""

    async def workflow(event: Event, step: Step) -> None:
        for name in saga.names:
            await step.do(name, lambda ctx: 1, rollback=saga.undo)
        await step.sleep("rest", "1 day")

    return workflow


def test_terminate_rolls_back_when_asked_to(tmp_path: Path) -> None:
    saga = Saga()

    async def story(world: World) -> None:
        await world.create()
        await world.terminate(rollback=True)
        await world.advance(2 * DAY)

        assert saga.undone == ["c-1", "b-1", "a-1"]
        assert world.status() == "terminated"
        assert world.rollback() == {"outcome": "complete", "error": None}
        assert world.kinds()[-1] is EntryKind.WORKFLOW_TERMINATED

    play(tmp_path, resting(saga), story)


def test_a_handler_of_a_terminated_instance_is_told_so(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []

    async def workflow(event: Event, step: Step) -> None:
        undo: Handler = lambda undo: seen.append((undo.error.name, undo.error.message))  # noqa: E731
        await step.do("a", lambda ctx: 1, rollback=undo)
        await step.sleep("rest", "1 day")

    async def story(world: World) -> None:
        await world.create()
        await world.terminate(rollback=True)

        assert seen == [("Terminated", "Instance terminated during rollback")]

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("paused", [False, True], ids=["asleep", "paused"])
def test_terminate_rolls_back_what_ran_in_a_host_that_is_gone(tmp_path: Path, paused: bool) -> None:
    saga = Saga()

    async def story(world: World) -> None:
        await world.create()
        if paused:
            await world.pause()
        await world.crash_and_boot()
        await world.terminate(rollback=True)

        assert saga.undone == ["c-1", "b-1", "a-1"]
        assert world.status() == "terminated"
        assert [world.attempts(f"{name}-1") for name in saga.names] == [[1], [1], [1]]

    play(tmp_path, resting(saga), story)


def test_terminate_rolls_back_a_step_in_flight_and_discards_its_result(tmp_path: Path) -> None:
    gate = asyncio.Event()
    saga = Saga()

    async def workflow(event: Event, step: Step) -> None:
        await step.do("slow", lambda ctx: gate.wait(), rollback=saga.undo)
        await step.do("never", lambda ctx: 1, rollback=saga.undo)

    async def story(world: World) -> None:
        await world.create()
        await world.terminate(rollback=True)
        gate.set()
        await world.advance(DAY)

        assert saga.undone == ["slow-1"]
        assert world.attempts("slow-1") == [1]
        assert world.attempts("never-1") == []

    play(tmp_path, workflow, story)


def test_terminate_rolls_back_a_step_that_failed_and_was_caught(tmp_path: Path) -> None:
    saga = Saga()

    async def workflow(event: Event, step: Step) -> None:
        def broken(ctx: Context) -> None:
            raise StepError("Error", "broken")

        try:
            await step.do("bad", broken, NO_RETRIES, rollback=saga.undo)
        except StepError:
            await step.sleep("rest", "1 day")

    async def story(world: World) -> None:
        await world.create()
        await world.crash_and_boot()
        await world.terminate(rollback=True)

        assert saga.undone == ["bad-1"]

    play(tmp_path, workflow, story)


def test_a_handler_that_the_code_no_longer_gives_fails_the_rollback(tmp_path: Path) -> None:
    saga = Saga("a", "b")

    async def without_b(event: Event, step: Step) -> None:
        await step.do("a", lambda ctx: 1, rollback=saga.undo)
        await step.do("b", lambda ctx: 1)

    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: without_b})
        await world.terminate(rollback=True)

        assert saga.undone == []
        assert world.status() == "terminated"
        problem = {
            "name": "RollbackMissing",
            "message": "Rollback function not available in registry",
        }
        assert world.rollback() == {"outcome": "failed", "error": problem}
        failure = next(e for e in world.entries() if e.kind is EntryKind.ROLLBACK_STEP_FAILURE)
        assert members_of(failure) == {"error": problem}

    play(tmp_path, resting(saga), story)


def test_terminate_with_rollback_is_plain_when_no_step_has_a_handler(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("a", lambda ctx: 1)
        await step.sleep("rest", "1 day")

    async def story(world: World) -> None:
        await world.create()
        await world.terminate(rollback=True)

        assert (world.status(), rollback_kinds(world)) == ("terminated", [])

    play(tmp_path, workflow, story)


def test_terminate_cuts_a_rollback_short(tmp_path: Path) -> None:
    saga = Saga()
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> None:
        await step.do("a", lambda ctx: 1, rollback=saga.undo)
        await step.do("b", lambda ctx: 1, rollback=lambda undo: gate.wait())
        raise StepError("Error", "too late")

    async def story(world: World) -> None:
        await world.create()
        await world.terminate()
        gate.set()
        await world.advance(DAY)

        assert (world.status(), saga.undone) == ("terminated", [])
        assert world.rollback()["outcome"] == "failed"

    play(tmp_path, workflow, story)


def test_terminate_with_rollback_lets_a_rollback_go_on(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def story(world: World) -> None:
        await world.create()
        await world.terminate(rollback=True)
        gate.set()
        await world.settle()

        assert (world.status(), undos(world)) == ("errored", [("a-1", 1)])

    play(tmp_path, failing(lambda undo: gate.wait()), story)


# --- restart


@pytest.mark.parametrize("start", [None, RestartPoint("b")], ids=["whole", "from b"])
def test_after_a_restart_handlers_are_executed_again(
    tmp_path: Path, start: RestartPoint | None
) -> None:
    saga = Saga()

    async def story(world: World) -> None:
        await world.create()
        await world.restart(start=start)

        assert saga.undone == ["c-1", "b-1", "a-1"] * 2
        assert world.rollback() == {"outcome": "complete", "error": None}
        assert rollback_kinds(world).count(EntryKind.ROLLBACK_START) == 1

    play(tmp_path, saga.run, story)


def test_a_restart_that_ends_well_has_no_rollback(tmp_path: Path) -> None:
    saga = Saga()

    async def story(world: World) -> None:
        await world.create()
        saga.fails = False
        await world.restart(start=RestartPoint("c"))

        assert (world.status(), world.rollback()) == ("complete", None)

    play(tmp_path, saga.run, story)


# --- crashes, lost guests, reloads


def test_no_handler_is_asked_for_before_the_rollback_is_durable(tmp_path: Path) -> None:
    gate = asyncio.Event()
    saga = Saga("a")

    async def workflow(event: Event, step: Step) -> str:
        await step.do("a", lambda ctx: 1, rollback=saga.undo)
        await step.do("work", lambda ctx: gate.wait())
        return "done"

    async def fails_later(event: Event, step: Step) -> None:
        await step.do("a", lambda ctx: 1, rollback=saga.undo)
        await step.do("work", lambda ctx: gate.wait())
        world_of[0].disk.refuse_commits()
        raise StepError("Error", "too late")

    world_of: list[World] = []

    async def story(world: World) -> None:
        world_of.append(world)
        await world.create()
        gate.set()
        await world.settle()
        assert world.sent(RollbackRun) == []

        world.load({CLASS: workflow})
        world.disk.accept_commits()
        await world.advance(2 * HOUR)

        assert (world.status(), saga.undone) == ("complete", [])

    play(tmp_path, fails_later, story)


def test_no_handler_is_asked_for_before_the_one_before_it_is_durable(tmp_path: Path) -> None:
    gate = asyncio.Event()
    saga = Saga("a")

    async def workflow(event: Event, step: Step) -> None:
        await step.do("a", lambda ctx: 1, rollback=saga.undo)
        await step.do("b", lambda ctx: 1, rollback=lambda undo: gate.wait())
        raise StepError("Error", "too late")

    async def story(world: World) -> None:
        await world.create()
        world.disk.refuse_commits()
        gate.set()
        await world.settle()
        assert [order.name for order in world.sent(RollbackRun)] == ["b"]

        world.disk.accept_commits()
        await world.advance(MINUTE)

        assert [order.name for order in world.sent(RollbackRun)] == ["b", "b", "a"]
        assert world.rollback() == {"outcome": "complete", "error": None}

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("terminated", [False, True], ids=["failed", "terminated"])
def test_no_crash_has_a_recorded_handler_executed_again_or_another_order(
    tmp_path: Path, terminated: bool
) -> None:
    saga = Saga()
    workflow = resting(saga) if terminated else saga.run

    async def story(world: World) -> None:
        for turns in range(40):
            name, before = f"i{turns}", len(world.executions)
            saga.undone.clear()
            await world.control.create("orders", name, None)
            if terminated:
                await world.settle()
                await world.control.terminate("orders", name, True)
            for _ in range(turns):
                await asyncio.sleep(0)
            key = world.journal.find("orders", name)
            assert key is not None
            durable = [e for _, e in world.journal.entries_after(key, 0, 1_000)]
            done = [e.step for e in durable if e.kind is EntryKind.ROLLBACK_STEP_SUCCESS]
            executed = len(world.executions)
            await world.crash_and_boot()

            again = {e.step for e in world.executions[executed:]}
            assert not again & {f"undo {key.split(':')[2]}-1" for key in done}
            assert world.status(name) == ("terminated" if terminated else "errored")
            assert world.rollback(name) == {"outcome": "complete", "error": None}
            order = ["undo c-1", "undo b-1", "undo a-1"]
            ran = [e.step for e in world.executions[before:] if e.step in order]
            assert set(ran) == set(order)
            assert ran == sorted(ran, key=order.index)  # none before the last one was durable

    play(tmp_path, workflow, story)


def test_the_wait_before_a_handler_s_retry_survives_a_crash(tmp_path: Path) -> None:
    tries: list[int] = []

    def undo(undo: Undo) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise StepError("Error", "not yet")

    config = {"retries": {"limit": 3, "delay": "1 hour", "backoff": "constant"}}

    async def story(world: World) -> None:
        await world.create()
        await world.advance(30 * MINUTE)
        assert world.guest.runs == 0  # nothing is kept in the guest meanwhile
        await world.crash_and_boot()
        await world.advance(30 * MINUTE - SECOND)
        assert undos(world) == [("a-1", 1)]

        await world.advance(SECOND)

        assert undos(world) == [("a-1", 1), ("a-1", 2)]
        assert world.status() == "errored"

    play(tmp_path, failing(undo, config), story)


def test_the_wait_before_a_handler_s_retry_can_be_skipped(tmp_path: Path) -> None:
    tries: list[int] = []

    def undo(undo: Undo) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise StepError("Error", "not yet")

    config = {"retries": {"limit": 3, "delay": "1 hour"}}

    async def story(world: World) -> None:
        await world.create()
        await world.control.skip(NAME, "a")
        await world.settle()

        assert undos(world) == [("a-1", 1), ("a-1", 2)]
        assert world.status() == "errored"

    play(tmp_path, failing(undo, config), story)


def test_nothing_happens_to_earlier_sleeps_while_a_rollback_waits(tmp_path: Path) -> None:
    def undo(undo: Undo) -> None:
        raise StepError("Error", "not yet")

    async def workflow(event: Event, step: Step) -> None:
        step.sleep("nap", "1 minute")
        config = {"retries": {"limit": 1, "delay": "1 hour"}}
        await step.do("a", lambda ctx: 1, rollback=undo, rollback_config=config)
        raise StepError("Error", "too late")

    async def story(world: World) -> None:
        await world.create()
        await world.advance(30 * MINUTE)
        await world.crash_and_boot()
        await world.advance(30 * MINUTE)

        assert EntryKind.SLEEP_COMPLETE not in world.kinds()
        assert undos(world) == [("a-1", 1), ("a-1", 2)]
        assert world.rollback()["outcome"] == "failed"

    play(tmp_path, workflow, story)


def test_a_handler_whose_guest_is_lost_is_tried_again(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def story(world: World) -> None:
        await world.create()
        world.lose_guest()
        gate.set()
        world.load()
        await world.advance(MINUTE)

        assert undos(world) == [("a-1", 1), ("a-1", 2)]
        failures = [e for e in world.entries() if e.kind is EntryKind.ROLLBACK_ATTEMPT_FAILURE]
        assert len(failures) == 1
        assert world.rollback() == {"outcome": "complete", "error": None}

    play(tmp_path, failing(lambda undo: gate.wait()), story)


def test_a_handler_may_end_in_the_old_guest_and_the_next_runs_in_the_new_one(
    tmp_path: Path,
) -> None:
    gate = asyncio.Event()
    where: list[str] = []

    def generation(name: str) -> Workflow:
        async def workflow(event: Event, step: Step) -> None:
            async def undo(undo: Undo) -> None:
                await gate.wait()
                where.append(f"{undo.step} in {name}")

            await step.do("a", lambda ctx: 1, rollback=undo)
            await step.do("b", lambda ctx: 1, rollback=undo)
            raise StepError("Error", "too late")

        return workflow

    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: generation("new")})
        await world.settle()
        gate.set()
        await world.settle()

        assert where == ["b-1 in old", "a-1 in new"]
        assert world.status() == "errored"

    play(tmp_path, generation("old"), story)


def test_a_handler_that_outlives_the_grace_of_a_reload_is_cut_off_and_not_charged(
    tmp_path: Path,
) -> None:
    gate = asyncio.Event()

    async def story(world: World) -> None:
        await world.create()
        world.load()
        await world.advance(GRACE_MS)
        gate.set()
        await world.settle()

        assert undos(world) == [("a-1", 1), ("a-1", 2)]
        assert EntryKind.ROLLBACK_ATTEMPT_FAILURE not in world.kinds()
        assert world.rollback() == {"outcome": "complete", "error": None}

    play(tmp_path, failing(lambda undo: gate.wait(), NO_RETRIES), story)


def test_a_rollback_holds_no_deadline_of_the_steps_before_it(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> None:
        step.sleep("nap", "1 minute")
        await step.do("a", lambda ctx: 1, rollback=lambda undo: gate.wait())
        raise StepError("Error", "too late")

    async def story(world: World) -> None:
        await world.create()
        await world.advance(5 * MINUTE)

        assert EntryKind.SLEEP_COMPLETE not in world.kinds()
        assert world.stands() is Status.ROLLING_BACK
        gate.set()
        await world.advance(HOUR)

        assert world.kinds()[-1] is EntryKind.WORKFLOW_FAILURE
        assert world.engine.roster.check() == Census()

    play(tmp_path, workflow, story)
