"""The only module that reads the time. All others get a clock and ask it.

Times are whole UTC milliseconds since the epoch. `SystemClock` is real time. `VirtualClock` stands
still until it is advanced, so that "sleep 30 days" takes no time. `engine/clock_control.py` moves
it while workflows run, and keeps it across restarts.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from typing import Protocol

# A wall clock can jump ahead (NTP, a laptop that slept), but the time of the event loop does not.
# So a long wait is split, and the wall clock is read again after each part.
MAX_WAIT_SLICE_MS = 5_000


class Alarm(Protocol):
    """A pending call; `cancel()` may be called any number of times."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """What the engine needs of a clock."""

    def now_ms(self) -> int:
        """Return the time now, in UTC milliseconds since the epoch."""
        ...

    def call_at(self, when_ms: int, callback: Callable[[], None]) -> Alarm:
        """Call `callback` once, on the event loop, when `now_ms()` reaches `when_ms`."""
        ...


def call_after(clock: Clock, span_ms: int, callback: Callable[[], None]) -> Alarm:
    """Call `callback` once, after so many milliseconds."""
    return clock.call_at(clock.now_ms() + span_ms, callback)


class _SystemAlarm:
    def __init__(self, clock: SystemClock, when_ms: int, callback: Callable[[], None]) -> None:
        self._clock = clock
        self._when_ms = when_ms
        self._callback = callback
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.Handle
        self._wait()

    def _wait(self) -> None:
        remaining_ms = self._when_ms - self._clock.now_ms()
        if remaining_ms <= 0:
            self._handle = self._loop.call_soon(self._callback)
        else:
            slice_ms = min(remaining_ms, MAX_WAIT_SLICE_MS)
            self._handle = self._loop.call_later(slice_ms / 1000, self._wait)

    def cancel(self) -> None:
        self._handle.cancel()


class SystemClock:
    """Real time. It follows the wall clock forward, never back: in one process, time only grows.

    When the wall clock is set back, time goes on from where it was, at its usual speed. So a sleep
    does not last longer, and does not end twice. The next process uses the wall clock again.

    wall_ns, steady_ns: the time of day, and a time that is never corrected; tests pass their own.
    """

    def __init__(
        self,
        wall_ns: Callable[[], int] = time.time_ns,
        steady_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall_ns = wall_ns
        self._steady_ns = steady_ns
        self._ahead_ns = wall_ns() - steady_ns()  # the largest difference seen so far

    def now_ms(self) -> int:
        # The wall clock is read first: a pause between the two reads must not count as a jump.
        wall_ns, steady_ns = self._wall_ns(), self._steady_ns()
        if wall_ns - steady_ns > self._ahead_ns:
            self._ahead_ns = wall_ns - steady_ns
        return (steady_ns + self._ahead_ns) // 1_000_000

    def call_at(self, when_ms: int, callback: Callable[[], None]) -> Alarm:
        return _SystemAlarm(self, when_ms, callback)


class _VirtualAlarm:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class VirtualClock:
    """A clock that moves only on demand: `advance` by a span, or `advance_to_next` alarm.

    real: a clock with which this one can `run`, at a fixed distance. Then due alarms ring by
    themselves, on the event loop. Without it, they ring only when the clock is advanced.
    """

    def __init__(self, start_ms: int = 1_767_225_600_000, real: Clock | None = None) -> None:
        self._now_ms = start_ms  # while it stands still
        self._ahead_ms: int | None = None  # how far ahead of `real`, while it runs
        self._real = real
        self._order = 0
        self._alarms: list[tuple[int, int, _VirtualAlarm]] = []
        self._real_alarm: Alarm | None = None

    @property
    def ahead_ms(self) -> int | None:
        """How far it is ahead of real time; None while it stands still."""
        return self._ahead_ms

    def now_ms(self) -> int:
        if self._real is None or self._ahead_ms is None:
            return self._now_ms
        return self._real.now_ms() + self._ahead_ms

    def run(self) -> None:
        """Go on from now at the speed of real time."""
        assert self._real is not None
        self._ahead_ms = self.now_ms() - self._real.now_ms()
        self._arm()

    def freeze(self) -> None:
        """Stand still from now on."""
        self._now_ms = self.now_ms()
        self._ahead_ms = None
        self._arm()

    def call_at(self, when_ms: int, callback: Callable[[], None]) -> Alarm:
        alarm = _VirtualAlarm(callback)
        self._order += 1
        heapq.heappush(self._alarms, (when_ms, self._order, alarm))
        if self._alarms[0][2] is alarm:
            self._arm()
        return alarm

    @property
    def pending(self) -> int:
        """How many alarms are still to ring."""
        return sum(alarm.callback is not None for _, _, alarm in self._alarms)

    def next_ms(self) -> int | None:
        """Return when the next alarm is due, or None without one."""
        while self._alarms and self._alarms[0][2].callback is None:
            heapq.heappop(self._alarms)
        return self._alarms[0][0] if self._alarms else None

    def advance(self, span_ms: int) -> None:
        """Move `span_ms` forward, calling every alarm that becomes due, in order of its time.

        It must stand still.
        """
        assert self._ahead_ms is None
        end_ms = self._now_ms + span_ms
        while (due_ms := self.next_ms()) is not None and due_ms <= end_ms:
            self._now_ms = max(self._now_ms, due_ms)
            callback = heapq.heappop(self._alarms)[2].callback
            if callback is not None:
                callback()
        self._now_ms = end_ms

    def advance_to_next(self) -> bool:
        """Move to the next alarm and call everything due then; return False without one."""
        due_ms = self.next_ms()
        if due_ms is None:
            return False
        self.advance(max(0, due_ms - self._now_ms))
        return True

    def _arm(self) -> None:
        """Let real time ring the first alarm, if the clock runs."""
        if self._real is None:
            return
        if self._real_alarm is not None:
            self._real_alarm.cancel()
            self._real_alarm = None
        due_ms = self.next_ms()
        if due_ms is not None and self._ahead_ms is not None:
            self._real_alarm = self._real.call_at(due_ms - self._ahead_ms, self._ring)
        elif due_ms is not None and due_ms <= self._now_ms:
            self._real_alarm = self._real.call_at(self._real.now_ms(), self._ring)

    def _ring(self) -> None:
        self._real_alarm = None
        now_ms = self.now_ms()
        while (due_ms := self.next_ms()) is not None and due_ms <= now_ms:
            callback = heapq.heappop(self._alarms)[2].callback
            if callback is not None:
                callback()
        self._arm()
