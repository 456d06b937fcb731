"""Times for people: spans, offsets, moments. Pure."""

from __future__ import annotations

from datetime import datetime

_SECOND, _MINUTE, _HOUR, _DAY = 1_000, 60_000, 3_600_000, 86_400_000


def span(duration_ms: int) -> str:
    """Return a duration in at most two units.

    840 -> "840 ms", 1240 -> "1.24 s", 312000 -> "5m 12s", 7380000 -> "2h 03m",
    183600000 -> "2d 03h".
    """
    ms = max(duration_ms, 0)
    if ms < _SECOND:
        return f"{ms} ms"
    if ms < 10 * _SECOND:
        return f"{ms // 10 / 100:.2f} s"
    if ms < _MINUTE:
        return f"{ms // 100 / 10:.1f} s"
    if ms < _HOUR:
        return f"{ms // _MINUTE}m {ms % _MINUTE // _SECOND:02d}s"
    if ms < _DAY:
        return f"{ms // _HOUR}h {ms % _HOUR // _MINUTE:02d}m"
    return f"{ms // _DAY}d {ms % _DAY // _HOUR:02d}h"


def parse_iso(text: str) -> int:
    """Return a time of the REST API as epoch milliseconds."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def moment(at_ms: int) -> str:
    """Return a time in the user's own time zone: `"2026-04-02 11:14:07"`."""
    return datetime.fromtimestamp(at_ms / 1000).strftime("%Y-%m-%d %H:%M:%S")


def clock_time(at_ms: int, now_ms: int) -> str:
    """Return a time in the user's own time zone, without the date if it is today."""
    at, now = datetime.fromtimestamp(at_ms / 1000), datetime.fromtimestamp(now_ms / 1000)
    return at.strftime("%H:%M:%S" if at.date() == now.date() else "%Y-%m-%d %H:%M")
