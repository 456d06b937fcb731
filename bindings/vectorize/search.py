"""Exact nearest-neighbour search over a float32 matrix in memory.

A cache of the store and nothing more: it is filled at the first query and then told of every
change. It imports NumPy, so `index.py` imports this module at the first query, not before.

Theory of operation. One matrix product scores every row in float32, whose rounding depends on
the machine and on a row's place in the matrix. So it only selects: the rows that can be among
the best, given the largest error it can have made. Those few are scored again in float64, row
by row, rounded to float32 and ordered, ties by id. The answer is the same on every machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy
from numpy.typing import NDArray

from bindings.vectorize.vectors import Vector

Floats = NDArray[numpy.float32]
METRICS: Final = ("cosine", "euclidean", "dot-product")

FLOAT32_EPSILON = 2.0**-23
FLOAT32_TINY = 2.0**-126
FIRST_CAPACITY = 64


def sort_key(metric: str, score: float) -> float:
    """Return a number that is smaller the better `score` is.

    cosine: similarity, −1 to 1, the largest is best. euclidean: distance, the smallest is best.
    dot-product: the negative product, the smallest is best.
    Source: developers.cloudflare.com/vectorize/best-practices/create-indexes (distance metrics).
    """
    return -score if metric == "cosine" else score


@dataclass(frozen=True, slots=True)
class Match:
    """One result, best first in a list of them."""

    id: str
    score: float
    namespace: str | None
    metadata: Mapping[str, Any] | None


Accepts = Callable[[str | None, Mapping[str, Any] | None], bool]


class Matrix:
    """Every vector of one index, ready to be searched. Used from one thread at a time."""

    def __init__(self, dimensions: int, vectors: Iterable[Vector]) -> None:
        self.dimensions = dimensions
        self._rows: dict[str, int] = {}
        self._ids: list[str] = []
        self._labels: list[tuple[str | None, Mapping[str, Any] | None]] = []
        self._values: Floats = numpy.empty((FIRST_CAPACITY, dimensions), numpy.float32)
        self._norms: Floats = numpy.empty(FIRST_CAPACITY, numpy.float32)
        self.put(vectors)

    def put(self, vectors: Iterable[Vector]) -> None:
        """Add vectors, replacing those with the same id."""
        for vector in vectors:
            row = self._rows.get(vector.id)
            if row is None:
                row = self._append(vector.id)
            values = numpy.frombuffer(vector.values, "<f4")
            self._values[row] = values
            self._norms[row] = numpy.linalg.norm(values.astype(numpy.float64))
            metadata = None if vector.metadata is None else json.loads(vector.metadata)
            self._labels[row] = (vector.namespace, metadata)

    def _append(self, id_: str) -> int:
        row = len(self._ids)
        if row == len(self._values):
            self._values = numpy.concatenate([self._values, numpy.empty_like(self._values)])
            self._norms = numpy.concatenate([self._norms, numpy.empty_like(self._norms)])
        self._rows[id_] = row
        self._ids.append(id_)
        self._labels.append((None, None))
        return row

    def remove(self, ids: Iterable[str]) -> None:
        """Forget vectors; the last row moves into each gap."""
        for id_ in ids:
            row = self._rows.pop(id_, None)
            if row is None:
                continue
            last_id, last_label = self._ids.pop(), self._labels.pop()
            if last_id == id_:
                continue
            last = self._rows[last_id]
            self._rows[last_id] = row
            self._ids[row], self._labels[row] = last_id, last_label
            self._values[row], self._norms[row] = self._values[last], self._norms[last]

    def values(self, id_: str) -> list[float]:
        """Return the values of a vector that is here."""
        found: list[float] = self._values[self._rows[id_]].tolist()
        return found

    def search(self, metric: str, query: bytes, top_k: int, accepts: Accepts | None) -> list[Match]:
        """Return the `top_k` best of the vectors whose namespace and metadata are accepted."""
        rows = numpy.arange(len(self._ids))
        if accepts is not None:
            rows = numpy.array([r for r in rows.tolist() if accepts(*self._labels[r])], numpy.intp)
        if not len(rows):
            return []
        wanted = numpy.frombuffer(query, "<f4").astype(numpy.float32)
        candidates = rows[self._select(metric, wanted, rows, top_k)]
        scores = self._score(metric, wanted, candidates)
        ranked = sorted(
            (sort_key(metric, score), self._ids[row], score, row)
            for row, score in zip(candidates.tolist(), scores, strict=True)
        )
        return [Match(id_, score, *self._labels[row]) for _, id_, score, row in ranked[:top_k]]

    def _select(self, metric: str, query: Floats, rows: NDArray[Any], top_k: int) -> NDArray[Any]:
        """Return the places in `rows` of everything that can be among the `top_k` best."""
        everything = numpy.arange(len(rows))
        if len(rows) <= 2 * top_k:
            return everything
        count = len(self._ids)
        values, norms = self._values[:count], self._norms[:count]
        with numpy.errstate(over="ignore", invalid="ignore"):
            closeness = (values @ query)[rows]
            norms = norms[rows]
            length = numpy.float32(numpy.linalg.norm(query.astype(numpy.float64)))
            error = norms * length
            if metric == "euclidean":
                closeness = closeness - norms * norms / 2
                error = error + norms * norms + length * length
            error = error * numpy.float32(4 * self.dimensions * FLOAT32_EPSILON)
            error = error + numpy.float32(self.dimensions * FLOAT32_TINY)  # lost to underflow
            if metric == "cosine":
                norms = numpy.where(norms == 0, numpy.float32(1), norms)
                closeness, error = closeness / norms, error / norms
            lowest, highest = closeness - error, closeness + error
        if not (numpy.isfinite(lowest).all() and numpy.isfinite(highest).all()):
            return everything  # enormous values: float32 products overflow, float64 ones do not
        return numpy.flatnonzero(highest >= numpy.partition(lowest, -top_k)[-top_k])

    def _score(self, metric: str, query: Floats, rows: NDArray[Any]) -> Sequence[float]:
        exact = self._values[rows].astype(numpy.float64)
        wanted = query.astype(numpy.float64)
        if metric == "euclidean":
            scores = numpy.sqrt(((exact - wanted) ** 2).sum(axis=1))
        elif metric == "dot-product":
            scores = -(exact * wanted).sum(axis=1)
        else:
            lengths = numpy.sqrt((exact * exact).sum(axis=1) * (wanted * wanted).sum())
            products = (exact * wanted).sum(axis=1)
            # A vector of length zero has no direction: similarity 0 to everything.
            scores = numpy.divide(
                products, lengths, out=numpy.zeros_like(products), where=lengths > 0
            )
        with numpy.errstate(over="ignore"):
            rounded = scores.astype(numpy.float32)
        result: list[float] = numpy.where(numpy.isfinite(rounded), rounded, scores).tolist()
        return [score + 0.0 for score in result]  # -0.0 becomes 0.0
