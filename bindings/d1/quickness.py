"""Remembers which calls are quick enough to run on the event loop's thread. Pure.

A SQLite function cannot be interrupted, so a call is not simply tried on the event loop. It runs
there after it has been quick on another thread. It may still be slow there, because of its
parameters, the data or the machine. Then it must be quick on the other thread again, more often
each time.
"""

from __future__ import annotations

from msgspec import Struct

CALLS_MAX = 1_000  # remembered at a time
_PROOFS_MAX = 4_096

Call = tuple[str, ...]  # its SQL texts


class _Times(Struct):
    proofs_missing: int = 1
    strikes: int = 0


class Quickness:
    """Which calls may run on the event loop."""

    def __init__(self) -> None:
        # The keys are hashes, as the texts may be long.
        self._records: dict[int, _Times] = {}

    def is_proven(self, call: Call) -> bool:
        """Return whether to run `call` on the event loop."""
        record = self._records.get(hash(call))
        return record is not None and record.proofs_missing <= 0

    def was_quick(self, call: Call) -> None:
        """Note that it was quick. If that was on the event loop, earlier slowness is forgotten."""
        record = self._records.get(hash(call))
        if record is None:
            if len(self._records) >= CALLS_MAX:
                self._records.clear()
            record = self._records[hash(call)] = _Times()
        if record.proofs_missing > 0:
            record.proofs_missing -= 1
        else:
            record.strikes = 0

    def was_slow(self, call: Call) -> None:
        """Note that it was slow on the event loop: it must be quick 4 times first, then 16, 64…"""
        record = self._records.setdefault(hash(call), _Times())
        record.strikes += 1
        record.proofs_missing = min(4**record.strikes, _PROOFS_MAX)
