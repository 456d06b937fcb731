"""Dates <-> milliseconds, exactly: a Date of JavaScript holds whole ones, a datetime microseconds.

A Date reaches from the year -271821 to 275760, a datetime from 1 to 9999: what is beyond that is an
error on either side, never another date.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

_SECOND = timedelta(seconds=1)
_EARLIEST_MS = -62_135_596_800_000  # 0001-01-01T00:00:00.000Z
_LATEST_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
_EPOCH = datetime(1970, 1, 1)
# This near to 1970 a float of seconds tells microseconds apart.
_EXACT_S = 4_000_000_000
_EXACT_MS = 1000 * _EXACT_S


def milliseconds(moment: datetime) -> int:
    """Return `moment` since 1970 in UTC, rounded; the last of all does not become another year.

    A naive datetime is local time, but near the ends of what a datetime can hold, where Python
    knows no local time: there it is UTC. Raises OverflowError for what no datetime in UTC can hold.
    """
    try:
        seconds = moment.timestamp()
        if -_EXACT_S < seconds < _EXACT_S:
            return math.floor(seconds * 1000 + 0.5)
        exact = _exact(int(moment.replace(microsecond=0).timestamp()), moment.microsecond)
    except (ValueError, OverflowError, OSError):
        exact = None
    if exact is None and moment.tzinfo is None:
        exact = _exact((moment.replace(microsecond=0) - _EPOCH) // _SECOND, moment.microsecond)
    if exact is None:
        raise OverflowError
    return exact


def _exact(seconds: int, microseconds: int) -> int | None:
    """Return the milliseconds, or None when they are beyond what a datetime can hold."""
    if not _EARLIEST_MS <= seconds * 1000 <= _LATEST_MS:
        return None
    return min(seconds * 1000 + (microseconds + 500) // 1000, _LATEST_MS)


def utc(epoch_ms: float) -> datetime:
    """Return the datetime in UTC. Raises ValueError beyond the years 1 to 9999."""
    if -_EXACT_MS < epoch_ms < _EXACT_MS:
        return datetime.fromtimestamp(epoch_ms / 1000, UTC)
    return _moment(epoch_ms).replace(tzinfo=UTC)


def local(epoch_ms: float) -> datetime:
    """Return the naive datetime in local time; near the ends of what it can hold, in UTC.

    Raises ValueError beyond the years 1 to 9999.
    """
    if -_EXACT_MS < epoch_ms < _EXACT_MS:
        return datetime.fromtimestamp(epoch_ms / 1000)
    seconds, rest_ms = divmod(int(epoch_ms), 1000)
    try:
        return datetime.fromtimestamp(seconds).replace(microsecond=rest_ms * 1000)
    except (ValueError, OverflowError, OSError):
        return _moment(epoch_ms)


def _moment(epoch_ms: float) -> datetime:
    if epoch_ms == _LATEST_MS + 1:  # how `datetime.max` was recorded once: rounded up
        epoch_ms = _LATEST_MS
    if not _EARLIEST_MS <= epoch_ms <= _LATEST_MS:
        raise ValueError(
            f"a Date of {epoch_ms} ms is outside the years 1 to 9999, which a datetime can hold"
        )
    return _EPOCH + timedelta(milliseconds=epoch_ms)
