"""A task whose first step runs at once: for what ASGI applications do without waiting."""

from __future__ import annotations

import asyncio

import pytest

from emulator.guest.python.loop.asyncio_privates import begun


def test_a_begun_task_is_a_task_of_its_own_from_its_first_step_on() -> None:
    async def main() -> None:
        seen: list[asyncio.Task[None] | None] = []

        async def quick() -> int:
            seen.append(asyncio.current_task())
            return 5

        async def slow() -> int:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
            return 0

        async def fails() -> None:
            raise ValueError("at once")

        me, task = asyncio.current_task(), begun(quick())
        assert task.done() and task.result() == 5
        assert seen == [task] and asyncio.current_task() is me
        failed = begun(fails())
        assert isinstance(failed.exception(), ValueError)
        waiting = begun(slow())
        assert not waiting.done()
        with pytest.raises(TimeoutError):
            await waiting

    asyncio.run(main())
