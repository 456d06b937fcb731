"""Waiting on something observable, with a deadline; never on time alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE_S = 20.0
_POLL_S = 0.01


def eventually(check: Callable[[], T | None], deadline_s: float = DEADLINE_S) -> T:
    """Return the first truthy result of `check`; an AssertionError in it counts as not yet.

    Raises AssertionError with the last result or failure when `deadline_s` has passed.
    """
    end = time.monotonic() + deadline_s
    while True:
        try:
            result = check()
            if result:
                return result
            last: object = result
        except AssertionError as failure:
            last = failure
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s} s; the last result was {last!r}")
        time.sleep(_POLL_S)
