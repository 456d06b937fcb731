"""Schedules: when each fires next. Nothing here is kept: configuration and clock say it all.

Each tick has its own instance id, `"0 9 * * *-1786001400000"`, so it fires at most once, also after
a crash. Ticks that passed while no server ran make no instance: at a start, and for a new schedule,
the first tick is the next one. Only a tick that passes while the machine is suspended fires late.
Source: docs/platform/workflows.md, "Schedules".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from msgspec import Struct

from emulator.clock import Alarm, Clock
from emulator.cron import MINUTE_MS, Cron


class Tick(Struct, frozen=True):
    """One firing of a schedule of a workflow."""

    workflow: str
    cron: str
    scheduled_ms: int

    @property
    def instance_id(self) -> str:
        """The id of its instance."""
        return f"{self.cron}-{self.scheduled_ms}"


class Schedules:
    """Calls `fire` for every tick of its schedules."""

    def __init__(self, clock: Clock, fire: Callable[[Tick], None]) -> None:
        self._clock = clock
        self._fire = fire
        self._armed: dict[tuple[str, str], tuple[int, Alarm]] = {}

    def set(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Use these schedules from now on: (workflow, expression) of each.

        Schedules that were used already keep their next tick.
        """
        pairs = set(wanted)
        for pair in self._armed.keys() - pairs:
            self._armed.pop(pair)[1].cancel()
        for pair in sorted(pairs - self._armed.keys()):
            self._arm(*pair, self._clock.now_ms())

    def next_ms(self) -> int | None:
        """Return when the next tick of any schedule is; None without schedules."""
        return min((at_ms for at_ms, _ in self._armed.values()), default=None)

    def stop(self) -> None:
        """Forget all schedules."""
        self.set(())

    def _arm(self, workflow: str, expression: str, after_ms: int) -> None:
        at_ms = Cron.parse(expression).next_after_ms(after_ms)
        if at_ms is not None:
            ring = partial(self._ring, Tick(workflow, expression, at_ms))
            self._armed[workflow, expression] = (at_ms, self._clock.call_at(at_ms, ring))

    def _ring(self, tick: Tick) -> None:
        # If this tick is a little late, the next one is not lost. But after a night of sleep, the
        # missed ticks make no instances.
        recent_ms = max(tick.scheduled_ms, self._clock.now_ms() - MINUTE_MS)
        del self._armed[tick.workflow, tick.cron]
        self._arm(tick.workflow, tick.cron, recent_ms)
        self._fire(tick)
