"""`Date`: a moment, to the millisecond."""

from __future__ import annotations

import math
import sys
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import time_ns
from typing import Any

from ...tracebacks import is_ours
from ..jsobject import JsClass, JsObject

_START = datetime(1970, 1, 1, tzinfo=UTC)


class _DateClass(JsClass):
    """The type of `Date`: called, it gives the time as text."""

    def __call__(cls, *args: Any) -> Any:
        made = type.__call__(cls, *args)
        return made if is_ours(sys._getframe(1).f_code.co_filename) else made.toString()


class Date(JsObject, metaclass=_DateClass):
    """A moment. Workers live in UTC, so local time is the same."""

    def __init__(self, *args: Any) -> None:
        if not args:
            self._ms: float = Date.now()
        elif len(args) > 1:
            self._ms = Date.UTC(*args)
        elif isinstance(args[0], Date):
            self._ms = args[0]._ms
        elif isinstance(args[0], str):
            self._ms = Date.parse(args[0])
        else:
            number = float(args[0]) if isinstance(args[0], int | float) else math.nan
            self._ms = math.trunc(number) if math.isfinite(number) else math.nan

    @staticmethod
    def now() -> int:
        """Return the milliseconds since 1970."""
        return time_ns() // 1_000_000

    @staticmethod
    def parse(text: str) -> float:
        """Return the milliseconds of a text; NaN if it is no date."""
        for read in (datetime.fromisoformat, parsedate_to_datetime):
            try:
                moment = read(text)
            except (ValueError, TypeError):
                continue
            zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return (zoned - _START) // timedelta(milliseconds=1)
        return math.nan

    @staticmethod
    def UTC(year: int, month: int = 0, *rest: int) -> float:  # JavaScript's name
        """Return the milliseconds of year, month from 0, day, hour, minute, second and ms."""
        day, hour, minute, second, ms = (*rest, *(1, 0, 0, 0, 0)[len(rest) :])
        start = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        parts = timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second, milliseconds=ms)
        return (start + parts - _START) // timedelta(milliseconds=1)

    def getTime(self) -> float:  # JavaScript's name
        """Return the milliseconds since 1970."""
        return self._ms

    valueOf = getTime  # JavaScript's name

    def toISOString(self) -> str:  # JavaScript's name
        """Return it as `2026-01-31T12:00:00.000Z`."""
        moment = self._moment()
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"

    toJSON = toISOString  # JavaScript's name

    def toUTCString(self) -> str:  # JavaScript's name
        """Return it as HTTP writes dates."""
        return f"{self._moment():%a, %d %b %Y %H:%M:%S} GMT"

    def toString(self) -> str:  # JavaScript's name
        """Return what `str()` gives."""
        shown = f"{self._moment():%a %b %d %Y %H:%M:%S}"
        return f"{shown} GMT+0000 (Coordinated Universal Time)"

    def __getattr__(self, name: str) -> Any:
        part = _PARTS.get(name.removeprefix("get").removeprefix("UTC"))
        if not name.startswith("get") or part is None:
            return super().__getattr__(name)
        return lambda: part(self._moment())

    def _moment(self) -> datetime:
        return _START + timedelta(milliseconds=self._ms)

    def _plain(self) -> Any:
        return datetime.fromtimestamp(self._ms / 1000)


_PARTS: dict[str, Any] = {
    "FullYear": lambda it: it.year,
    "Month": lambda it: it.month - 1,
    "Date": lambda it: it.day,
    "Day": lambda it: it.isoweekday() % 7,
    "Hours": lambda it: it.hour,
    "Minutes": lambda it: it.minute,
    "Seconds": lambda it: it.second,
    "Milliseconds": lambda it: it.microsecond // 1000,
    "TimezoneOffset": lambda it: 0,
}
