"""The functions of groups that SQLite lacks.

Source: docs/platform/analytics-sql.md, "Functions".
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from bindings.analytics.sql.tree import InvalidQuery


class Quantile:
    """`(level, value, weight)`: the value below which that part of all weight is."""

    def __init__(self) -> None:
        self._level = 0.5
        self._rows: list[tuple[float, float]] = []

    def step(self, level: float, value: float | None, weight: float) -> None:
        if not 0 <= level <= 1:
            raise InvalidQuery("the level of a quantile is between 0 and 1")
        self._level = level
        if value is not None and weight > 0:
            self._rows.append((value, weight))

    def finalize(self) -> float | None:
        rows = sorted(self._rows)
        wanted = self._level * sum(weight for _, weight in rows)
        seen = 0.0
        for value, weight in rows:
            seen += weight
            if seen >= wanted:
                return value
        return rows[-1][0] if rows else None


class ArgMax:
    """`(value, key)`: the value beside the largest key."""

    sign = 1

    def __init__(self) -> None:
        self._best: tuple[Any, Any] | None = None

    def step(self, value: Any, key: Any) -> None:
        if key is not None and (self._best is None or self._is_better(key, self._best[0])):
            self._best = key, value

    def finalize(self) -> Any:
        return None if self._best is None else self._best[1]

    def _is_better(self, key: Any, best: Any) -> bool:
        return bool(key > best if self.sign > 0 else key < best)


class ArgMin(ArgMax):
    """`(value, key)`: the value beside the smallest key."""

    sign = -1


class First:
    """The first value."""

    def __init__(self) -> None:
        self._value: Any = None
        self._has = False

    def step(self, value: Any) -> None:
        if not self._has:
            self._value, self._has = value, True

    def finalize(self) -> Any:
        return self._value


class Last:
    """The last value."""

    def __init__(self) -> None:
        self._value: Any = None

    def step(self, value: Any) -> None:
        self._value = value

    def finalize(self) -> Any:
        return self._value


class TopK:
    """`(count, value, weight)`: a JSON list of the most frequent values."""

    def __init__(self) -> None:
        self._count = 10
        self._seen: Counter[Any] = Counter()

    def step(self, count: int, value: Any, weight: float) -> None:
        if not 1 <= count <= 100:
            raise InvalidQuery("topK() gives 1 to 100 values")
        self._count = count
        self._seen[value] += weight  # type: ignore[assignment]

    def finalize(self) -> str:
        return json.dumps([value for value, _ in self._seen.most_common(self._count)])


AGGREGATES: dict[str, Any] = {
    "quantile": Quantile,
    "arg_max": ArgMax,
    "arg_min": ArgMin,
    "first": First,
    "last": Last,
    "top_k": TopK,
}
