"""How a task waits for the host, whatever event loop it runs on: asyncio's, or trio.

No thread is used. A waiter is made in the task that waits; `wake` may be called from any thread.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Protocol


class Waiter(Protocol):
    """One task that waits."""

    def wake(self) -> None:
        """Let it go on."""
        ...

    async def wait(self, descriptor: int | None) -> None:
        """Return after `wake`, or when the descriptor can be read."""
        ...


def waiter() -> Waiter:
    """Return a waiter for the task that runs now. Raises RuntimeError outside of a task."""
    trio = sys.modules.get("trio")
    if trio is not None and _in_trio(trio):
        return _TrioWaiter(trio)
    return _AsyncioWaiter()


def _in_trio(trio: Any) -> bool:
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


class _AsyncioWaiter:
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, descriptor: int | None) -> None:
        if descriptor is not None:
            self._loop.add_reader(descriptor, self._event.set)
        try:
            await self._event.wait()
        finally:
            if descriptor is not None:
                self._loop.remove_reader(descriptor)
        self._event.clear()


class _TrioWaiter:
    def __init__(self, trio: Any) -> None:
        self._trio = trio
        self._token = trio.lowlevel.current_trio_token()
        self._event = trio.Event()

    def wake(self) -> None:
        try:
            self._token.run_sync_soon(self._set)
        except self._trio.RunFinishedError:
            pass

    def _set(self) -> None:
        self._event.set()

    async def wait(self, descriptor: int | None) -> None:
        if descriptor is None:
            await self._event.wait()
        else:
            async with self._trio.open_nursery() as nursery:
                nursery.start_soon(self._read, descriptor)
                await self._event.wait()
                nursery.cancel_scope.cancel()
        self._event = self._trio.Event()

    async def _read(self, descriptor: int) -> None:
        await self._trio.lowlevel.wait_readable(descriptor)
        self._event.set()
