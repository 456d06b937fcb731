"""How many instances run at once, and who is next."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from emulator.engine.ready import ReadyQueue
from tests.engine.scripted import Step
from tests.engine.world import HOUR, MINUTE, SECOND, World, play

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
        assert world.engine._queue._active == set()

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


def test_a_key_is_queued_once() -> None:
    queue = ReadyQueue(concurrency=5)
    queue.add(1, waking=False)
    queue.add(1, waking=True)

    assert [queue.take(), queue.take()] == [1, None]


def test_the_queue_gives_out_nothing_without_a_place() -> None:
    queue = ReadyQueue(concurrency=1)
    queue.occupy(1)
    queue.add(2, waking=True)

    assert queue.take() is None
    queue.vacate(1)
    assert queue.take() == 2


def test_a_removed_key_leaves_queue_and_place() -> None:
    queue = ReadyQueue(concurrency=1)
    queue.occupy(1)
    queue.add(1, waking=False)
    queue.remove(1)

    assert 1 not in queue
    queue.add(2, waking=False)
    assert queue.take() == 2
