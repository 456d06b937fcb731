"""A clock that is ahead, for a guest that only replays: what depends on the time of day comes out.

It is used before user code is imported, and only where the host asks for it.
"""

from __future__ import annotations

import datetime as datetimes
import time
from typing import Any

from .sdk.javascript import dates


def shift(span_ms: int) -> None:
    """Let the time of day be this much later for all code that is imported from now on."""
    seconds, ns = time.time, time.time_ns

    def shifted_ns() -> int:
        return ns() + span_ms * 1_000_000

    time.time = lambda: seconds() + span_ms / 1000
    time.time_ns = shifted_ns
    dates.time_ns = shifted_ns  # type: ignore[attr-defined]
    _shift_dates(datetimes.timedelta(milliseconds=span_ms))


def _shift_dates(span: datetimes.timedelta) -> None:
    """Put classes in the place of `datetime` and `date`; all others are instances of them, too."""
    moment: Any = datetimes.datetime
    day: Any = datetimes.date

    class _Like(type):
        def __instancecheck__(cls, other: object) -> bool:
            return isinstance(other, moment if moment in type.mro(cls) else day)

        def __subclasscheck__(cls, other: type) -> bool:
            wanted = moment if moment in type.mro(cls) else day
            return type.__subclasscheck__(wanted, other)

    class datetime(moment, metaclass=_Like):  # type: ignore[misc]
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return moment.now(tz) + span

        @classmethod
        def utcnow(cls) -> Any:
            return moment.now(datetimes.UTC).replace(tzinfo=None) + span

        @classmethod
        def today(cls) -> Any:
            return moment.now() + span

    class date(day, metaclass=_Like):  # type: ignore[misc]
        @classmethod
        def today(cls) -> Any:
            return (moment.now() + span).date()

    datetimes.datetime, datetimes.date = datetime, date  # type: ignore[misc]
