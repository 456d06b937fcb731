"""Remembers which calls are quick enough for the event loop's own thread. Pure.

What SQLite does inside one of its functions cannot be interrupted, so a call is not tried on the
event loop to see how long it takes: it goes there once it has been quick on a thread. When it is
slow there all the same, its parameters or the data may be to blame, or the machine: it must then be
quick on a thread again, the more often the more often it was slow.
"""

from __future__ import annotations

from dataclasses import dataclass

CALLS_MAX = 1_000  # remembered at a time
_PROOFS_MAX = 4_096

Call = tuple[str, ...]  # its SQL texts


@dataclass(slots=True)
class _Record:
    proofs_missing: int = 1
    strikes: int = 0


class Quickness:
    """Which calls may run on the event loop."""

    def __init__(self) -> None:
        # A hash is kept and not the texts, which may be long.
        self._records: dict[int, _Record] = {}

    def is_proven(self, call: Call) -> bool:
        """Return whether to run `call` on the event loop."""
        record = self._records.get(hash(call))
        return record is not None and record.proofs_missing <= 0

    def was_quick(self, call: Call) -> None:
        """It was quick on a thread, or on the event loop, which forgets how often it was not."""
        record = self._records.get(hash(call))
        if record is None:
            if len(self._records) >= CALLS_MAX:
                self._records.clear()
            record = self._records[hash(call)] = _Record()
        if record.proofs_missing > 0:
            record.proofs_missing -= 1
        else:
            record.strikes = 0

    def was_slow(self, call: Call) -> None:
        """It was slow on the event loop: ask for 4 proofs, then 16, 64 and so on."""
        record = self._records.setdefault(hash(call), _Record())
        record.strikes += 1
        record.proofs_missing = min(4**record.strikes, _PROOFS_MAX)
