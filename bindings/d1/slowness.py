"""Remembers which calls were too slow for the event loop's own thread, and when to try again. Pure.

A call may be slow by accident: the machine was busy. So it is tried again, the less often the more
often it was slow in sequence.
"""

from __future__ import annotations

from dataclasses import dataclass

CALLS_MAX = 1_000  # remembered at a time
SKIPS_MAX = 4_095

Call = tuple[str, ...]  # its SQL texts


@dataclass(slots=True)
class _Record:
    strikes: int = 0
    skips_left: int = 0


class Slowness:
    """Which calls to keep away from the event loop."""

    def __init__(self) -> None:
        self._records: dict[Call, _Record] = {}

    def may_be_quick(self, call: Call) -> bool:
        """Return whether to try `call` where we are; each False brings the next try nearer."""
        record = self._records.get(call)
        if record is None or record.skips_left == 0:
            return True
        record.skips_left -= 1
        return False

    def was_quick(self, call: Call) -> None:
        """It was done in time: forget what was before."""
        if self._records:
            self._records.pop(call, None)

    def was_slow(self, call: Call) -> None:
        """It was not done in time: leave it out 3 times, then 15, 63 and so on."""
        if len(self._records) >= CALLS_MAX:
            self._records.clear()
        record = self._records.setdefault(call, _Record())
        record.strikes += 1
        record.skips_left = min(4 ** min(record.strikes, 6) - 1, SKIPS_MAX)
