"""How long until a guest that ended by itself is replaced: longer if that happens often."""

from __future__ import annotations

from emulator.clock import Clock

FIRST_MS = 100
LONGEST_MS = 5_000
HEALTHY_AFTER_MS = 10_000  # a guest that lived this long was no failed start


class Losses:
    """Counts the guests that ended soon after they began to serve, one after another."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._count = 0
        self._began_ms = 0

    def begin(self) -> None:
        """A guest begins to serve."""
        self._began_ms = self._clock.now_ms()

    def wait_ms(self) -> int:
        """It has ended. Return when to start the next one."""
        healthy = self._clock.now_ms() - self._began_ms > HEALTHY_AFTER_MS
        self._count = 0 if healthy else self._count + 1
        if self._count <= 1:
            return 0
        return min(FIRST_MS << min(self._count, 10), LONGEST_MS)
