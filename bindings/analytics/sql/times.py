"""Times in queries: seconds since 1970, in UTC.

Source: docs/platform/analytics-sql.md, "Functions".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bindings.analytics.sql.tree import InvalidQuery

_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86_400, "WEEK": 7 * 86_400}
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_TEXT = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d:\d\d(?:\.\d+)?)?Z?\Z")
_FORMATS: dict[str, Callable[[datetime], str]] = {
    "C": lambda at: f"{at.year // 100:02d}",
    "d": lambda at: f"{at.day:02d}",
    "D": lambda at: f"{at:%m/%d/%y}",
    "e": lambda at: f"{at.day:2d}",
    "F": lambda at: f"{at:%Y-%m-%d}",
    "H": lambda at: f"{at.hour:02d}",
    "I": lambda at: f"{(at.hour - 1) % 12 + 1:02d}",
    "j": lambda at: f"{at:%j}",
    "m": lambda at: f"{at.month:02d}",
    "i": lambda at: f"{at.minute:02d}",
    "M": lambda at: f"{at:%B}",
    "b": lambda at: f"{at:%b}",
    "a": lambda at: f"{at:%a}",
    "W": lambda at: f"{at:%A}",
    "n": lambda at: "\n",
    "p": lambda at: "AM" if at.hour < 12 else "PM",
    "Q": lambda at: str((at.month + 2) // 3),
    "R": lambda at: f"{at:%H:%M}",
    "S": lambda at: f"{at.second:02d}",
    "s": lambda at: f"{at.second:02d}",
    "t": lambda at: "\t",
    "T": lambda at: f"{at:%H:%M:%S}",
    "u": lambda at: str(at.isoweekday()),
    "V": lambda at: f"{at:%V}",
    "w": lambda at: str(at.isoweekday() % 7),
    "y": lambda at: f"{at.year % 100:02d}",
    "Y": lambda at: f"{at.year:04d}",
    "z": lambda at: f"{at:%z}",
    "%": lambda at: "%",
}


@lru_cache(64)
def zone(name: str | None) -> tzinfo:
    """Return a time zone. Raises InvalidQuery."""
    if name is None or name in ("UTC", "Etc/UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidQuery(f"unknown time zone {name!r}") from None


def at(seconds: float, name: str | None = None) -> datetime:
    """Return a time in a zone. Raises InvalidQuery."""
    where = zone(name)
    try:
        return datetime.fromtimestamp(int(seconds), UTC).astimezone(where)
    except (OverflowError, ValueError, OSError):
        raise InvalidQuery(f"{seconds!r} is no time") from None


def read_time(given: float | str, name: str | None = None) -> int:
    """Return the seconds of a number, a number as text, or `YYYY-MM-DD hh:mm:ss` in a zone.

    Raises InvalidQuery.
    """
    if isinstance(given, int | float):
        at(given)  # refuses what is no time
        return int(given)
    text = given.strip()
    if text.isdecimal():
        return int(text)
    if not _TEXT.match(text):
        raise InvalidQuery(f"{given!r} is no time; expected YYYY-MM-DD hh:mm:ss")
    try:
        found = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        raise InvalidQuery(f"{given!r} is no time; expected YYYY-MM-DD hh:mm:ss") from None
    return int(found.replace(tzinfo=zone(name)).timestamp())


def shifted(seconds: int, count: int, unit: str) -> int:
    """Return a time so many units later. Raises InvalidQuery."""
    if unit in _SECONDS:
        return seconds + count * _SECONDS[unit]
    found = at(seconds)
    months = found.year * 12 + found.month - 1 + count * _MONTHS[unit]
    try:
        first = found.replace(year=months // 12, month=months % 12 + 1, day=1)
    except ValueError:
        raise InvalidQuery(f"{count} {unit} leads to no time") from None
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return int(first.replace(day=min(found.day, last.day)).timestamp())


def floor(seconds: int, count: int, unit: str, name: str | None = None) -> int:
    """Return the start of the interval that a time is in. Raises InvalidQuery."""
    if count < 1:
        raise InvalidQuery("an interval must be longer than nothing")
    found = at(seconds, name)
    if unit in _MONTHS:
        months = (found.year - 1970) * 12 + found.month - 1
        months -= months % (count * _MONTHS[unit])
        year, month = 1970 + months // 12, months % 12 + 1
        start = found.replace(year=year, month=month, day=1, hour=0, minute=0, second=0)
        return int(start.timestamp())
    offset = found.utcoffset() or timedelta()
    local = seconds + int(offset.total_seconds())
    begin = 4 * 86_400 if unit == "WEEK" else 0  # the first Monday of 1970 was the fifth
    step = count * _SECONDS[unit]
    return seconds - (local - begin) % step


def shown(seconds: float | None) -> str | None:
    """Return a time as results have it: `YYYY-MM-DD hh:mm:ss`."""
    return None if seconds is None else f"{at(seconds):%Y-%m-%d %H:%M:%S}"


def formatted(seconds: int, pattern: str, name: str | None = None) -> str:
    """Return a time in a format of ClickHouse's: `%Y-%m-%d`. Raises InvalidQuery."""
    found = at(seconds, name)

    def part(matched: re.Match[str]) -> str:
        write = _FORMATS.get(matched[1])
        if write is None:
            raise InvalidQuery(f"formatDateTime knows no %{matched[1]}")
        return write(found)

    return re.sub(r"%(.)", part, pattern, flags=re.DOTALL)
