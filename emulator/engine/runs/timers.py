"""Wake-ups: at most one per instance, at its earliest deadline. A cache of the journal.

The deadlines are in the instances; this heap only knows which instance to look at next, and when. A
wake-up that comes too early (its deadline moved) costs one look and is set again.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Set

from emulator.clock import Alarm, Clock

_STALE_MAX = 1_000  # heap entries that no longer count, before the heap is made anew


class Timers:
    """Calls `wake(key)` when a deadline of the instance `key` may have passed."""

    def __init__(self, clock: Clock, wake: Callable[[int], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._heap: list[tuple[int, int]] = []
        self._due: dict[int, int] = {}  # key -> its only valid heap entry
        self._alarm: Alarm | None = None
        self._alarm_ms = 0

    def __len__(self) -> int:
        return len(self._due)

    @property
    def heap_size(self) -> int:
        """How many deadlines the heap has, with those that no longer count."""
        return len(self._heap)

    def keys(self) -> Set[int]:
        """Return the instances that will be woken."""
        return self._due.keys()

    def due_ms(self, key: int) -> int | None:
        """Return when an instance is looked at next; None: never."""
        return self._due.get(key)

    def set(self, key: int, due_ms: int | None) -> None:
        """Wake `key` at `due_ms`, unless it is woken earlier already; None changes nothing."""
        if due_ms is None:
            return
        known_ms = self._due.get(key)
        if known_ms is not None and known_ms <= due_ms:
            return
        self._due[key] = due_ms
        heapq.heappush(self._heap, (due_ms, key))
        if self._alarm is None or due_ms < self._alarm_ms:
            self._arm(due_ms)

    def forget(self, key: int) -> None:
        """Do not wake `key` any more."""
        self._due.pop(key, None)
        if len(self._heap) > 2 * len(self._due) + _STALE_MAX:
            self._heap = [(due_ms, key) for key, due_ms in self._due.items()]
            heapq.heapify(self._heap)

    def stop(self) -> None:
        """Wake nobody any more."""
        self._due.clear()
        self._heap.clear()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _arm(self, due_ms: int) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_ms = due_ms
        self._alarm = self._clock.call_at(due_ms, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        now_ms = self._clock.now_ms()
        due: list[int] = []
        while self._heap and (self._heap[0][0] <= now_ms or self._is_stale(self._heap[0])):
            item = heapq.heappop(self._heap)
            if not self._is_stale(item):
                del self._due[item[1]]
                due.append(item[1])
        if self._heap:
            self._arm(self._heap[0][0])
        for key in due:
            self._wake(key)

    def _is_stale(self, item: tuple[int, int]) -> bool:
        return self._due.get(item[1]) != item[0]
