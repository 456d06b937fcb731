"""Pause, resume, terminate and restart, in every status."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from emulator.engine.actions import StartOver
from emulator.engine.decide import lifecycle, rollbacks
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Instance, Status
from emulator.engine.model.instance_entries import Queued, Schedule, Termination
from emulator.engine.roster import Census
from emulator.errors import WorkerError
from tests.engine.scripted import Context, Step, StepError
from tests.engine.world import DAY, HOUR, MINUTE, SECOND, World, play

Event = dict[str, Any]
Verb = Callable[[World], Awaitable[None]]


class Stage:
    """A workflow that can be brought into any status, and the gate its callback waits at."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.forgiving = False

    async def workflow(self, event: Event, step: Step) -> str:
        what = event["payload"]["what"]
        if what == "undo":
            await step.do("done", lambda ctx: None, rollback=lambda undo: self.gate.wait())
        if what in ("fail", "undo") and not self.forgiving:
            raise StepError("Error", "as told")
        if what == "work":
            await step.do("work", lambda ctx: self.gate.wait())
        if what == "rest":
            await step.sleep("rest", "1 hour")
        return "done"

    async def reach(self, world: World, status: Status) -> None:
        """Bring instance "a" into `status`."""
        match status:
            case Status.QUEUED:
                world.lose_guest()
                await world.create(params={"what": "nothing"})
            case Status.RUNNING:
                await world.create(params={"what": "work"})
            case Status.WAITING:
                await world.create(params={"what": "rest"})
            case Status.WAITING_FOR_PAUSE:
                await world.create(params={"what": "work"})
                await world.pause()
            case Status.PAUSED:
                await world.create(params={"what": "rest"})
                await world.pause()
            case Status.COMPLETE:
                await world.create(params={"what": "nothing"})
            case Status.ERRORED:
                await world.create(params={"what": "fail"})
            case Status.TERMINATED:
                await world.create(params={"what": "rest"})
                await world.terminate()
            case Status.ROLLING_BACK:
                await world.create(params={"what": "undo"})
        assert world.stands() is status


# What each operation makes of each status. Where production is silent, `lifecycle` says what we
# chose. Source: docs/platform/workflows.md, "Operations by status". A text is the error it raises
# instead.
IN_FINITE_STATE = (
    "(instance.in_finite_state) Instance reached a finite state, cannot send events to it"
)
FINISHED = "(instance.cannot_terminate) Cannot terminate instance since its on a finite state"
TABLE: dict[str, dict[Status, Status | str]] = {
    "pause": {
        Status.QUEUED: Status.PAUSED,
        Status.RUNNING: Status.WAITING_FOR_PAUSE,
        Status.WAITING: Status.PAUSED,
        Status.WAITING_FOR_PAUSE: Status.WAITING_FOR_PAUSE,
        Status.PAUSED: Status.PAUSED,
        Status.ROLLING_BACK: Status.ROLLING_BACK,
        Status.COMPLETE: Status.COMPLETE,
        Status.ERRORED: Status.ERRORED,
        Status.TERMINATED: Status.TERMINATED,
    },
    "resume": {
        Status.QUEUED: Status.QUEUED,
        Status.RUNNING: Status.RUNNING,
        Status.WAITING: Status.WAITING,
        Status.WAITING_FOR_PAUSE: Status.RUNNING,
        Status.PAUSED: Status.WAITING,  # queued, running, and asleep again at once
        Status.ROLLING_BACK: Status.ROLLING_BACK,
        Status.COMPLETE: Status.COMPLETE,
        Status.ERRORED: Status.ERRORED,
        Status.TERMINATED: Status.TERMINATED,
    },
    "terminate": {
        Status.QUEUED: Status.TERMINATED,
        Status.RUNNING: Status.TERMINATED,
        Status.WAITING: Status.TERMINATED,
        Status.WAITING_FOR_PAUSE: Status.TERMINATED,
        Status.PAUSED: Status.TERMINATED,
        Status.ROLLING_BACK: Status.TERMINATED,
        Status.COMPLETE: FINISHED,
        Status.ERRORED: FINISHED,
        Status.TERMINATED: FINISHED,
    },
    "send": {
        Status.QUEUED: Status.QUEUED,
        Status.RUNNING: Status.RUNNING,
        Status.WAITING: Status.WAITING,
        Status.WAITING_FOR_PAUSE: Status.WAITING_FOR_PAUSE,
        Status.PAUSED: Status.PAUSED,
        Status.ROLLING_BACK: Status.ROLLING_BACK,
        Status.COMPLETE: IN_FINITE_STATE,
        Status.ERRORED: IN_FINITE_STATE,
        Status.TERMINATED: IN_FINITE_STATE,
    },
}


@pytest.mark.parametrize(
    ("operation", "before", "after"),
    [
        pytest.param(operation, before, after, id=f"{operation}-{before}")
        for operation, row in TABLE.items()
        for before, after in row.items()
    ],
)
def test_every_operation_in_every_status(
    tmp_path: Path, operation: str, before: Status, after: Status | str
) -> None:
    stage = Stage()

    async def story(world: World) -> None:
        await stage.reach(world, before)
        verb = partial(world.send, "signal") if operation == "send" else getattr(world, operation)
        try:
            await verb()
        except WorkerError as error:
            assert error.message == after
        else:
            assert world.stands() is after

    play(tmp_path, stage.workflow, story)


@pytest.mark.parametrize("operation", TABLE)
def test_the_table_of_operations_leaves_no_status_out(operation: str) -> None:
    assert set(TABLE[operation]) == set(Status)


@pytest.mark.parametrize(
    "before",
    [before for before, after in TABLE["terminate"].items() if after is Status.TERMINATED],
)
def test_nothing_follows_a_termination(tmp_path: Path, before: Status) -> None:
    stage = Stage()

    async def story(world: World) -> None:
        await stage.reach(world, before)
        await world.terminate()
        stage.gate.set()
        await world.advance(DAY)

        assert world.status() == "terminated"
        assert world.kinds()[-1] is EntryKind.WORKFLOW_TERMINATED

    play(tmp_path, stage.workflow, story)


def test_a_restart_records_all_that_the_instance_was_created_with() -> None:
    schedule, retention = Schedule("0 9 * * *", 5), {"success": 7}
    instance = Instance(
        3, "orders", "a", Status.ERRORED, 11, trigger="cron", schedule=schedule,
        retention=retention, params=b"[1]",
    )  # fmt: skip
    data = Queued("cron", schedule, retention, restarted=True)

    (start_over,) = lifecycle.restart(instance, now_ms=99).actions

    first = Entry(3, 11, EntryKind.WORKFLOW_QUEUED, data=data, value=b"[1]")
    assert start_over == StartOver(instance, first)


def test_a_termination_is_recorded_as_one_by_the_api() -> None:
    entry = rollbacks.terminated(Instance(3, "orders", "a"), now_ms=99)

    assert entry == Entry(3, 99, EntryKind.WORKFLOW_TERMINATED, data=Termination("api"))


@pytest.mark.parametrize("before", list(Status))
def test_restart_starts_over_in_every_status(tmp_path: Path, before: Status) -> None:
    stage = Stage()

    async def story(world: World) -> None:
        await stage.reach(world, before)
        stage.forgiving = True
        await world.restart()
        if before is Status.QUEUED:
            world.load()
        stage.gate.set()
        await world.advance(HOUR)

        assert world.status() == "complete"
        assert world.kinds()[:2] == [EntryKind.WORKFLOW_QUEUED, EntryKind.WORKFLOW_START]
        assert world.engine.roster.check().seats == 0

    play(tmp_path, stage.workflow, story)


@pytest.mark.parametrize(
    "verb",
    [World.pause, World.resume, World.terminate, World.restart, World.delete],
    ids=lambda v: v.__name__,
)
def test_every_verb_says_when_there_is_no_such_instance(tmp_path: Path, verb: Verb) -> None:
    async def story(world: World) -> None:
        with pytest.raises(WorkerError, match=r"^\(instance.not_found\) Instance not found$"):
            await verb(world)

    play(tmp_path, Stage().workflow, story)


def test_a_pause_waits_for_every_attempt_in_flight(tmp_path: Path) -> None:
    gates = {"a": asyncio.Event(), "b": asyncio.Event()}

    async def workflow(event: Event, step: Step) -> None:
        await asyncio.gather(
            *(step.do(name, lambda ctx, g=g: g.wait()) for name, g in gates.items())  # type: ignore[misc]
        )

    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        gates["a"].set()
        await world.settle()
        assert world.status() == "waitingForPause"

        gates["b"].set()
        await world.settle()

        assert world.status() == "paused"
        assert world.kinds().count(EntryKind.STEP_SUCCESS) == 2

    play(tmp_path, workflow, story)


def test_a_failed_attempt_ends_the_wait_for_a_pause(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> None:
        async def callback(ctx: Context) -> None:
            await gate.wait()
            raise StepError("Error", "no")

        await step.do("work", callback)

    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        gate.set()
        await world.advance(DAY)

        assert world.status() == "paused"
        assert world.attempts("work-1") == [1]

    play(tmp_path, workflow, story)


def test_a_timed_out_attempt_ends_the_wait_for_a_pause(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("work", lambda ctx: asyncio.Event().wait(), {"timeout": "1 minute"})

    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        await world.advance(MINUTE)

        assert world.status() == "paused"

    play(tmp_path, workflow, story)


def test_while_a_pause_is_pending_no_new_step_starts(tmp_path: Path) -> None:
    gates = {"a": asyncio.Event(), "b": asyncio.Event()}

    async def workflow(event: Event, step: Step) -> None:
        async def branch(name: str) -> None:
            await step.do(name, lambda ctx: gates[name].wait())
            await step.do(f"after {name}", lambda ctx: None)

        await asyncio.gather(branch("a"), branch("b"))

    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        gates["a"].set()
        await world.settle()
        assert world.attempts("after a-1") == []

        await world.resume()

        assert world.attempts("after a-1") == [1]

    play(tmp_path, workflow, story)


def test_while_a_pause_is_pending_no_retry_starts(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> None:
        def fail(ctx: Context) -> None:
            raise StepError("Error", "no")

        config = {"retries": {"limit": 1, "delay": "1 minute"}, "timeout": "1 hour"}
        await asyncio.gather(
            step.do("slow", lambda ctx: gate.wait(), config), step.do("failing", fail, config)
        )

    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        await world.advance(10 * MINUTE)
        assert world.attempts("failing-1") == [1]

        gate.set()
        await world.settle()

        assert world.status() == "paused"

    play(tmp_path, workflow, story)


def test_a_retry_that_came_due_while_a_pause_was_pending_starts_when_it_is_called_off(
    tmp_path: Path,
) -> None:
    async def workflow(event: Event, step: Step) -> None:
        def fail(ctx: Context) -> None:
            raise StepError("Error", "no")

        slow = step.do("slow", lambda ctx: asyncio.Event().wait(), {"timeout": "1 day"})
        await step.do("failing", fail, {"retries": {"limit": 1, "delay": "1 minute"}})
        await slow

    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        await world.advance(10 * MINUTE)
        await world.resume()

        assert world.attempts("failing-1") == [1, 2]

    play(tmp_path, workflow, story)


def test_a_nested_step_starts_while_a_pause_is_pending(tmp_path: Path) -> None:
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

        assert world.attempts("inner-1") == [1]
        assert world.status() == "paused"

    play(tmp_path, workflow, story)


def test_a_nested_retry_starts_while_a_pause_is_pending(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        async def outer(ctx: Context) -> None:
            def inner(ctx: Context) -> None:
                if ctx.attempt == 1:
                    raise StepError("Error", "not yet")

            await ctx.step.do("inner", inner, {"retries": {"limit": 1, "delay": "1 minute"}})

        await step.do("outer", outer)

    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        await world.advance(MINUTE)

        assert world.attempts("inner-1") == [1, 2]
        assert world.status() == "paused"

    play(tmp_path, workflow, story)


def test_what_was_left_of_a_sleep_is_left_after_a_pause(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("rest", "1 hour")

    async def story(world: World) -> None:
        await world.create()
        await world.advance(40 * MINUTE)
        await world.pause()
        await world.advance(DAY)
        assert world.status() == "paused"
        await world.resume()
        await world.advance(20 * MINUTE - 1)
        assert world.status() == "waiting"

        await world.advance(1)

        assert world.status() == "complete"

    play(tmp_path, workflow, story)


def test_what_was_left_of_a_retry_delay_is_left_after_a_pause(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        def fail(ctx: Context) -> None:
            raise StepError("Error", "no")

        await step.do("charge", fail, {"retries": {"limit": 1, "delay": "1 hour"}})

    async def story(world: World) -> None:
        await world.create()
        await world.advance(40 * MINUTE)
        await world.pause()
        await world.advance(DAY)
        await world.resume()
        await world.advance(20 * MINUTE - 1)
        assert world.attempts("charge-1") == [1]

        await world.advance(1)

        assert world.attempts("charge-1") == [1, 2]

    play(tmp_path, workflow, story)


def test_a_pause_that_was_pending_when_the_host_crashed_has_taken_effect(tmp_path: Path) -> None:
    stage = Stage()

    async def story(world: World) -> None:
        await stage.reach(world, Status.WAITING_FOR_PAUSE)
        await world.crash_and_boot()
        assert world.status() == "paused"

        stage.gate.set()
        await world.resume()

        assert world.status() == "complete"
        assert world.attempts("work-1") == [1, 2]

    play(tmp_path, stage.workflow, story)


def test_a_paused_instance_stays_paused_after_a_crash(tmp_path: Path) -> None:
    stage = Stage()

    async def story(world: World) -> None:
        await stage.reach(world, Status.PAUSED)
        await world.crash_and_boot()
        await world.advance(DAY)

        assert world.status() == "paused"

    play(tmp_path, stage.workflow, story)


def test_a_paused_instance_stays_paused_when_its_guest_is_replaced(tmp_path: Path) -> None:
    stage = Stage()

    async def story(world: World) -> None:
        await stage.reach(world, Status.PAUSED)
        world.load()
        await world.advance(DAY)

        assert world.status() == "paused"
        assert world.guest.sent == []

    play(tmp_path, stage.workflow, story)


def test_a_paused_instance_is_not_kept_in_memory(tmp_path: Path) -> None:
    stage = Stage()

    async def story(world: World) -> None:
        await stage.reach(world, Status.WAITING_FOR_PAUSE)
        stage.gate.set()
        await world.settle()

        assert world.status() == "paused"
        assert world.engine.roster.check() == Census()

    play(tmp_path, stage.workflow, story)


def test_a_restart_forgets_steps_and_events_and_keeps_params_and_timestamp(
    tmp_path: Path,
) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        await step.do("work", lambda ctx: None)
        await step.wait_for_event("go", "go", "1 hour")
        return [event["payload"], event["timestamp"]]

    async def story(world: World) -> None:
        await world.create(params=7)
        await world.send("other", "never received")
        await world.send("go")
        before = world.output()
        await world.advance(MINUTE)
        await world.restart()
        assert world.status() == "waiting"

        await world.send("go")

        assert world.output() == before
        assert world.attempts("work-1") == [1, 1]
        assert world.kinds().count(EntryKind.EVENT_RECEIVED) == 1

    play(tmp_path, workflow, story)


def test_a_restart_forgets_the_deadlines_of_the_life_before(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("rest", "1 hour")

    async def story(world: World) -> None:
        await world.create()
        await world.advance(40 * MINUTE)
        await world.restart()
        await world.advance(HOUR - SECOND)
        assert world.status() == "waiting"

        await world.advance(SECOND)

        assert world.status() == "complete"

    play(tmp_path, workflow, story)


def test_the_old_life_cannot_answer_for_the_new_one_after_a_restart(tmp_path: Path) -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    lives = iter([0, 1])

    async def workflow(event: Event, step: Step) -> Any:
        life = next(lives)

        async def callback(ctx: Context) -> int:
            await gates[life].wait()
            return life

        return await step.do("work", callback)

    async def story(world: World) -> None:
        await world.create()
        await world.restart()
        gates[0].set()
        await world.settle()
        assert world.status() == "running"

        gates[1].set()
        await world.settle()

        assert world.output() == 1

    play(tmp_path, workflow, story)


def test_pause_and_resume_in_one_turn_run_the_instance_once(tmp_path: Path) -> None:
    stage = Stage()

    async def story(world: World) -> None:
        await asyncio.gather(
            world.control.create("orders", "a", b'{"what":"work"}'),
            world.control.pause("orders", "a"),
            world.control.resume("orders", "a"),
            world.control.restart("orders", "a"),
        )
        await world.settle()

        assert world.attempts("work-1") == [1]
        assert world.started() == ["a"]

    play(tmp_path, stage.workflow, story)


def test_status_is_waiting_only_while_every_branch_waits(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> None:
        await asyncio.gather(step.sleep("rest", "1 hour"), step.do("work", lambda ctx: gate.wait()))

    async def story(world: World) -> None:
        await world.create()
        assert world.status() == "running"
        gate.set()
        await world.advance(MINUTE)
        assert world.status() == "waiting"

        await world.advance(HOUR)

        assert world.status() == "complete"

    play(tmp_path, workflow, story)


def test_status_is_waiting_during_a_retry_delay(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        def fail(ctx: Context) -> None:
            raise StepError("Error", "no")

        await step.do("charge", fail)

    async def story(world: World) -> None:
        await world.create()

        assert world.status() == "waiting"

    play(tmp_path, workflow, story)
