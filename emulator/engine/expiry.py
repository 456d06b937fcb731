"""Deletes ended instances that have expired.

The journal says when each expires, so they are found without reading histories. In memory there is
only one alarm, for the next one. `decide/retention.py` decides how long each is kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from emulator.clock import Alarm, Clock
from emulator.engine.journal.journal import Journal
from emulator.errors import StateError

AT_ONCE = 500  # instances per commit; requests are answered in between
_PAUSE_MS = 1_000  # between two searches, for the case that the disk refuses


class Expiry:
    """Deletes expired instances; `delete` takes a journal key."""

    def __init__(self, journal: Journal, clock: Clock, delete: Callable[[int], None]) -> None:
        self._journal = journal
        self._clock = clock
        self._delete = delete
        self._alarm: Alarm | None = None
        self._due_ms = 0

    def start(self) -> None:
        """Begin; instances that have expired before are deleted soon."""
        self.expect(self._journal.next_expiry_ms())

    def expect(self, due_ms: int | None) -> None:
        """An instance expires at `due_ms`, if ever."""
        if due_ms is None or (self._alarm is not None and self._due_ms <= due_ms):
            return
        self.stop()
        self._due_ms = due_ms
        self._alarm = self._clock.call_at(due_ms, self._sweep)

    def stop(self) -> None:
        """Delete nothing more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _sweep(self) -> None:
        self._alarm = None
        now_ms = self._clock.now_ms()
        next_ms: int | None = now_ms
        with contextlib.suppress(StateError):  # if the disk cannot be read, it is tried again
            for key in self._journal.expired(now_ms, AT_ONCE):
                self._delete(key)
            next_ms = self._journal.next_expiry_ms()
        if next_ms is not None:
            self.expect(max(next_ms, now_ms + _PAUSE_MS))
