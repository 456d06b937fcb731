"""The clock of a worker under test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from groundfog.testing.opened import Opened
from groundfog.testing.options import instant_ms

__tracebackhide__ = True  # pytest shows the line of the test, not ours

Span = str | int | float | timedelta


class Clock:
    """Time, as the workflows of one worker see it.

    It stands still until it is moved. With the option `clock="auto"`, which is the default, it also
    moves to the next deadline by itself while a test waits for an instance.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    @property
    def now(self) -> datetime:
        """The time, in UTC."""
        return _instant(self._ask("clock.now"))

    def advance(self, span: Span) -> datetime:
        """Move time forward, stopping at every deadline on the way; return the new time.

        span: `"30 days"`, a timedelta, or milliseconds. Raises RefusedError on a real clock.
        """
        return _instant(self._ask("clock.advance", span=_span(span)))

    def move_to(self, instant: datetime | str) -> datetime:
        """Move time forward to an instant, ISO 8601 or a datetime. It never goes back."""
        return _instant(self._ask("clock.move_to", at_ms=instant_ms(instant)))

    def next(self) -> list[dict[str, Any]]:
        """Move to the next deadline; return the steps that were due, an empty list if none is left.

        Each is `{"workflow", "instance", "step", "type"}`; type: "do" (a retry or a timeout),
        "sleep" or "waitForEvent".
        """
        found = self._ask("clock.next")
        return [] if found is None else list(found["due"])

    def run_until_idle(self, limit: Span = "365 days") -> datetime:
        """Move from deadline to deadline until none is left, at most for `limit`.

        Waits for events time out on the way.
        """
        return _instant(self._ask("clock.run_until_idle", limit=_span(limit)))

    def freeze(self, at: datetime | str | None = None) -> datetime:
        """Stop time: now, or at a later instant, which it moves to."""
        if at is not None:
            self.move_to(at)
        return _instant(self._ask("clock.freeze"))

    def run(self) -> datetime:
        """Let time go on from here at its usual speed."""
        return _instant(self._ask("clock.run"))

    def _ask(self, what: str, **args: Any) -> Any:
        return self._opened.link.ask(self._opened.number, what, **args)


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _span(span: Span) -> str | int | float:
    return span.total_seconds() * 1000 if isinstance(span, timedelta) else span
