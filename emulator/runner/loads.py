"""How often code was loaded, or could not be: an error page waits for the next time."""

from __future__ import annotations

import asyncio


class Loads:
    """Counts the loads of one worker."""

    def __init__(self) -> None:
        self.count = 0
        self._next = asyncio.Event()

    def happened(self) -> None:
        """Code was loaded, or could not be."""
        self.count += 1
        self._next.set()
        self._next = asyncio.Event()

    async def other_than(self, count: int) -> None:
        """Return once `count` is not how often it has happened."""
        while self.count == count:
            await self._next.wait()
