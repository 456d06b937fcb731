"""Work in turns: at once while there is time, then bit by bit, in order, with others in between."""

from __future__ import annotations

import asyncio
import time

import pytest

from emulator.engine.turns import Turns


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
