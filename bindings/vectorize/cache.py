"""One index in memory: 8-bit vectors and filterable values, place by place.

A cache of the store: filled from it once, then updated at every change. It has one place per
vector, without gaps. Its methods take and return the row numbers of the store. It imports NumPy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy
from numpy.typing import NDArray

from bindings.vectorize.columns import Column, Mask
from bindings.vectorize.filters import MISSING, Condition, Key, key_of, lookup
from bindings.vectorize.search import Floats, Matrix, centre_of
from bindings.vectorize.store import MetadataIndex, StoredVector

_CHUNK = 2048
_PARSED_CHARS = 512 * 1024  # of JSON at a time, some 5 ms


class Cache:
    """What a search needs of every vector of an index."""

    def __init__(
        self,
        dimensions: int,
        indexes: Mapping[str, MetadataIndex],
        stored: Iterable[StoredVector],
        *,
        any_property: bool,
    ) -> None:
        """`any_property`: filters may use properties without a metadata index, too."""
        self.dimensions = dimensions
        self._indexes = indexes
        self._any_property = any_property
        self._rows: list[int] = []
        self._place_of: dict[int, int] = {}
        self._namespaces = Column()
        self._columns = {path: Column() for path in indexes}
        self._matrix: Matrix | None = None
        vectors = iter(stored)
        while chunk := list(islice(vectors, _CHUNK)):
            self._append(chunk)

    def put(self, vectors: Iterable[StoredVector]) -> None:
        """Add vectors; one with the same row is replaced."""
        new: dict[int, StoredVector] = {}
        for vector in vectors:
            place = self._place_of.get(vector.row)
            if place is None:
                new[vector.row] = vector
            elif self._matrix is not None:
                self._matrix.replace(place, numpy.frombuffer(vector.values, "<f4"))
                self._label(place, [vector])
        if new:
            self._append(list(new.values()))

    def remove(self, rows: Iterable[int]) -> None:
        """Forget vectors; the last place moves into each gap."""
        for row in rows:
            place = self._place_of.pop(row, None)
            if place is None or self._matrix is None:
                continue
            last = len(self._rows) - 1
            self._matrix.remove_last(place)
            for column in (self._namespaces, *self._columns.values()):
                column.move(last, place) if last != place else column.set(place, MISSING)
            moved = self._rows.pop()
            if last != place:
                self._rows[place] = moved
                self._place_of[moved] = place

    def can_filter(self, path: str) -> bool:
        """Whether a filter on `path` works without calling `learn` first."""
        return path in self._columns or not self._any_property

    def learn(self, path: str, metadata: Iterable[tuple[int, str | None]]) -> None:
        """Let filters use a property without a metadata index; `metadata` is of every row."""
        column = self._columns[path] = Column()
        for row, text in metadata:
            place = self._place_of.get(row)
            if place is not None and text is not None:
                column.set(place, key_of(lookup(json.loads(text), path)))

    def candidates(
        self,
        metric: str,
        query: Floats,
        top_k: int,
        namespace: str | None,
        conditions: Sequence[Condition],
    ) -> list[int]:
        """Return the rows that may be among the best, of those that satisfy all conditions."""
        if self._matrix is None or not self._rows:
            return []
        mask = self._mask(namespace, conditions)
        places = self._matrix.candidates(metric, query, top_k, mask)
        return [self._rows[place] for place in places.tolist()]

    def _mask(self, namespace: str | None, conditions: Sequence[Condition]) -> Mask | None:
        count = len(self._rows)
        masks = [
            self._columns.get(condition.path, _EMPTY).accepted(condition, count)
            for condition in conditions
        ]
        if namespace is not None:
            wanted = Condition("", "$eq", (_namespace_key(namespace),))
            masks.append(self._namespaces.accepted(wanted, count))
        if not masks:
            return None
        mask = masks[0]
        for other in masks[1:]:
            mask = mask & other
        return mask

    def _append(self, vectors: list[StoredVector]) -> None:
        packed = b"".join(vector.values for vector in vectors)
        values: NDArray[Any] = numpy.frombuffer(packed, "<f4").reshape(-1, self.dimensions)
        if self._matrix is None:
            self._matrix = Matrix(self.dimensions, centre_of(values))
        self._matrix.append(values.astype(numpy.float32, copy=False))
        first = len(self._rows)
        self._rows += [vector.row for vector in vectors]
        for place, vector in enumerate(vectors, first):
            self._place_of[vector.row] = place
        self._label(first, vectors)

    def _label(self, first: int, vectors: Sequence[StoredVector]) -> None:
        """Note the filterable values of the vectors at the places from `first` on."""
        for place, vector in enumerate(vectors, first):
            namespace = vector.namespace
            self._namespaces.set(place, MISSING if namespace is None else _namespace_key(namespace))
        if not self._columns:
            return
        records = [record for part in _joined(vectors) for record in json.loads(part)]
        for path, column in self._columns.items():
            index = self._indexes.get(path)
            for place, (vector, metadata) in enumerate(zip(vectors, records, strict=True), first):
                column.set(place, _key(metadata, path, index, vector.written))


def _joined(vectors: Sequence[StoredVector]) -> Iterator[str]:
    """Yield the metadata of all vectors in JSON lists, as each start of the parser takes long.

    It is not one list: while a list is parsed, no other thread can run.
    """
    texts: list[str] = []
    size = 0
    for vector in vectors:
        texts.append(vector.metadata or "null")
        size += len(texts[-1])
        if size > _PARSED_CHARS:
            yield f"[{','.join(texts)}]"
            texts, size = [], 0
    yield f"[{','.join(texts)}]"


def _key(
    metadata: Mapping[str, Any] | None, path: str, index: MetadataIndex | None, written: int
) -> Key:
    key = key_of(lookup(metadata, path))
    return key if index is None or index.covers(key[0], written) else MISSING


def _namespace_key(namespace: str) -> Key:
    return ("string", namespace)


_EMPTY = Column()
