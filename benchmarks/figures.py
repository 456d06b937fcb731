"""What is measured: a program returns samples of figures; a figure says how they are summed up."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.peers import Peer


class Unit(StrEnum):
    """What a sample counts."""

    SECONDS = "s"
    PER_SECOND = "/s"
    BYTES = "B"
    TIMES = "×"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table. `goal`: the value for Groundfog, at most; for rates, at least."""

    name: str
    unit: Unit
    goal: float | None = None
    quantile: float = 0.5

    def value(self, samples: Sequence[float]) -> float:
        """Return the median of `samples`, or the quantile asked for (0.95: the 95th percentile)."""
        if self.quantile == 0.5:
            return statistics.median(samples)
        return sorted(samples)[math.ceil(self.quantile * len(samples)) - 1]

    def advantage(self, ours: Sequence[float], theirs: Sequence[float]) -> float | None:
        """Return how many times better `ours` is: 2.0 is twice as fast, or half as large."""
        better, worse = self.value(ours), self.value(theirs)
        if self.unit is not Unit.PER_SECOND:
            better, worse = worse, better
        return better / worse if worse > 0 and better > 0 else None


@dataclass(frozen=True, slots=True)
class Program:
    """One benchmark. `measure` starts the peer itself and returns samples by the figure's name."""

    figures: tuple[Figure, ...]
    repetitions: int
    measure: Callable[[Peer], Mapping[str, Sequence[float]]]
    for_engines: bool = False  # whether engines that are not dev servers can be measured too


@dataclass(frozen=True, slots=True)
class Measured:
    """The samples of one figure, by the peer's name."""

    figure: Figure
    samples: dict[str, list[float]]
