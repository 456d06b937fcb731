"""Runs that only wait: each stays in its guest for a moment, then it is dropped.

In that moment an event may come, or a branch of `run()` may work outside steps. If many runs wait,
the moment is shorter: thousands of runs begun in one second would cost a guest memory that it
cannot give back.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from emulator.clock import Alarm, Clock
from emulator.engine.runs.run import Run

IDLE_GRACE_MS = 1_000
CROWD = 50  # more than so many idle runs
CROWDED_GRACE_MS = 50


class IdleRuns:
    """Calls `over(run)` when the moment of an idle run is over.

    clock: for the moment. now_ms: the time for the deadlines of instances.
    """

    def __init__(
        self, clock: Clock, now_ms: Callable[[], int], over: Callable[[Run], None]
    ) -> None:
        self._clock = clock
        self._now_ms = now_ms
        self._over = over
        self._alarms: dict[int, Alarm] = {}  # by run number

    def __contains__(self, run: Run) -> bool:
        return run.number in self._alarms

    def add(self, run: Run) -> None:
        """Add a run that only waits. A run that was added before keeps its moment."""
        if run not in self:
            at_ms = self._clock.now_ms() + self._grace_ms(run)
            self._alarms[run.number] = self._clock.call_at(at_ms, partial(self._ring, run))

    def end(self, run: Run) -> bool:
        """End the moment of a run now; return False for one that does not only wait."""
        if run not in self:
            return False
        self.remove(run)
        self._over(run)
        return True

    def remove(self, run: Run) -> None:
        """Remove a run that goes on or is over."""
        alarm = self._alarms.pop(run.number, None)
        if alarm is not None:
            alarm.cancel()

    def _grace_ms(self, run: Run) -> int:
        if len(self._alarms) < CROWD:
            return IDLE_GRACE_MS
        due_ms = run.instance.next_due_ms()
        soon = due_ms is not None and due_ms < self._now_ms() + IDLE_GRACE_MS
        return IDLE_GRACE_MS if soon else CROWDED_GRACE_MS  # if soon, it would be replayed at once

    def _ring(self, run: Run) -> None:
        del self._alarms[run.number]
        self._over(run)
