"""Work in turns: at once while there is time, then bit by bit, in order, with others in between."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from emulator.engine import dispatch
from emulator.engine.runs.turns import Turns
from tests.engine.scripted import Context, Step
from tests.engine.world import GRACE_MS, HOUR, MINUTE, NAME, World, play

Event = dict[str, Any]


def test_what_fits_into_a_turn_is_done_at_once() -> None:
    async def story() -> None:
        turns, done = Turns(turn_s=60), list[int]()
        for number in range(100):
            turns.add(lambda number=number: done.append(number))  # type: ignore[misc]

        assert done == list(range(100))

    asyncio.run(story())


def test_others_have_their_turn_in_between_and_the_order_is_kept() -> None:
    async def story() -> None:
        turns, done, seen = Turns(turn_s=0.001), list[int](), list[int]()

        def work(number: int) -> None:
            time.sleep(0.0005)
            done.append(number)

        for number in range(20):
            turns.add(lambda number=number: work(number))  # type: ignore[misc]
        while turns:
            seen.append(len(done))
            await asyncio.sleep(0)

        assert done == list(range(20))
        assert len(set(seen)) > 3
        assert turns.done == 20

    asyncio.run(story())


def test_many_additions_in_one_turn_share_its_time() -> None:
    async def story() -> None:
        turns, done = Turns(turn_s=0), list[int]()
        turns.add(lambda: done.append(1))
        turns.add(lambda: done.append(2))

        assert (done, len(turns)) == ([1], 1)

    asyncio.run(story())


def test_one_call_that_fails_does_not_keep_the_others_waiting() -> None:
    async def story() -> None:
        loop, troubles = asyncio.get_running_loop(), list[str]()
        loop.set_exception_handler(lambda _, context: troubles.append(str(context["exception"])))
        turns, done = Turns(turn_s=0), list[int]()
        turns.add(lambda: None)
        turns.add(lambda: pytest.fail("broken"))
        turns.add(lambda: done.append(3))
        while turns:
            await asyncio.sleep(0)

        assert (done, troubles) == ([3], ["broken"])

    asyncio.run(story())


def test_nothing_is_called_once_it_is_stopped() -> None:
    async def story() -> None:
        turns, done = Turns(turn_s=0), list[int]()
        turns.add(lambda: None)
        turns.add(lambda: done.append(1))
        turns.stop()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        assert done == []

    asyncio.run(story())


# --- with the engine, at one thing in a turn


def one_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "TURN_S", 0.0)
    world.engine.turns.turn_s = 0.0


def test_sleepers_that_are_due_at_once_are_woken_bit_by_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("nap", "1 hour")

    async def story(world: World) -> None:
        names = [str(number) for number in range(30)]
        for name in names:
            await world.create(name)
        await world.advance(MINUTE)
        one_at_a_time(world, monkeypatch)
        await world.control.delete(NAME, "20")
        world.clock.advance(HOUR)

        assert len(world.engine.turns) == 28
        assert world.engine.in_flight()  # virtual time stands still meanwhile
        await world.control.delete(NAME, "21")  # before it is its turn
        await world.settle()
        left = [name for name in names if name not in ("20", "21")]
        assert [world.status(name) for name in left] == ["complete"] * 28
        assert not world.engine.in_flight()

    play(tmp_path, workflow, story)


def test_a_save_moves_live_runs_bit_by_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> int:
        async def work(ctx: Context) -> int:
            if ctx.attempt == 1:
                await asyncio.Event().wait()
            return ctx.attempt

        number: int = await step.do("work", work)
        await gate.wait()
        return number

    async def story(world: World) -> None:
        names = [str(number) for number in range(30)]
        for name in names:
            await world.create(name)
        one_at_a_time(world, monkeypatch)
        old = world.guest
        world.load()
        await world.settle()
        seen = set()
        world.clock.advance(GRACE_MS)
        while old.runs:
            seen.add(old.runs)
            await asyncio.sleep(0)
        gate.set()
        await world.settle()

        assert len(seen) > 10
        assert [world.output(name) for name in names] == [2] * 30

    play(tmp_path, workflow, story)


def test_a_lost_guest_with_many_runs_is_cleared_up_bit_by_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def workflow(event: Event, step: Step) -> int:
        async def work(ctx: Context) -> int:
            if ctx.attempt == 1:
                await asyncio.Event().wait()
            return ctx.attempt

        return int(await step.do("work", work))

    async def story(world: World) -> None:
        names = [str(number) for number in range(30)]
        for name in names:
            await world.create(name)
        one_at_a_time(world, monkeypatch)
        world.lose_guest()
        world.load()  # before all is cleared up
        assert world.engine.turns
        await world.settle()

        assert [world.output(name) for name in names] == [2] * 30

    play(tmp_path, workflow, story)
