"""Exact search, compared with scoring every vector in plain Python."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindings.vectorize.search import METRICS, Matrix, sort_key
from bindings.vectorize.vectors import Vector, pack_values, unpack_values

numbers = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 0.5, 2.0]), st.floats(-1e30, 1e30), st.floats(-2, 2)
)
DIMENSIONS = 3
points = st.lists(numbers, min_size=DIMENSIONS, max_size=DIMENSIONS)


def score(metric: str, one: list[float], other: list[float]) -> float:
    product = math.fsum(a * b for a, b in zip(one, other, strict=True))
    if metric == "dot-product":
        return -product
    if metric == "euclidean":
        return math.dist(one, other)
    lengths = math.hypot(*one) * math.hypot(*other)
    return product / lengths if lengths else 0.0


@pytest.mark.parametrize("metric", METRICS)
@given(data=st.data())
def test_the_best_are_those_a_full_comparison_finds(metric: str, data: Any) -> None:
    stored = data.draw(st.lists(points, min_size=1, max_size=40))
    query = pack_values(data.draw(points), "query")
    top_k = data.draw(st.integers(1, 5))
    vectors = [Vector(f"{n:02}", pack_values(point, "v")) for n, point in enumerate(stored)]

    found = Matrix(DIMENSIONS, vectors).search(metric, query, top_k, None)

    wanted = unpack_values(query)
    exact = sorted(
        sort_key(metric, score(metric, unpack_values(v.values), wanted)) for v in vectors
    )
    assert [sort_key(metric, match.score) for match in found] == [
        pytest.approx(best, rel=1e-6, abs=1e-6) for best in exact[:top_k]
    ]
    order = [(sort_key(metric, match.score), match.id) for match in found]
    assert order == sorted(order)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.floats(-5, 5, width=32)), max_size=60)
)
def test_after_any_changes_it_holds_what_a_dictionary_would(
    changes: list[tuple[bool, int, float]],
) -> None:
    matrix = Matrix(1, [])
    model: dict[str, float] = {}

    for is_put, number, value in changes:
        if is_put:
            matrix.put([Vector(str(number), struct.pack("<f", value))])
            model[str(number)] = value
        else:
            matrix.remove([str(number)])
            model.pop(str(number), None)

    found = matrix.search("euclidean", struct.pack("<f", 0.0), 100, None)
    assert {match.id: match.score for match in found} == {
        id_: abs(value) for id_, value in model.items()
    }
