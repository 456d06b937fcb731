"""The rate limit binding: counts in windows that begin at whole multiples of the period.

Source: docs/platform/small-bindings.md, "Rate limits".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from emulator.errors import WorkerError

PERIODS_S = (10, 60)
OPTIONS = ("key", "limit", "period", "delta")
DELTA_MAX = 2**32 - 1


class Counts:
    """The counts of one namespace; they are kept in memory, over reloads."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._windows: dict[int, tuple[int, dict[str, int]]] = {}  # by period

    def add(self, key: str, delta: int, limit: int, period_s: int) -> bool:
        """Count a call; False, and nothing is counted, when the key has reached its limit."""
        window = self._now_ms() // (period_s * 1000)
        found, counts = self._windows.get(period_s, (window, {}))
        if found != window:
            counts = {}
        self._windows[period_s] = window, counts
        count = counts.get(key, 0)
        if count >= limit:
            return False
        counts[key] = count + delta
        return True


class RateLimit:
    """One binding: its own limit and period, on the counts of its namespace."""

    kind = "ratelimits"

    def __init__(self, counts: Counts, limit: int, period_s: int) -> None:
        self._counts = counts
        self._limit = limit
        self._period_s = period_s

    async def call(self, method: str, args: list[Any]) -> Any:
        """Run `limit(options)`: `{"success": bool}`. Raises WorkerError."""
        if method != "limit":
            raise WorkerError(f'A rate limit has no method "{method}"')
        options = args[0] if args else None
        if not isinstance(options, dict):
            raise WorkerError("invalid rate limit options")
        wrong = [name for name in options if name not in OPTIONS]
        if wrong:
            raise WorkerError(f"bad rate limit options: [{','.join(map(str, wrong))}]")
        key = options.get("key", "")
        if not isinstance(key, str):
            raise WorkerError(f"invalid key: {key}")
        limit = _number(options.get("limit", self._limit), "limit")
        period = _number(options.get("period", self._period_s), "period")
        if period not in PERIODS_S:
            raise WorkerError(f"unsupported period: {period:g}")
        delta = to_delta(options.get("delta", 1))
        return {"success": self._counts.add(key, delta, int(limit), int(period))}

    async def close(self) -> None:
        """Nothing is held."""


def to_delta(value: object) -> int:
    """Return how much a call counts. Raises WorkerError."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        text = "The value cannot be converted because it is not an integer."
        raise WorkerError(text, name="TypeError")
    if number < 0:
        raise WorkerError(
            "The value cannot be converted because it is negative and this API expects a positive "
            "number.",
            name="TypeError",
        )
    if number > DELTA_MAX:
        text = f"Value out of range. Must be less than or equal to {DELTA_MAX}."
        raise WorkerError(text, name="TypeError")
    if int(number) == 0:
        raise WorkerError("delta must be non-zero", name="RangeError")
    return int(number)


def _number(value: object, name: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise WorkerError(f"{name} must be a number: {value}")
    return value
