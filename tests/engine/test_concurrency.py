"""How many instances run at once, and who is next."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from emulator.engine.model.definition import Definition
from emulator.engine.runs.ready import ReadyQueue
from tests.engine.scripted import Step
from tests.engine.world import CLASS, GRACE_MS, HOUR, MINUTE, NAME, SECOND, World, play

Event = dict[str, Any]


class Gates:
    """A workflow whose one callback waits until its instance's gate opens."""

    def __init__(self) -> None:
        self.gates: dict[str, asyncio.Event] = {}

    async def workflow(self, event: Event, step: Step) -> None:
        gate = self.gates.setdefault(event["instanceId"], asyncio.Event())
        await step.do("work", lambda ctx: gate.wait(), {"timeout": "1 day"})


def test_no_more_instances_run_than_the_limit_allows(tmp_path: Path) -> None:
    gates = Gates()

    async def story(world: World) -> None:
        for name in "abcd":
            await world.create(name)

        statuses = [world.status(name) for name in "abcd"]
        assert statuses == ["running", "running", "queued", "queued"]

    play(tmp_path, gates.workflow, story, concurrency=2)


def test_queued_instances_start_in_the_order_they_were_created(tmp_path: Path) -> None:
    gates = Gates()

    async def story(world: World) -> None:
        for name in "cabd":
            await world.create(name)
        for name in "cabd":
            gates.gates[name].set()
            await world.settle()

        assert world.started() == ["c", "a", "b", "d"]

    play(tmp_path, gates.workflow, story, concurrency=1)


def test_an_instance_that_waits_takes_up_no_place(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("rest", "1 hour")

    async def story(world: World) -> None:
        for name in "abc":
            await world.create(name)

        assert [world.status(name) for name in "abc"] == ["waiting"] * 3

    play(tmp_path, workflow, story, concurrency=1)


def test_a_branch_that_ended_beside_a_wait_gives_the_place_back(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await asyncio.gather(
            step.wait_for_event("answer", "answer"), step.do("work", lambda ctx: None)
        )

    async def story(world: World) -> None:
        await world.create("a")
        await world.create("b")
        await world.advance(2 * SECOND)

        assert world.status("b") == "waiting"
        assert world.started() == ["a", "b"]

    play(tmp_path, workflow, story, concurrency=1)


def test_an_instance_that_wakes_goes_before_queued_ones(tmp_path: Path) -> None:
    gates = Gates()

    async def workflow(event: Event, step: Step) -> None:
        if event["instanceId"] == "sleeper":
            await step.sleep("rest", "1 hour")
        await gates.workflow(event, step)

    async def story(world: World) -> None:
        await world.create("sleeper")
        await world.create("busy")
        await world.create("queued")
        await world.advance(HOUR)
        gates.gates["busy"].set()
        await world.settle()

        assert world.started() == ["sleeper", "busy", "sleeper"]
        assert world.status("queued") == "queued"

    play(tmp_path, workflow, story, concurrency=1)


def test_every_way_to_end_gives_the_place_back(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        match event["instanceId"]:
            case "raises":
                raise ValueError
            case "uncloneable":
                await step.do("bad", lambda ctx: object())
            case "paused" | "terminated":
                await asyncio.Event().wait()

    async def story(world: World) -> None:
        for name in ("returns", "raises", "uncloneable", "paused", "terminated", "last"):
            await world.create(name)
        await world.pause("paused")
        await world.terminate("terminated")

        assert world.status("last") == "complete"
        assert world.engine.roster.check().seats == 0

    play(tmp_path, workflow, story, concurrency=1)


def test_the_limit_holds_after_a_crash(tmp_path: Path) -> None:
    gates = Gates()

    async def story(world: World) -> None:
        for name in "abc":
            await world.create(name)
        await world.crash_and_boot()
        await world.advance(MINUTE)

        assert world.started() == ["a"]

    play(tmp_path, gates.workflow, story, concurrency=1)


def test_a_workflow_at_its_limit_holds_no_other_up(tmp_path: Path) -> None:
    gates = Gates()

    async def story(world: World) -> None:
        for name in ("a", "b", "c"):
            await world.create(name)
        await world.control.create("invoices", "other", None)
        await world.settle()

        assert world.started() == ["a", "other"]
        gates.gates["a"].set()
        await world.settle()
        assert world.started() == ["a", "other", "b"]

    play(tmp_path, gates.workflow, story, definitions=limited(1))


def test_the_limit_of_a_workflow_does_not_count_those_that_wait(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("rest", "1 hour")

    async def story(world: World) -> None:
        for name in "abc":
            await world.create(name)

        assert [world.status(name) for name in "abc"] == ["waiting"] * 3
        await world.advance(HOUR)
        assert [world.status(name) for name in "abc"] == ["complete"] * 3

    play(tmp_path, workflow, story, definitions=limited(1))


def test_the_limit_of_a_workflow_holds_after_a_crash(tmp_path: Path) -> None:
    gates = Gates()

    async def story(world: World) -> None:
        for name in "abc":
            await world.create(name)
        await world.crash_and_boot()

        assert world.started() == ["a"]

    play(tmp_path, gates.workflow, story, definitions=limited(1))


def test_a_raised_limit_starts_what_is_queued_with_the_next_code(tmp_path: Path) -> None:
    gates = Gates()

    async def story(world: World) -> None:
        for name in "abcd":
            await world.create(name)
        world.engine.define(limited(3))
        world.load()
        await world.advance(GRACE_MS)

        statuses = [world.status(name) for name in "abcd"]
        assert statuses == ["running", "running", "running", "queued"]

    play(tmp_path, gates.workflow, story, definitions=limited(1))


def test_a_lowered_limit_stops_nobody_and_starts_nobody(tmp_path: Path) -> None:
    gates = Gates()

    async def story(world: World) -> None:
        for name in "abcd":
            await world.create(name)
        world.engine.define(limited(1))
        gates.gates["a"].set()
        await world.settle()
        assert [world.status(name) for name in "bcd"] == ["running", "running", "queued"]

        gates.gates["b"].set()
        gates.gates["c"].set()
        await world.settle()
        assert world.status("d") == "running"

    play(tmp_path, gates.workflow, story, definitions=limited(3))


def limited(concurrency: int) -> list[Definition]:
    """Two workflows with the same class, the first one with a limit."""
    return [Definition(NAME, CLASS, concurrency=concurrency), Definition("invoices", CLASS)]


def test_a_key_is_queued_once() -> None:
    queue = ReadyQueue(concurrency=5)
    queue.add(1, "a", waking=False)
    queue.add(1, "a", waking=True)

    assert [queue.take(), queue.take()] == [1, None]


def test_the_queue_gives_out_nothing_without_a_place() -> None:
    queue = ReadyQueue(concurrency=1)
    queue.occupy(1, "a")
    queue.add(2, "a", waking=True)

    assert queue.take() is None
    queue.vacate(1)
    assert queue.take() == 2


def test_a_removed_key_leaves_queue_and_place() -> None:
    queue = ReadyQueue(concurrency=1)
    queue.limits = {"a": 1}
    queue.occupy(1, "a")
    queue.add(1, "a", waking=False)
    queue.remove(1)

    assert 1 not in queue
    queue.add(2, "a", waking=False)
    assert queue.take() == 2


def test_instances_of_several_workflows_start_in_the_order_they_came() -> None:
    queue = ReadyQueue(concurrency=9)
    for key, workflow in enumerate("abcab"):
        queue.add(key, workflow, waking=False)
    queue.add(7, "c", waking=True)
    queue.add(8, "a", waking=True)

    assert [queue.take() for _ in range(8)] == [7, 8, 0, 1, 2, 3, 4, None]


def test_a_workflow_that_has_room_again_has_kept_its_turn() -> None:
    queue = ReadyQueue(concurrency=9)
    queue.limits = {"a": 1}
    queue.occupy(1, "a")
    for key, workflow in [(2, "a"), (3, "b"), (4, "b")]:
        queue.add(key, workflow, waking=False)

    assert queue.take() == 3
    queue.vacate(1)
    assert [queue.take(), queue.take()] == [2, 4]
