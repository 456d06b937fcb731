"""Whether what something costs grows in step with what it is given.

Measured in CPU time of the thread, at one size and at eight times that size: what is linear costs
some 8 times as much, what is quadratic 64 times. The limit lies far from both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

SIZE = 2_500
FACTOR = 8
LIMIT = 30
NOTHING_S = 0.003  # less than this cannot be measured, and does no harm
ROUNDS = 3


def check_growth(action: Callable[[T], object], make: Callable[[int], T], size: int = SIZE) -> None:
    """Fail unless `action(make(n))` costs about as many times more as `n` is larger."""
    small = large = float("inf")
    for _ in range(ROUNDS):  # again only when it looks bad: other work disturbs the measure
        large = min(large, _cost_s(action, make(size * FACTOR)))
        if large < NOTHING_S:
            return
        small = min(small, _cost_s(action, make(size)))
        if large < LIMIT * max(small, NOTHING_S / FACTOR):
            return
    raise AssertionError(
        f"{FACTOR} times as much took {large / small:.0f} times as long ({large:.3f} s)"
    )


def _cost_s(action: Callable[[T], object], given: T) -> float:
    began = time.thread_time()
    action(given)
    return time.thread_time() - began
