"""Restarting from a step: what is forgotten, what is kept, and what runs again."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bindings.workflow.workflow import WorkflowBinding
from emulator.engine.decide.restarts import parse_restart_point
from emulator.engine.model.definition import Definition
from emulator.engine.model.entries import Entry, members_of
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Status
from emulator.engine.model.instance_entries import RestartPoint
from emulator.errors import WorkerError
from emulator.protocol import values
from tests.engine.scripted import Context, Step, StepError, Workflow
from tests.engine.world import CLASS, DAY, HOUR, MINUTE, NAME, SECOND, World, play

Event = dict[str, Any]
NEVER = {"retries": {"limit": 0, "delay": 0}}


def steps(world: World) -> list[str]:
    """The keys of the steps on record, in the order they started."""
    return list(dict.fromkeys(entry.step for entry in world.entries() if entry.step))


def is_fold(world: World) -> bool:
    """Whether what the engine remembers is the fold of what is on file."""
    world.engine.roster.check()
    return True


def three() -> Workflow:
    """A workflow of three steps in a row, whose values say how often each was executed."""
    ran: Counter[tuple[str, str]] = Counter()

    async def workflow(event: Event, step: Step) -> list[int]:
        def work(name: str) -> int:
            ran[event["instanceId"], name] += 1
            return ran[event["instanceId"], name]

        return [await step.do(name, lambda ctx, n=name: work(n)) for name in "abc"]  # type: ignore[misc]

    return workflow


@pytest.mark.parametrize(("name", "output"), [("a", [2, 2, 2]), ("b", [1, 2, 2]), ("c", [1, 1, 2])])
def test_the_step_and_those_after_it_run_again_and_earlier_results_stay(
    tmp_path: Path, name: str, output: list[int]
) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.restart(start=RestartPoint(name))

        assert world.output() == output
        assert [entry.attempt for entry in world.entries() if entry.attempt] == [1] * 6

    play(tmp_path, three(), story)


def test_queued_and_start_stay_and_the_end_is_struck(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        before = world.entries()
        await world.restart(start=RestartPoint("b"))
        after = world.entries()

        assert after[:2] == before[:2]
        kinds = [entry.kind for entry in after]
        assert kinds.count(EntryKind.WORKFLOW_QUEUED) == 1
        assert kinds.count(EntryKind.WORKFLOW_START) == 1
        assert kinds.count(EntryKind.WORKFLOW_SUCCESS) == 1
        assert kinds[-1] is EntryKind.WORKFLOW_SUCCESS

    play(tmp_path, three(), story)


def test_the_journal_says_where_an_instance_was_restarted_from(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.restart(start=RestartPoint("b"))

        marks = [members_of(e) for e in world.entries() if e.kind is EntryKind.WORKFLOW_RESTARTED]
        assert marks == [{"from": {"name": "b", "count": 1, "type": "do"}}]

    play(tmp_path, three(), story)


def test_params_and_timestamp_stay(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        await step.do("work", lambda ctx: None)
        return [event["payload"], event["timestamp"]]

    async def story(world: World) -> None:
        await world.create(params=7)
        before = world.output()
        await world.advance(HOUR)
        await world.restart(start=RestartPoint("work"))

        assert world.output() == before

    play(tmp_path, workflow, story)


def test_a_failed_step_runs_again_after_a_restart_from_it(tmp_path: Path) -> None:
    broken = [True]

    async def workflow(event: Event, step: Step) -> Any:
        def work(ctx: Context) -> str:
            if broken[0]:
                raise StepError("Error", "no")
            return "done"

        before = await step.do("before", lambda ctx: 1)
        return [before, await step.do("work", work, NEVER)]

    async def story(world: World) -> None:
        await world.create()
        assert world.status() == "errored"

        broken[0] = False
        await world.restart(start=RestartPoint("work"))

        assert (world.status(), world.output()) == ("complete", [1, "done"])
        assert world.attempts("before-1") == [1]

    play(tmp_path, workflow, story)


def test_a_failed_step_that_started_earlier_raises_again(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> list[str]:
        def work(ctx: Context) -> None:
            raise StepError("Error", "no")

        try:
            await step.do("failing", work, NEVER)
        except StepError as error:
            caught = error.message
        await step.do("after", lambda ctx: None)
        return [caught]

    async def story(world: World) -> None:
        await world.create()
        await world.restart(start=RestartPoint("after"))

        assert world.output() == ["no"]
        assert (world.attempts("failing-1"), world.attempts("after-1")) == ([1], [1, 1])

    play(tmp_path, workflow, story)


def test_count_chooses_among_steps_of_one_name(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        for _ in range(3):
            await step.do("work", lambda ctx: None)

    async def story(world: World) -> None:
        await world.create()
        await world.restart(start=RestartPoint("work", 2))

        executed = [world.attempts(f"work-{count}") for count in (1, 2, 3)]
        assert executed == [[1], [1, 1], [1, 1]]

    play(tmp_path, workflow, story)


@pytest.mark.parametrize(
    ("kind", "kept"),
    [("do", []), ("sleep", ["do:1:x"]), ("waitForEvent", ["do:1:x", "sleep:1:x"])],
)
def test_type_chooses_among_steps_of_one_name(tmp_path: Path, kind: str, kept: list[str]) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("x", lambda ctx: None)
        await step.sleep("x", "1 minute")
        await step.wait_for_event("x", "x")

    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)
        await world.send("x")
        assert world.status() == "complete"

        await world.control.restart(NAME, "a", RestartPoint("x", type=kind))

        assert steps(world) == kept
        assert is_fold(world)

    play(tmp_path, workflow, story)


@pytest.mark.parametrize(
    "point",
    [
        RestartPoint("nothing"),
        RestartPoint("work", 2),
        RestartPoint("work", type="sleep"),
        RestartPoint("rest"),
    ],
    ids=str,
)
def test_an_unknown_step_is_refused_and_nothing_changes(
    tmp_path: Path, point: RestartPoint
) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("work", lambda ctx: None)
        await step.sleep("rest", "1 hour")

    async def story(world: World) -> None:
        await world.create()
        before = world.entries()
        message = (
            rf'^\(instance.cannot_restart\) Step "{point.name}" not found in execution history$'
        )
        with pytest.raises(WorkerError, match=message):
            await world.restart(start=point)

        assert world.entries() == before
        assert world.guest.runs == 1
        await world.advance(HOUR)
        assert world.status() == "complete"
        assert world.attempts("work-1") == [1]

    play(tmp_path, workflow, story)


def test_a_queued_instance_has_no_step_to_restart_from(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.lose_guest()
        create = asyncio.ensure_future(world.control.create(NAME, "a", None))
        await asyncio.sleep(0)
        with pytest.raises(WorkerError, match="not found in execution history"):
            await world.control.restart(NAME, "a", RestartPoint("a"))
        await create

        assert world.status() == "queued"

    play(tmp_path, three(), story)


def test_a_parallel_step_that_started_earlier_keeps_its_later_result(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> None:
        first = step.do("first", lambda ctx: gate.wait())
        await step.do("second", lambda ctx: None)
        await first

    async def story(world: World) -> None:
        await world.create()
        gate.set()
        await world.settle()
        assert world.status() == "complete"

        await world.restart(start=RestartPoint("second"))

        assert world.status() == "complete"
        assert (world.attempts("first-1"), world.attempts("second-1")) == ([1], [1, 1])

    play(tmp_path, workflow, story)


def test_an_earlier_attempt_in_flight_is_cut_off_and_not_charged(tmp_path: Path) -> None:
    gates = [asyncio.Event(), asyncio.Event()]

    async def workflow(event: Event, step: Step) -> Any:
        async def work(ctx: Context) -> int:
            await gates[ctx.attempt - 1].wait()
            return ctx.attempt

        first = step.do("first", work, NEVER)
        await step.do("second", lambda ctx: None)
        return await first

    async def story(world: World) -> None:
        await world.create()
        await world.restart(start=RestartPoint("second"))
        gates[0].set()
        await world.settle()
        assert world.status() == "running"

        gates[1].set()
        await world.settle()

        assert world.output() == 2
        assert is_fold(world)

    play(tmp_path, workflow, story)


def test_an_earlier_sleep_keeps_its_deadline(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        rest = step.sleep("rest", "1 hour")
        await step.do("work", lambda ctx: None)
        await rest

    async def story(world: World) -> None:
        await world.create()
        await world.advance(40 * MINUTE)
        await world.restart(start=RestartPoint("work"))
        await world.advance(20 * MINUTE - SECOND)
        assert world.status() == "waiting"

        await world.advance(SECOND)

        assert world.status() == "complete"
        assert world.attempts("work-1") == [1, 1]

    play(tmp_path, workflow, story)


def test_the_deadline_of_a_forgotten_sleep_wakes_nobody(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("work", lambda ctx: None)
        await step.sleep("rest", "1 hour")

    async def story(world: World) -> None:
        await world.create()
        await world.advance(40 * MINUTE)
        await world.restart(start=RestartPoint("rest", type="sleep"))
        await world.advance(HOUR - SECOND)
        assert world.status() == "waiting"
        assert world.kinds().count(EntryKind.SLEEP_COMPLETE) == 0

        await world.advance(SECOND)

        assert world.status() == "complete"

    play(tmp_path, workflow, story)


def test_buffered_events_are_forgotten(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        await step.do("work", lambda ctx: None)
        return (await step.wait_for_event("go", "go"))["payload"]

    async def story(world: World) -> None:
        await world.create()
        await world.send("other", 1)
        await world.restart(start=RestartPoint("go", type="waitForEvent"))
        assert EntryKind.EVENT_RECEIVED not in world.kinds()
        assert world.status() == "waiting"

        await world.send("go", 2)

        assert world.output() == 2

    play(tmp_path, workflow, story)


def test_an_event_received_by_a_forgotten_step_is_not_received_again(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        first = (await step.wait_for_event("first", "go"))["payload"]
        return [first, (await step.wait_for_event("second", "go"))["payload"]]

    async def story(world: World) -> None:
        await world.create()
        await world.send("go", 1)
        await world.send("go", 2)
        assert world.output() == [1, 2]

        await world.restart(start=RestartPoint("second", type="waitForEvent"))
        assert world.status() == "waiting"
        assert world.kinds().count(EntryKind.EVENT_RECEIVED) == 1

        await world.send("go", 3)

        assert world.output() == [1, 3]

    play(tmp_path, workflow, story)


def test_an_event_of_the_same_turn_is_forgotten(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        return (await step.wait_for_event("go", "go"))["payload"]

    async def story(world: World) -> None:
        await world.create()
        await asyncio.gather(
            world.control.send_event(NAME, "a", "other", b"1"),
            world.control.restart(NAME, "a", RestartPoint("go", type="waitForEvent")),
        )
        await world.settle()

        assert EntryKind.EVENT_RECEIVED not in world.kinds()
        assert is_fold(world)

    play(tmp_path, workflow, story)


def test_of_two_buffered_events_the_one_a_kept_wait_received_stays(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> Any:
        await step.do("work", lambda ctx: gate.wait())
        first = (await step.wait_for_event("first", "go"))["payload"]
        return [first, (await step.wait_for_event("second", "go"))["payload"]]

    async def story(world: World) -> None:
        await world.create()
        await world.send("go", 1)
        await world.send("go", 2)
        gate.set()
        await world.settle()
        await world.restart(start=RestartPoint("second", type="waitForEvent"))

        kept = [e.value for e in world.entries() if e.kind is EntryKind.EVENT_RECEIVED]
        assert kept == [b"1"]

    play(tmp_path, workflow, story)


def test_the_event_of_a_kept_wait_is_the_one_it_received(tmp_path: Path) -> None:
    """Two waits of a type: the one that started later received the earlier event."""

    async def workflow(event: Event, step: Step) -> Any:
        early = step.wait_for_event("early", "go", "1 minute")
        late = step.wait_for_event("late", "go", "1 day")
        try:
            await early
        except StepError:
            pass
        return (await late)["payload"]

    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)
        await world.send("go", 1)
        assert world.output() == 1

        await world.restart(start=RestartPoint("late", type="waitForEvent"))
        assert world.kinds().count(EntryKind.EVENT_RECEIVED) == 0
        await world.send("go", 2)

        assert world.output() == 2
        assert is_fold(world)

    play(tmp_path, workflow, story)


def test_restarting_from_an_outer_step_forgets_the_steps_in_it(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        async def outer(ctx: Context) -> None:
            await ctx.step.do("inner", lambda ctx: None)

        await step.do("before", lambda ctx: None)
        await step.do("outer", outer)

    async def story(world: World) -> None:
        await world.create()
        await world.restart(start=RestartPoint("outer"))

        executed = [world.attempts(f"{name}-1") for name in ("before", "outer", "inner")]
        assert executed == [[1], [1, 1], [1, 1]]
        assert world.status() == "complete"

    play(tmp_path, workflow, story)


def test_restarting_from_an_inner_step_keeps_a_finished_outer_one(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        async def outer(ctx: Context) -> Any:
            return await ctx.step.do("inner", lambda ctx: 1)

        result = await step.do("outer", outer)
        await step.do("after", lambda ctx: None)
        return result

    async def story(world: World) -> None:
        await world.create()
        await world.restart(start=RestartPoint("inner"))

        assert world.output() == 1
        executed = [world.attempts(f"{name}-1") for name in ("outer", "inner", "after")]
        assert executed == [[1], [1], [1, 1]]

    play(tmp_path, workflow, story)


def test_an_unfinished_outer_step_runs_its_inner_one_again(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> Any:
        async def outer(ctx: Context) -> Any:
            await ctx.step.do("inner", lambda ctx: 1)
            await gate.wait()
            return ctx.attempt

        return await step.do("outer", outer)

    async def story(world: World) -> None:
        await world.create()
        await world.restart(start=RestartPoint("inner"))
        gate.set()
        await world.settle()

        assert world.output() == 2
        assert world.attempts("inner-1") == [1, 1]

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("before", [status for status in Status if status is not Status.QUEUED])
def test_an_instance_restarts_from_a_step_in_every_status(tmp_path: Path, before: Status) -> None:
    gate = asyncio.Event()
    trouble = [before in (Status.ERRORED, Status.ROLLING_BACK)]

    async def workflow(event: Event, step: Step) -> str:
        await step.do("first", lambda ctx: None)
        rolls_back = before is Status.ROLLING_BACK
        undo = (lambda undo: gate.wait()) if rolls_back else None
        await step.do("second", lambda ctx: None, rollback=undo)
        if trouble[0]:
            raise StepError("Error", "as told")
        if before in (Status.RUNNING, Status.WAITING_FOR_PAUSE):
            await step.do("work", lambda ctx: gate.wait())
        if before in (Status.WAITING, Status.PAUSED, Status.TERMINATED):
            await step.sleep("rest", "1 hour")
        return "done"

    async def story(world: World) -> None:
        await world.create()
        if before in (Status.WAITING_FOR_PAUSE, Status.PAUSED):
            await world.pause()
        if before is Status.TERMINATED:
            await world.terminate()
        assert world.stands() is before
        trouble[0] = False

        await world.restart(start=RestartPoint("second"))
        assert is_fold(world)
        gate.set()
        await world.advance(HOUR)

        assert (world.status(), world.output()) == ("complete", "done")
        assert (world.attempts("first-1"), world.attempts("second-1")) == ([1], [1, 1])
        assert world.guest.runs == 0

    play(tmp_path, workflow, story)


def test_time_spent_paused_does_not_count_for_an_earlier_sleep(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        rest = step.sleep("rest", "1 hour")
        await step.do("work", lambda ctx: None)
        await rest

    async def story(world: World) -> None:
        await world.create()
        await world.advance(40 * MINUTE)
        await world.pause()
        await world.advance(DAY)
        await world.restart(start=RestartPoint("work"))
        await world.advance(20 * MINUTE - SECOND)
        assert world.status() == "waiting"

        await world.pause()
        await world.resume()
        await world.advance(SECOND)

        assert world.status() == "complete"

    play(tmp_path, workflow, story)


def test_it_can_be_done_again_and_from_an_earlier_step(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.restart(start=RestartPoint("c"))
        await world.restart(start=RestartPoint("b"))
        await world.restart(start=RestartPoint("b"))

        assert world.output() == [1, 3, 4]

    play(tmp_path, three(), story)


def test_a_restart_from_a_step_lasts_through_a_crash(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        world.lose_guest()
        await world.control.restart(NAME, "a", RestartPoint("b"))
        world.crash()
        world.boot(guest=False)
        await world.settle()
        assert world.status() == "queued"
        assert steps(world) == ["do:1:a"]

        world.load()
        await world.settle()

        assert world.output() == [1, 2, 2]

    play(tmp_path, three(), story)


def test_a_restart_from_a_step_that_cannot_be_recorded_changes_nothing(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        await step.do("work", lambda ctx: None)
        await step.sleep("rest", "1 hour")
        return "done"

    async def story(world: World) -> None:
        await world.create()
        before = world.entries()
        world.disk.refuse_commits()
        with pytest.raises(WorkerError, match="not recorded"):
            await world.control.restart(NAME, "a", RestartPoint("work"))
        assert world.entries() == before

        world.disk.accept_commits()
        await world.advance(HOUR)

        assert world.output() == "done"
        assert world.attempts("work-1") == [1]

    play(tmp_path, workflow, story)


def test_forgotten_steps_do_not_count_against_the_step_limit(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.restart(start=RestartPoint("b"))

        assert world.output() == [1, 2, 2]

    play(tmp_path, three(), story, definitions=[Definition(NAME, CLASS, step_limit=3)])


def test_entries_of_other_instances_are_not_touched(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await asyncio.gather(*(world.control.create(NAME, name, None) for name in ("a", "b")))
        await world.settle()
        before: list[Entry] = world.entries("b")
        await world.restart("a", RestartPoint("a"))

        assert world.entries("b") == before

    play(tmp_path, three(), story)


def test_the_binding_restarts_from_a_step(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        binding = WorkflowBinding(NAME, world.control, values.encode, values.decode)
        await world.create()
        await binding.call("restart", ["a", {"from": {"name": "c", "count": 1, "type": "do"}}])
        await world.settle()
        assert world.output() == [1, 1, 2]

        await binding.call("restart", ["a", {"from": {"name": "b"}}])
        await world.settle()
        assert world.output() == [1, 2, 3]

        await binding.call("restart", ["a"])
        await world.settle()
        assert world.output() == [2, 3, 4]

    play(tmp_path, three(), story)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("b", 'from is "b"'),
        ([], 'from is []; expected {"name", "count"?, "type"?}'),
        ({}, "from.name is None; expected the name of a step"),
        ({"name": 1}, "from.name is 1"),
        ({"name": "b", "count": 0}, "from.count is 0; expected a whole number from 1"),
        ({"name": "b", "count": 1.5}, "from.count is 1.5"),
        ({"name": "b", "count": True}, "from.count is True"),
        ({"name": "b", "count": float("nan")}, "from.count is nan"),
        ({"name": "b", "count": float("inf")}, "from.count is inf"),
        ({"name": "b", "count": "1"}, 'from.count is "1"'),
        ({"name": "b", "type": "wait"}, 'from.type is "wait"; expected "do" or "sleep" or "wait'),
        ({"name": "b", "type": []}, "from.type is []"),
    ],
)
def test_a_wrong_restart_point_is_refused(given: Any, message: str) -> None:
    with pytest.raises(WorkerError) as caught:
        parse_restart_point(given)

    assert str(caught.value).startswith(f"restart: {message}")


def test_a_restart_point_needs_no_more_than_a_name() -> None:
    assert parse_restart_point({"name": "b"}) == RestartPoint("b", 1, "do")
    assert parse_restart_point({"name": "b", "count": 2.0, "type": "sleep"}) == RestartPoint(
        "b", 2, "sleep"
    )
