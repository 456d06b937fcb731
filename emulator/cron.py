"""Cron expressions as Cloudflare reads them, and the next time of a schedule. In UTC minutes.

The dialect is Quartz's with five fields. Weekdays are 1 (Sunday) to 7; `L`, `W` and `#` exist;
ranges may wrap around (`FRI-MON`). If both day fields are given, a day must match one of them.
Source: https://developers.cloudflare.com/workers/configuration/cron-triggers/;
https://github.com/cloudflare/saffron/tree/main/saffron/src (production's parser).
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

from msgspec import Struct

from emulator.words import counted

EXPRESSION_MAX_CHARS = 256  # Source: docs/platform/workflows.md, "Limits".
MINUTE_MS = 60_000
_SEARCH_DAYS = 3_000  # over eight years: 29 February may be missing once

_MONTHS = {
    name: number
    for number, name in enumerate("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), 1)
}
_WEEKDAYS = {name: number for number, name in enumerate("SUN MON TUE WED THU FRI SAT".split(), 1)}
_ITEM = re.compile(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?", re.ASCII)
_LAST_DAY = re.compile(r"L(?:-(\d+))?(W?)")
_NEAR_DAY = re.compile(r"(\d+)W")
_NTH_WEEKDAY = re.compile(r"(\w+)(?:#(\d+)|L)", re.ASCII)

DayRule = Callable[[date], bool]


class InvalidCron(ValueError):
    """The text is not a cron expression; the message quotes the wrong part."""


class _Field(Struct, frozen=True):
    name: str
    lowest: int
    highest: int
    names: dict[str, int]

    def value(self, text: str) -> int:
        number = self.names.get(text.upper())
        if number is None and text.isdecimal() and text.isascii():
            number = int(text)
        if number is None or not self.lowest <= number <= self.highest:
            names = f" or {next(iter(self.names))} to {list(self.names)[-1]}" if self.names else ""
            expected = f"{self.lowest} to {self.highest}{names}"
            raise InvalidCron(f'{self.name} "{text}"; expected {expected}')
        return number

    def values(self, text: str) -> frozenset[int]:
        """Return the values of a list of values, ranges and steps."""
        everything = range(self.lowest, self.highest + 1)
        if text == "*":
            return frozenset(everything)
        found: set[int] = set()
        for part in text.split(","):
            item = _ITEM.fullmatch(part)
            if item is None:
                raise InvalidCron(f'{self.name} "{part}"; expected a value, a range or a step')
            # After the first item of a list, production reads `*` as the lowest value.
            start = self.lowest if item[1] == "*" else self.value(item[1])
            end = self.value(item[2]) if item[2] else self.highest if item[3] else start
            step = int(item[3] or 1)
            if not 1 <= step <= self.highest - self.lowest:
                most = self.highest - self.lowest
                raise InvalidCron(f'{self.name} "{part}"; expected a step of 1 to {most}')
            wraps = [*range(start, self.highest + 1), *range(self.lowest, end + 1)]
            found.update((range(start, end + 1) if start <= end else wraps)[::step])
        return frozenset(found)


_MINUTE = _Field("minute", 0, 59, {})
_HOUR = _Field("hour", 0, 23, {})
_DAY = _Field("day of month", 1, 31, {})
_MONTH = _Field("month", 1, 12, _MONTHS)
_WEEKDAY = _Field("weekday", 1, 7, _WEEKDAYS)


class Cron(Struct, frozen=True):
    """A schedule. `expression` is its text."""

    expression: str
    _minutes: tuple[int, ...]
    _hours: tuple[int, ...]
    _months: frozenset[int]
    _fires_on: DayRule

    @classmethod
    def parse(cls, expression: str) -> Cron:
        """Return the schedule of `expression`. Raises InvalidCron."""
        if len(expression) > EXPRESSION_MAX_CHARS:
            raise InvalidCron(f"{len(expression)} characters; at most {EXPRESSION_MAX_CHARS}")
        fields = re.split(r"[ \t]+", expression)
        if len(fields) != 5 or "" in fields:
            raise InvalidCron(
                f"{counted(len(expression.split()), 'field')}; expected five with spaces between"
                " them only:"
                " minute, hour, day of month, month, weekday"
            )
        minute, hour, day, month, weekday = fields
        return cls(
            expression,
            tuple(sorted(_MINUTE.values(minute))),
            tuple(sorted(_HOUR.values(hour))),
            _MONTH.values(month),
            _either(_day_rule(day), _weekday_rule(weekday)),
        )

    def next_after_ms(self, after_ms: int) -> int | None:
        """Return the first time after `after_ms`, or None when it never fires."""
        first = datetime.fromtimestamp((after_ms // MINUTE_MS + 1) * MINUTE_MS / 1000, UTC)
        day, earliest = first.date(), first.time()
        for _ in range(_SEARCH_DAYS):
            if day.month in self._months and self._fires_on(day):
                moment = self._first_from(earliest)
                if moment is not None:
                    found = datetime.combine(day, moment, UTC)
                    return int(found.timestamp()) * 1000
            if day == date.max:
                return None
            day, earliest = day + timedelta(days=1), time()
        return None

    def _first_from(self, earliest: time) -> time | None:
        for hour in self._hours:
            if hour < earliest.hour:
                continue
            for minute in self._minutes:
                if hour > earliest.hour or minute >= earliest.minute:
                    return time(hour, minute)
        return None


def _either(day: DayRule | None, weekday: DayRule | None) -> DayRule:
    """Return when a date matches. None means `*`: then only the other field counts."""
    if day is None and weekday is None:
        return lambda on: True
    if day is None or weekday is None:
        return day or weekday or (lambda on: True)
    return lambda on: day(on) or weekday(on)


def _day_rule(text: str) -> DayRule | None:
    if text == "*":
        return None
    if last := _LAST_DAY.fullmatch(text):
        offset = int(last[1] or 0)
        if last[1] and not 1 <= offset <= 30:
            raise InvalidCron(f'day of month "{text}"; expected L-1 to L-30')
        nearest = bool(last[2])
        return lambda on: _is_day(on, _last(on) - offset, nearest)
    if near := _NEAR_DAY.fullmatch(text):
        day = _DAY.value(near[1])
        return lambda on: _is_day(on, day, nearest=True)
    days = _DAY.values(text)
    return lambda on: on.day in days


def _weekday_rule(text: str) -> DayRule | None:
    if text == "*":
        return None
    if text == "L":
        text = "SAT"
    elif nth := _NTH_WEEKDAY.fullmatch(text):
        weekday = _WEEKDAY.value(nth[1])
        if nth[2] is None:
            return lambda on: _weekday(on) == weekday and on.day + 7 > _last(on)
        number = int(nth[2])
        if not 1 <= number <= 5:
            raise InvalidCron(f'weekday "{text}"; expected #1 to #5')
        return lambda on: _weekday(on) == weekday and (on.day - 1) // 7 + 1 == number
    weekdays = _WEEKDAY.values(text)
    return lambda on: _weekday(on) in weekdays


def _is_day(on: date, day: int, nearest: bool) -> bool:
    """Whether `on` is this day of its month, or the weekday nearest to it in the same month."""
    last = _last(on)
    if not 1 <= day <= last:
        return False
    match _weekday(on.replace(day=day)) if nearest else 0:
        case 7:
            day += -1 if day > 1 else 2
        case 1:
            day += 1 if day < last else -2
    return on.day == day


def _weekday(on: date) -> int:
    """1 to 7, from Sunday."""
    return on.isoweekday() % 7 + 1


def _last(on: date) -> int:
    return monthrange(on.year, on.month)[1]
