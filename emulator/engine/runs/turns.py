"""Work that is due at one moment, done bit by bit in several turns of the event loop.

Twenty thousand instances may wake at once, and a save may move thousands of runs. In between,
requests are answered and entries are committed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic

TURN_S = 0.005  # of work in one turn; a request waits for a few turns


class Turns:
    """Makes calls in order: at once, until the time of this turn is over, then in later turns."""

    def __init__(self, turn_s: float = TURN_S) -> None:
        self.turn_s = turn_s
        self._waiting: deque[Callable[[], None]] = deque()
        self._until = 0.0
        self._counted = False  # whether the time of this turn is counted
        self.done = 0  # calls, since the beginning

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, call: Callable[[], None]) -> None:
        """Call `call` in this turn or a later one, after all earlier calls."""
        if self._waiting or (self._counted and monotonic() >= self._until):
            self._waiting.append(call)
            return
        self._count()
        self.done += 1
        call()

    def stop(self) -> None:
        """Make no more calls."""
        self._waiting.clear()

    def _count(self) -> None:
        if not self._counted:
            self._counted = True
            self._until = monotonic() + self.turn_s
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._counted = False
        if not self._waiting:
            return
        self._count()  # first, as a call that fails must not stop the others
        while self._waiting:
            self.done += 1
            self._waiting.popleft()()
            if monotonic() >= self._until:
                return
