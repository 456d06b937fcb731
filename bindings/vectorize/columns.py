"""The values that filters compare, in memory: one column per property.

A column gives each different value a number, and stores the numbers row by row. So a condition is
decided once per different value, and then looked up for all rows at once. It imports NumPy.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from heapq import merge
from typing import Any

import numpy
from numpy.typing import NDArray

from bindings.vectorize.filters import MISSING, Condition, Key

Mask = NDArray[numpy.bool_]
_FIRST_CAPACITY = 64
_RUN = 20_000  # values sorted at a time, about 10 ms
_MISSING_CODE = 0


class Column:
    """One property of every row. A row that was never set does not have the property."""

    def __init__(self) -> None:
        self._codes: NDArray[numpy.int32] = numpy.zeros(_FIRST_CAPACITY, numpy.int32)
        self._code_of: dict[Key, int] = {MISSING: _MISSING_CODE}
        self._sorted: dict[str, tuple[list[Any], NDArray[numpy.int32]]] = {}

    def set(self, row: int, key: Key) -> None:
        """Give `row` this value."""
        if row >= len(self._codes):
            more = numpy.zeros(max(row + 1, 2 * len(self._codes)), numpy.int32)
            more[: len(self._codes)] = self._codes
            self._codes = more
        code = self._code_of.get(key)
        if code is None:
            code = self._code_of[key] = len(self._code_of)
            self._sorted.pop(key[0], None)
        self._codes[row] = code

    def move(self, row: int, to: int) -> None:
        """Give `to` the value of `row`, and remove it from `row`."""
        self.set(to, MISSING)  # makes room
        if row < len(self._codes):
            self._codes[to], self._codes[row] = self._codes[row], _MISSING_CODE

    def accepted(self, condition: Condition, count: int) -> Mask:
        """Return, for each of the first `count` rows, whether it satisfies `condition`."""
        verdicts = self._verdicts(condition)
        codes = self._codes[:count]
        if len(codes) < count:
            codes = numpy.concatenate([codes, numpy.zeros(count - len(codes), numpy.int32)])
        found: Mask = verdicts[codes]
        return found

    def _verdicts(self, condition: Condition) -> Mask:
        """Return whether the condition holds, by code."""
        verdicts: Mask = numpy.zeros(len(self._code_of), numpy.bool_)
        match condition.operator:
            case "$eq" | "$in" | "$ne" | "$nin":
                for key in condition.keys:
                    code = self._code_of.get(key)
                    if code is not None:
                        verdicts[code] = True
                if condition.operator in ("$ne", "$nin"):
                    verdicts = ~verdicts
            case _:
                verdicts[self._in_range(condition)] = True
        return verdicts

    def _in_range(self, condition: Condition) -> NDArray[numpy.int32]:
        """Return the codes of the values on the right side of a bound, of the bound's type."""
        kind, bound = condition.keys[0]
        if kind not in self._sorted:
            ordered = _sorted_in_steps(
                [(key[1], code) for key, code in self._code_of.items() if key[0] == kind]
            )
            codes = numpy.array([code for _, code in ordered], numpy.int32)
            self._sorted[kind] = ([value for value, _ in ordered], codes)
        values, codes = self._sorted[kind]
        match condition.operator:
            case "$gt":
                return codes[bisect_right(values, bound) :]
            case "$gte":
                return codes[bisect_left(values, bound) :]
            case "$lt":
                return codes[: bisect_left(values, bound)]
            case _:
                return codes[: bisect_right(values, bound)]


def _sorted_in_steps(values: list[tuple[Any, int]]) -> list[tuple[Any, int]]:
    """Return `values` in order; sorting hundreds of thousands at once blocks other threads."""
    runs = [sorted(values[at : at + _RUN]) for at in range(0, len(values), _RUN)]
    return runs[0] if len(runs) == 1 else list(merge(*runs))
