"""Durations as Cloudflare writes them: `"5 minutes"` <-> milliseconds.

It accepts exactly the documented grammar: a number of milliseconds, or `"<number> <unit>"`.
Differs: the official local engine also accepts `"5 min"`, but as 5 ms.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

# Lengths as in itty-time.
# Source: https://github.com/cloudflare/workerd/blob/main/types/defines/workflows.d.ts
# (WorkflowDurationLabel).
UNIT_MS = {
    "second": 1_000,
    "minute": 60_000,
    "hour": 3_600_000,
    "day": 86_400_000,
    "week": 604_800_000,
    "month": 2_592_000_000,
    "year": 31_557_600_000,
}
OUTCOMES = ("success", "error")  # for each of them, ended instances are kept for a time
EXPECTED = 'milliseconds or "<number> <unit>", e.g. "5 minutes" (units: second to year)'

_TEXT = re.compile(r"(\d+(?:\.\d+)?) +([a-z]+?)s?")


class InvalidDuration(ValueError):
    """The value is not a duration; the message quotes it and says what was expected."""

    def __init__(self, value: object) -> None:
        shown = f'"{value}"' if isinstance(value, str) else repr(value)
        super().__init__(f"{shown}; expected {EXPECTED}")


def parse_duration_ms(value: object) -> int:
    """Return `value` as whole milliseconds: `"5 minutes"` -> 300000, `1500` -> 1500.

    Raises InvalidDuration for anything else: other units, negative or non-finite numbers, booleans.
    Source: docs/platform/workflows.md, "Durations".
    """
    if isinstance(value, bool):
        raise InvalidDuration(value)
    if isinstance(value, int | float):
        if value < 0 or (isinstance(value, float) and not math.isfinite(value)):
            raise InvalidDuration(value)
        return int(value)
    if isinstance(value, str):
        match = _TEXT.fullmatch(value)
        if match and match[2] in UNIT_MS:
            span_ms = float(match[1]) * UNIT_MS[match[2]]
            if math.isfinite(span_ms):
                return int(span_ms)
    raise InvalidDuration(value)


def read_retention(
    given: Mapping[str, object], suffix: str, wrong: Callable[[str, InvalidDuration], object]
) -> dict[str, int]:
    """Return how long ended instances are kept, in ms: `{"success"?, "error"?}`.

    `{"success_retention": "2 days"}` with the suffix "_retention" -> `{"success": 172800000}`.
    Other members and those that are None are left out. `wrong` is called with the name of a member
    that is no duration, and its error.
    """
    kept = {}
    for name, value in given.items():
        outcome = name.removesuffix(suffix)
        if value is None or name == outcome or outcome not in OUTCOMES:
            continue
        try:
            kept[outcome] = parse_duration_ms(value)
        except InvalidDuration as error:
            wrong(name, error)
    return kept


def format_duration(duration_ms: int) -> str:
    """Return a duration for people: 300000 -> `"5 minutes"`, 1500 -> `"1.5 seconds"`."""
    if duration_ms < 1_000:
        return f"{duration_ms} ms"
    for unit in ("day", "hour", "minute", "second"):
        if duration_ms >= UNIT_MS[unit]:
            amount = duration_ms / UNIT_MS[unit]
            text = f"{amount:.2f}".rstrip("0").rstrip(".")
            return f"{text} {unit}" + ("" if text == "1" else "s")
    raise AssertionError(duration_ms)
