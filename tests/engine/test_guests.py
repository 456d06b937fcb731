"""Guests that are lost, replaced, or lack a class: what becomes of what they were doing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from emulator.engine.guests.blame import LOSSES_MAX
from emulator.engine.model.entries import members_of
from emulator.engine.model.entry_kinds import EntryKind
from emulator.protocol.runs import RunEnd, RunStart, StepBegin, StepEnd
from tests.engine.scripted import Context, Step, StepError
from tests.engine.world import CLASS, DAY, GRACE_MS, HOUR, MINUTE, NAME, SECOND, World, play

Event = dict[str, Any]


class Works:
    """A workflow with a quick step, a slow one that waits at a gate, and a last one."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    async def workflow(self, event: Event, step: Step) -> str:
        await step.do("quick", lambda ctx: None)
        value = await step.do("slow", self.slow, {"timeout": "1 day"})
        await step.do("last", lambda ctx: None)
        return str(value)

    async def slow(self, ctx: Context) -> str:
        if ctx.attempt == 1:
            await self.gate.wait()
        return f"attempt {ctx.attempt}"


def test_a_lost_guest_fails_the_attempts_it_was_executing(tmp_path: Path) -> None:
    works = Works()

    async def story(world: World) -> None:
        await world.create()
        world.lose_guest("exited with signal 9")
        world.load()
        await world.settle()

        failure = next(e for e in world.entries() if e.kind is EntryKind.ATTEMPT_FAILURE)
        assert members_of(failure)["error"] == {
            "name": "WorkflowInternalError",
            "message": "Attempt failed due to internal workflows error: exited with signal 9",
        }
        assert members_of(failure)["retryDelayMs"] == 10 * SECOND

    play(tmp_path, works.workflow, story)


def test_after_a_lost_guest_only_the_cut_off_step_runs_again(tmp_path: Path) -> None:
    works = Works()

    async def story(world: World) -> None:
        await world.create()
        world.lose_guest()
        world.load()
        await world.advance(MINUTE)

        assert world.output() == "attempt 2"
        assert world.attempts("quick-1") == [1]
        assert world.attempts("slow-1") == [1, 2]

    play(tmp_path, works.workflow, story)


def test_a_step_that_takes_every_guest_down_fails_when_its_retries_are_used_up(
    tmp_path: Path,
) -> None:
    async def workflow(event: Event, step: Step) -> None:
        retries = {"limit": 2, "delay": 0}
        await step.do("crash", lambda ctx: asyncio.Event().wait(), {"retries": retries})

    async def story(world: World) -> None:
        await world.create()
        for _ in range(3):
            world.lose_guest()
            world.load()
            await world.settle()

        assert world.attempts("crash-1") == [1, 2, 3]
        assert world.error()[0] == "WorkflowInternalError"

    play(tmp_path, workflow, story)


def test_an_instance_whose_own_code_takes_guests_down_fails_in_the_end(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await asyncio.Event().wait()

    async def story(world: World) -> None:
        await world.create()
        for _ in range(LOSSES_MAX):
            assert world.status() == "running"
            world.lose_guest("exited with code 1")
            world.load()
            await world.settle()

        assert world.error() == (
            "WorkflowInternalError",
            "The worker went away 5 times while it ran this instance: exited with code 1",
        )

    play(tmp_path, workflow, story)


def test_guests_lost_while_an_instance_advances_do_not_add_up(tmp_path: Path) -> None:
    gates = [asyncio.Event() for _ in range(LOSSES_MAX + 1)]

    async def workflow(event: Event, step: Step) -> None:
        for number, gate in enumerate(gates):
            await step.do(f"step {number}", lambda ctx: None)
            await gate.wait()

    async def story(world: World) -> None:
        await world.create()
        for gate in gates:
            gate.set()
            world.lose_guest()
            world.load()
            await world.settle()

        assert world.status() == "complete"

    play(tmp_path, workflow, story)


def test_a_sleeping_instance_does_not_notice_a_lost_guest(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("rest", "1 hour")

    async def story(world: World) -> None:
        await world.create()
        world.lose_guest()
        await world.advance(MINUTE)
        assert world.status() == "waiting"
        world.load()
        await world.advance(HOUR)

        assert world.status() == "complete"

    play(tmp_path, workflow, story)


def test_a_pending_pause_takes_effect_when_the_guest_is_lost(tmp_path: Path) -> None:
    works = Works()

    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        world.lose_guest()

        assert world.status() == "paused"

    play(tmp_path, works.workflow, story)


def test_messages_of_a_lost_guest_are_ignored(tmp_path: Path) -> None:
    works = Works()

    async def story(world: World) -> None:
        await world.create()
        lost = world.guest
        world.lose_guest()
        before = world.kinds()
        world.engine.hear(lost, StepEnd(1, 2, 1, payload=b'"late"'))
        world.engine.hear(lost, StepBegin(1, 9, "do", "new", 1, {}))
        world.engine.hear(lost, RunEnd(1, payload=b"1"))

        assert world.kinds() == before

    play(tmp_path, works.workflow, story)


def test_a_reload_lets_attempts_in_flight_end_where_they_are(tmp_path: Path) -> None:
    works = Works()

    async def story(world: World) -> None:
        await world.create()
        old = world.guest
        world.load()
        await world.advance(GRACE_MS - 1)
        works.gate.set()
        await world.settle()

        assert world.output() == "attempt 1"
        assert (old.runs, world.attempts("slow-1")) == (0, [1])

    play(tmp_path, works.workflow, story)


def test_after_a_reload_the_next_step_runs_in_the_new_guest(tmp_path: Path) -> None:
    works = Works()
    where: list[str] = []

    async def new_code(event: Event, step: Step) -> None:
        await step.do("quick", lambda ctx: where.append("quick"))
        await step.do("slow", lambda ctx: where.append("slow"))
        await step.do("last", lambda ctx: where.append("last"))

    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: new_code})
        works.gate.set()
        await world.settle()

        assert where == ["last"]

    play(tmp_path, works.workflow, story)


def test_an_attempt_that_outlives_the_grace_is_cut_off_and_not_charged(tmp_path: Path) -> None:
    works = Works()

    async def story(world: World) -> None:
        await world.create()
        world.load()
        await world.advance(GRACE_MS)

        assert world.output() == "attempt 2"
        kinds = world.kinds()
        assert EntryKind.ATTEMPT_INTERRUPTED in kinds
        assert EntryKind.ATTEMPT_FAILURE not in kinds

    play(tmp_path, works.workflow, story)


def test_interruptions_do_not_use_up_retries_and_leave_no_gap_in_attempt_numbers(
    tmp_path: Path,
) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        async def callback(ctx: Context) -> int:
            if ctx.attempt <= 4:
                await asyncio.Event().wait()
            return ctx.attempt

        config = {"retries": {"limit": 0, "delay": 0}, "timeout": "1 day"}
        return await step.do("slow", callback, config)

    async def story(world: World) -> None:
        await world.create()
        for _ in range(2):
            world.load()
            await world.advance(GRACE_MS)
            await world.crash_and_boot()

        assert world.attempts("slow-1") == [1, 2, 3, 4, 5]
        assert world.output() == 5

    play(tmp_path, workflow, story)


def test_an_interrupted_attempt_leaves_all_retries_to_the_ones_that_fail(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        async def callback(ctx: Context) -> None:
            if ctx.attempt == 1:
                await asyncio.Event().wait()
            raise StepError("Error", "no")

        await step.do("slow", callback, {"retries": {"limit": 1, "delay": 0}})

    async def story(world: World) -> None:
        await world.create()
        await world.crash_and_boot()

        assert world.attempts("slow-1") == [1, 2, 3]

    play(tmp_path, workflow, story)


def test_a_result_from_the_old_guest_after_the_grace_is_ignored(tmp_path: Path) -> None:
    gates = {1: asyncio.Event(), 2: asyncio.Event()}

    async def workflow(event: Event, step: Step) -> Any:
        async def callback(ctx: Context) -> int:
            await gates[ctx.attempt].wait()
            return ctx.attempt

        return await step.do("slow", callback)

    async def story(world: World) -> None:
        await world.create()
        old = world.guest
        world.load()
        await world.advance(GRACE_MS)
        world.engine.hear(old, StepEnd(1, 1, 1, payload=b"1"))
        await world.settle()
        assert world.status() == "running"

        gates[2].set()
        await world.settle()

        assert world.output() == 2

    play(tmp_path, workflow, story)


def test_a_nested_step_is_answered_during_the_grace(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> Any:
        async def outer(ctx: Context) -> Any:
            await gate.wait()
            return await ctx.step.do("inner", lambda ctx: "inner")

        return await step.do("outer", outer)

    async def story(world: World) -> None:
        await world.create()
        world.load()
        gate.set()
        await world.settle()

        assert world.output() == "inner"
        assert world.attempts("outer-1") == [1]

    play(tmp_path, workflow, story)


def test_released_returns_when_the_last_run_has_left_a_guest(tmp_path: Path) -> None:
    works = Works()

    async def story(world: World) -> None:
        await world.create()
        old = world.guest
        world.load()
        released = asyncio.create_task(world.engine.released(old))
        await world.settle()
        assert not released.done()

        works.gate.set()
        await world.settle()

        assert released.done()

    play(tmp_path, works.workflow, story)


def test_released_returns_at_once_for_a_guest_without_runs(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await asyncio.wait_for(world.engine.released(world.guest), 5)

    play(tmp_path, Works().workflow, story)


def test_a_reload_does_not_wake_sleeping_instances(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("rest", "1 hour")

    async def story(world: World) -> None:
        await world.create()
        world.load()
        await world.advance(MINUTE)
        starts = [each for each in world.guest.sent if isinstance(each, RunStart)]
        assert all(start.probe for start in starts)
        assert world.status() == "waiting"

        await world.advance(HOUR)

        assert world.status() == "complete"

    play(tmp_path, workflow, story)


def test_an_instance_whose_class_is_gone_is_held_until_it_is_back(tmp_path: Path) -> None:
    works = Works()

    async def story(world: World) -> None:
        world.load({})
        await world.create()
        assert world.status() == "queued"
        assert world.reports == [
            f'{NAME} a: stands still, because the worker exports no class "{CLASS}"'
        ]

        works.gate.set()
        world.load({CLASS: works.workflow})
        await world.settle()

        assert world.output() == "attempt 1"

    play(tmp_path, works.workflow, story)


def test_an_instance_in_flight_is_held_when_a_reload_takes_its_class_away(tmp_path: Path) -> None:
    works = Works()

    async def story(world: World) -> None:
        await world.create()
        world.load({})
        works.gate.set()
        await world.advance(DAY)
        assert world.attempts("last-1") == []

        world.load({CLASS: works.workflow})
        await world.settle()

        assert world.output() == "attempt 1"
        assert world.attempts("slow-1") == [1]

    play(tmp_path, works.workflow, story)


def test_an_instance_whose_workflow_is_gone_is_held_until_it_is_back(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("rest", "1 hour")

    async def story(world: World) -> None:
        await world.create()
        world.engine.define([])
        world.load()
        await world.advance(DAY)
        assert world.reports == [
            f'{NAME} a: stands still, because no workflow named "{NAME}" is configured'
        ]

        world.engine.define(world.definitions)
        world.load()
        await world.settle()

        assert world.status() == "complete"

    play(tmp_path, workflow, story)


def test_an_instance_that_is_held_survives_a_crash(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("rest", "1 hour")

    async def story(world: World) -> None:
        await world.create()
        world.load({})
        await world.advance(DAY)
        world.crash()
        world.boot(guest=False)
        world.load({CLASS: workflow})
        await world.settle()

        assert world.status() == "complete"

    play(tmp_path, workflow, story)


def test_work_of_names_the_steps_a_guest_is_executing(tmp_path: Path) -> None:
    works = Works()

    async def story(world: World) -> None:
        await world.create()

        assert world.engine.work_of(world.guest) == [
            f'{NAME} instance "a", step "slow" #1, attempt 1'
        ]

    play(tmp_path, works.workflow, story)


def test_work_of_names_instances_that_run_outside_steps(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await asyncio.Event().wait()

    async def story(world: World) -> None:
        await world.create()

        assert world.engine.work_of(world.guest) == [f'{NAME} instance "a", outside steps']

    play(tmp_path, workflow, story)
