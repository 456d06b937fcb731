"""Exact nearest-neighbour search: 8-bit copies in memory choose the few vectors to read.

It is only a cache of the store: filled at the first query, then updated at every change. It imports
NumPy and SimSIMD, so `index.py` imports this module at the first query, not before.

Theory of operation. The cache stores each vector as its difference from a common centre, in whole
steps from -127 to 127. Each row has its own step, and the length of the part that rounding left
out. The query is rounded in the same way. The product of the two differs from the true product by
an error of known size (Cauchy-Schwarz). So the cache only selects: all rows that can be among the
best. These few are read from the file and scored in float64 (`exact_scores`), rounded to float32
and sorted, ties by id. The answer is the same on every machine; only the selection may differ.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy
import simsimd
from numpy.typing import NDArray

from bindings.vectorize.columns import Mask

Floats = NDArray[numpy.float32]
Doubles = NDArray[numpy.float64]
METRICS: Final = ("cosine", "euclidean", "dot-product")

BLOCK_BYTES = 16 * 1024 * 1024
CACHE_BYTES = 512 * 1024  # of vectors at a time: fits into a processor's cache
LEVELS = 127  # of an 8-bit number, above and below zero
FLOAT32_EPSILON = 2.0**-23
LARGE, SMALL = 1e15, 1e-15  # beyond these, squares are near the ends of float32's range


def sort_key(metric: str, score: float) -> float:
    """Return a number for sorting: the better `score` is, the smaller is the number.

    cosine: similarity, −1 to 1, the largest is best. euclidean: distance, the smallest is best.
    dot-product: the negative product, the smallest is best.
    Source: docs/platform/vectorize.md, "Metrics".
    """
    return -score if metric == "cosine" else score


def exact_scores(metric: str, query: Floats, values: Floats) -> list[float]:
    """Return the scores of the rows of `values`, rounded to float32 where they fit."""
    exact = values.astype(numpy.float64)
    wanted = query.astype(numpy.float64)
    if metric == "euclidean":
        scores = numpy.sqrt(((exact - wanted) ** 2).sum(axis=1))
    elif metric == "dot-product":
        scores = -(exact * wanted).sum(axis=1)
    else:
        lengths = numpy.sqrt((exact * exact).sum(axis=1) * (wanted * wanted).sum())
        products = (exact * wanted).sum(axis=1)
        # A vector of length zero has no direction: its similarity is 0.
        scores = numpy.divide(products, lengths, out=numpy.zeros_like(products), where=lengths > 0)
    with numpy.errstate(over="ignore"):
        rounded = scores.astype(numpy.float32)
    result: list[float] = numpy.where(numpy.isfinite(rounded), rounded, scores).tolist()
    return [score + 0.0 for score in result]  # -0.0 becomes 0.0


class Matrix:
    """All vectors of one index, 8 bits per value, row by row. Used from one thread at a time."""

    def __init__(self, dimensions: int, centre: Floats | None = None) -> None:
        """`centre`: any point; the nearer it is to the vectors, the fewer must be read."""
        self.dimensions = dimensions
        self.count = 0
        self._centre = numpy.zeros(dimensions, numpy.float32) if centre is None else centre
        self._block_rows = max(BLOCK_BYTES // dimensions, 1)
        self._blocks: list[NDArray[numpy.int8]] = []
        # Of each row: length of a step, of the row in steps, of the part left out, of the vector.
        self._facts: Doubles = numpy.empty((0, 4), numpy.float64)

    def append(self, values: Floats) -> None:
        """Add rows at the end."""
        first = self.count
        self.count += len(values)
        while len(self._blocks) * self._block_rows < self.count:
            self._blocks.append(numpy.empty((self._block_rows, self.dimensions), numpy.int8))
        if self.count > len(self._facts):
            more = numpy.empty((max(self.count, len(self._facts) * 5 // 4), 4), numpy.float64)
            more[:first] = self._facts[:first]
            self._facts = more
        part = max(CACHE_BYTES // (4 * self.dimensions), 1)
        for start in range(0, len(values), part):
            self._write(first + start, values[start : start + part])

    def replace(self, row: int, values: Floats) -> None:
        """Give an existing row other values."""
        self._write(row, values.reshape(1, -1))

    def remove_last(self, to: int) -> None:
        """Move the last row to row `to`."""
        last = self.count - 1
        self._row(to)[:] = self._row(last)
        self._facts[to] = self._facts[last]
        self.count = last

    def candidates(
        self, metric: str, query: Floats, top_k: int, mask: Mask | None
    ) -> NDArray[numpy.intp]:
        """Return all rows of `mask` that can be among the `top_k` best, perhaps some others."""
        rows = None if mask is None else numpy.flatnonzero(mask)
        count = self.count if rows is None else len(rows)
        if count <= 2 * top_k:
            return numpy.arange(self.count) if rows is None else rows
        wanted = query.astype(numpy.float64)
        length = float(numpy.linalg.norm(wanted))
        steps, step, rest = _in_steps(query)
        facts = self._facts[: self.count] if rows is None else self._facts[rows]
        products = self._products(steps[0], rows) * (facts[:, 0] * float(step[0]))
        error = float(rest[0]) * facts[:, 1] + length * facts[:, 2]
        places = self._select(metric, wanted, products, error, facts, top_k)
        # Once more with the exact query: now only the rounding of the rows is an error.
        facts = facts[places]
        chosen = places if rows is None else rows[places]
        cut = self._gather(chosen).astype(numpy.float64)
        places = self._select(
            metric, wanted, (cut @ wanted) * facts[:, 0], length * facts[:, 2], facts, top_k
        )
        found: NDArray[numpy.intp] = chosen[places]
        return found

    def _select(
        self,
        metric: str,
        wanted: Doubles,
        products: Doubles,
        error: Doubles,
        facts: Doubles,
        top_k: int,
    ) -> NDArray[numpy.intp]:
        """Return the places of the rows that can be among the best.

        `products`: of the query with the differences from the centre, with at most this `error`.
        """
        norms = facts[:, 3]
        length = float(numpy.linalg.norm(wanted))
        centre = self._centre.astype(numpy.float64)
        closeness = products + float(wanted @ centre)
        # The largest error of the float32 arithmetic.
        reach = norms + float(numpy.linalg.norm(centre))
        error = error + reach * (length * self.dimensions * 2 * FLOAT32_EPSILON)
        if metric == "euclidean":
            closeness = closeness - norms * norms / 2
            error = error + norms * norms * (self.dimensions * 2 * FLOAT32_EPSILON)
        elif metric == "cosine":
            divisor = numpy.where(norms == 0, 1.0, norms)
            closeness = numpy.where(norms == 0, 0.0, closeness / divisor)
            slack = length * self.dimensions * 2 * FLOAT32_EPSILON
            error = numpy.where(norms == 0, 0.0, error / divisor + slack)
        lowest = closeness - error
        threshold = numpy.partition(lowest, -top_k)[-top_k]
        return numpy.flatnonzero(closeness + error >= threshold)

    def _products(self, steps: NDArray[numpy.int8], rows: NDArray[numpy.intp] | None) -> Doubles:
        """Return the exact products of whole numbers, for all rows or for `rows`."""
        query = steps.reshape(1, -1)
        if rows is not None:
            return _dot(query, self._gather(rows))
        parts = []
        for number, block in enumerate(self._blocks):
            used = min(self.count - number * self._block_rows, self._block_rows)
            if used > 0:
                parts.append(_dot(query, block[:used]))
        return numpy.concatenate(parts)

    def _gather(self, rows: NDArray[numpy.intp]) -> NDArray[numpy.int8]:
        if len(self._blocks) == 1:
            return self._blocks[0][rows]
        gathered = numpy.empty((len(rows), self.dimensions), numpy.int8)
        number, place = numpy.divmod(rows, self._block_rows)
        for block in numpy.unique(number).tolist():
            here = number == block
            gathered[here] = self._blocks[block][place[here]]
        return gathered

    def _row(self, row: int) -> NDArray[numpy.int8]:
        number, place = divmod(row, self._block_rows)
        found: NDArray[numpy.int8] = self._blocks[number][place]
        return found

    def _write(self, first: int, values: Floats) -> None:
        steps, step, rest = _in_steps(values, self._centre)
        for offset in range(0, len(values), self._block_rows):
            self._store_steps(first + offset, steps[offset : offset + self._block_rows])
        facts = self._facts[first : first + len(values)]
        facts[:, 0] = step
        facts[:, 1] = step * _lengths(steps)
        facts[:, 2] = rest
        facts[:, 3] = _lengths(values)

    def _store_steps(self, first: int, steps: NDArray[numpy.int8]) -> None:
        number, place = divmod(first, self._block_rows)
        here = min(len(steps), self._block_rows - place)
        self._blocks[number][place : place + here] = steps[:here]
        if here < len(steps):
            self._blocks[number + 1][: len(steps) - here] = steps[here:]


def _in_steps(
    values: Floats, centre: Floats | None = None
) -> tuple[NDArray[numpy.int8], Doubles, Doubles]:
    """Return rows in whole steps, the length of a step, and the length of the part left out."""
    rows: Any = values.reshape(-1, values.shape[-1])
    if max(_largest(rows), 0.0 if centre is None else _largest(centre)) > LARGE:
        rows = rows.astype(numpy.float64)
    left = rows - (0 if centre is None else centre)
    exact = left.dtype.type
    step = numpy.maximum(left.max(axis=1), -left.min(axis=1)) / exact(LEVELS)
    divisor = numpy.where(step == 0, exact(1), step)[:, None]
    steps = left / divisor
    numpy.rint(steps, out=steps)
    numpy.clip(steps, -LEVELS, LEVELS, out=steps)
    whole = steps.astype(numpy.int8)
    steps *= divisor
    left -= steps
    return whole, step.astype(numpy.float64), _lengths(left)


def _largest(values: NDArray[Any]) -> float:
    return float(max(values.max(initial=0), -values.min(initial=0)))


def _lengths(values: NDArray[Any]) -> Doubles:
    """Return the length of each row, with a rounding error that `_select` allows for."""
    if values.dtype == numpy.int8:
        values = values.astype(numpy.float32)  # exact: squares of 8-bit numbers, summed
    with numpy.errstate(over="ignore", under="ignore"):
        found: Doubles = numpy.sqrt(numpy.einsum("ij,ij->i", values, values)).astype(numpy.float64)
    extreme = ~((found > SMALL) & (found < LARGE))
    if extreme.any():
        wide = values[extreme].astype(numpy.float64)
        found[extreme] = numpy.sqrt(numpy.einsum("ij,ij->i", wide, wide))
    return found


def _dot(query: NDArray[numpy.int8], block: NDArray[numpy.int8]) -> Doubles:
    found = simsimd.cdist(query, block, metric="dot")
    return numpy.asarray(found, numpy.float64).reshape(-1)


def centre_of(values: Floats) -> Floats:
    """Return the mean of rows as float32, or zero when it is out of range."""
    with numpy.errstate(over="ignore", invalid="ignore"):
        mean = values.mean(axis=0, dtype=numpy.float64)
    if not math.isfinite(float(numpy.abs(mean).max(initial=0))):
        return numpy.zeros(len(mean), numpy.float32)
    centre: Floats = mean.astype(numpy.float32)
    return centre
