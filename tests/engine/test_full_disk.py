"""A disk without room: nothing half done is acknowledged, and all goes on when there is room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from emulator.answers.creation import NewInstance
from emulator.errors import WorkerError
from tests.engine.scripted import Context, Step, Stream
from tests.engine.world import HOUR, MINUTE, NAME, SECOND, World, play

Event = dict[str, Any]


BIG = "x" * 100_000


async def big_step(event: Event, step: Step) -> int:
    return len(await step.do("big", lambda ctx: BIG))


def test_create_on_a_full_disk_fails_and_leaves_nothing(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        with world.disk.full():
            with pytest.raises(WorkerError, match="not recorded: database or disk is full"):
                await world.create("a", BIG)
        await world.advance(MINUTE)
        assert world.journal.find(NAME, "a") is None

        await world.create("a", BIG)

        assert world.status() == "complete"

    play(tmp_path, big_step, story)


def test_a_batch_on_a_full_disk_is_created_wholly_or_not_at_all(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        big = b'"' + BIG.encode() + b'"'
        with world.disk.full():
            with pytest.raises(WorkerError, match="not recorded"):
                await world.control.create_batch(
                    NAME, [NewInstance("small"), NewInstance("big", big)]
                )
        await world.advance(MINUTE)

        assert [world.journal.find(NAME, name) for name in ("small", "big")] == [None, None]

    play(tmp_path, big_step, story)


def test_a_stream_that_a_full_disk_cut_off_is_streamed_again(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        await gate.wait()
        yield bytes(100_000)

    async def workflow(event: Event, step: Step) -> int:
        return len(await (await step.do("export", lambda ctx: Stream(pieces()))).read())

    async def story(world: World) -> None:
        await world.create()
        with world.disk.full():
            gate.set()
            await world.settle()
            assert world.status() == "running"
        await world.advance(MINUTE)

        assert world.output() == 100_005
        assert world.attempts("export-1") == [1, 2]

    play(tmp_path, workflow, story)


def test_running_instances_go_on_when_there_is_room_again(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> int:
        async def callback(ctx: Context) -> str:
            await gate.wait()
            return BIG

        await step.do("small", lambda ctx: None)
        return len(await step.do("big", callback))

    async def story(world: World) -> None:
        await world.create()
        with world.disk.full():
            gate.set()
            await world.advance(10 * MINUTE)
            assert world.status() == "running"
        await world.advance(MINUTE)

        assert world.output() == len(BIG)
        assert world.attempts("small-1") == [1]

    play(tmp_path, workflow, story)


def test_callbacks_are_not_executed_again_and_again_while_the_disk_is_full(
    tmp_path: Path,
) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("rest", "1 second")
        await step.do("big", lambda ctx: BIG)

    async def story(world: World) -> None:
        await world.create()
        with world.disk.full():
            await world.advance(HOUR)

            assert len(world.executions) == 1

    play(tmp_path, workflow, story)


def test_a_full_disk_and_its_end_are_reported_once_each(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> None:
        async def callback(ctx: Context) -> str:
            await gate.wait()
            return BIG

        await step.do("big", callback)

    async def story(world: World) -> None:
        for name in "abc":
            await world.create(name)
        with world.disk.full():
            gate.set()
            await world.advance(10 * MINUTE)
        await world.advance(MINUTE)

        assert len(world.reports) == 2
        assert "nothing can be recorded (database or disk is full)" in world.reports[0]
        assert world.reports[1].endswith("recording again; workflows go on")

    play(tmp_path, workflow, story)


def test_a_sleep_that_comes_due_on_a_full_disk_ends_when_there_is_room(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("rest", "1 hour")
        await step.do("big", lambda ctx: BIG)

    async def story(world: World) -> None:
        await world.create()
        with world.disk.full():
            await world.advance(2 * HOUR)
        await world.advance(MINUTE)

        assert world.status() == "complete"

    play(tmp_path, workflow, story)


def test_instances_queued_behind_a_failed_one_start_when_there_is_room(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.lose_guest()
        for name in "abc":
            await world.create(name)
        with world.disk.full():
            world.load()
            await world.advance(MINUTE)
        await world.advance(MINUTE)

        assert [world.status(name) for name in "abc"] == ["complete"] * 3
        assert world.engine.roster.check().seats == 0

    play(tmp_path, big_step, story, concurrency=1)


def test_terminate_on_a_full_disk_is_either_recorded_or_refused(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("rest", "1 hour")

    async def story(world: World) -> None:
        await world.create()
        await world.advance(2 * SECOND)
        with world.disk.full():
            try:
                await world.terminate()
                expected = "terminated"
            except WorkerError:
                expected = "waiting"
        await world.crash_and_boot()

        assert world.status() == expected

    play(tmp_path, workflow, story)
