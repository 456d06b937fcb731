"""Retention: how long finished instances are kept, and their deletion when the time is over.

The journal says when each expires, so a sweep finds them without reading histories, and nothing is
held in memory for them but one alarm, for the next.
Source: docs/platform/workflows.md, "Retention" and "Limits".
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from emulator.clock import Alarm, Clock
from emulator.engine.journal.journal import Journal
from emulator.engine.model.instance import Instance, Status
from emulator.errors import StateError

DAY_MS = 86_400_000
DEFAULT_MS = 7 * DAY_MS  # docs "Limits", paid plan, for workflows created after 2026-09-10
LONGEST_MS = 30 * DAY_MS  # docs "Limits", paid plan

_AT_ONCE = 500  # instances per commit: others are answered in between
_PAUSE_MS = 1_000  # between two sweeps, so that a disk that refuses is not asked without end


@dataclass(frozen=True, slots=True)
class Retention:
    """How long instances are kept after their end, by whether they succeeded."""

    success_ms: int = DEFAULT_MS
    error_ms: int = DEFAULT_MS

    @classmethod
    def of(cls, own: Mapping[str, int], default: Retention) -> Retention:
        """Return `{"success"?, "error"?}` in milliseconds, with the rest from `default`."""
        return cls(own.get("success", default.success_ms), own.get("error", default.error_ms))

    @classmethod
    def configured(cls, success_ms: int | None, error_ms: int | None) -> Retention:
        """Return a workflow's `default_retention`; None is production's default."""
        return cls(
            DEFAULT_MS if success_ms is None else success_ms,
            DEFAULT_MS if error_ms is None else error_ms,
        )


def expires_ms(instance: Instance, default: Retention) -> int | None:
    """Return when an instance is to be deleted; None while it has not ended.

    What was terminated counts as not succeeded. More than 30 days are taken for 30.
    """
    if not instance.is_terminal or instance.ended_ms is None:
        return None
    kept = Retention.of(instance.retention, default)
    kept_ms = kept.success_ms if instance.status is Status.COMPLETE else kept.error_ms
    return instance.ended_ms + min(kept_ms, LONGEST_MS)


class Expiry:
    """Deletes instances whose time is over; `delete` takes a journal key."""

    def __init__(self, journal: Journal, clock: Clock, delete: Callable[[int], None]) -> None:
        self._journal = journal
        self._clock = clock
        self._delete = delete
        self._alarm: Alarm | None = None
        self._due_ms = 0

    def start(self) -> None:
        """Look after what the journal holds; what expired while nobody looked goes soon."""
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
        with contextlib.suppress(StateError):  # a disk that cannot be read is asked again
            for key in self._journal.expired(now_ms, _AT_ONCE):
                self._delete(key)
            next_ms = self._journal.next_expiry_ms()
        if next_ms is not None:
            self.expect(max(next_ms, now_ms + _PAUSE_MS))
