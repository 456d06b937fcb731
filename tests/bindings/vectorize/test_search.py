"""Choosing candidates, compared with scoring every vector."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bindings.vectorize.search import METRICS, Matrix, centre_of, exact_scores, sort_key

numbers = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 0.5, 2.0, 3.4e38, 1e-42]),
    st.floats(-1e30, 1e30),
    st.floats(-2, 2),
)
DIMENSIONS = 3
points = st.lists(numbers, min_size=DIMENSIONS, max_size=DIMENSIONS)


def best(metric: str, query: NDArray[Any], values: NDArray[Any], rows: list[int], k: int) -> Any:
    """The scores of the `k` best of `rows`, all of them scored."""
    scores = exact_scores(metric, query, values[rows]) if rows else []
    return sorted(sort_key(metric, score) for score in scores)[:k]


@pytest.mark.parametrize("metric", METRICS)
@given(data=st.data())
def test_the_best_are_always_among_the_candidates(metric: str, data: Any) -> None:
    stored = numpy.array(
        data.draw(st.lists(points, min_size=1, max_size=40)), numpy.float32
    ).reshape(-1, DIMENSIONS)
    query = numpy.array(data.draw(points), numpy.float32)
    top_k = data.draw(st.integers(1, 5))
    centred = data.draw(st.booleans())
    mask = data.draw(
        st.none() | st.lists(st.booleans(), min_size=len(stored), max_size=len(stored))
    )
    matrix = Matrix(DIMENSIONS, centre_of(stored) if centred else None)
    matrix.append(stored)

    found = matrix.candidates(
        metric, query, top_k, None if mask is None else numpy.array(mask, numpy.bool_)
    ).tolist()

    eligible = [row for row in range(len(stored)) if mask is None or mask[row]]
    assert set(found) <= set(eligible)
    assert best(metric, query, stored, found, top_k) == best(metric, query, stored, eligible, top_k)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_of_many_vectors_few_are_candidates(metric: str, offset: float) -> None:
    random = numpy.random.default_rng(7)
    stored = random.standard_normal((20_000, 64), numpy.float32) * 0.1 + numpy.float32(offset)
    query = random.standard_normal(64, numpy.float32) * 0.1 + numpy.float32(offset)
    matrix = Matrix(64, centre_of(stored))
    matrix.append(stored)

    found = matrix.candidates(metric, query, 10, None).tolist()

    assert best(metric, query, stored, found, 10) == best(
        metric, query, stored, list(range(len(stored))), 10
    )
    assert len(found) < 200


def test_rows_are_found_on_both_sides_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bindings.vectorize.search.BLOCK_BYTES", 4)
    matrix = Matrix(1)
    values = numpy.arange(30, dtype=numpy.float32).reshape(-1, 1)
    for start in range(0, 30, 6):
        matrix.append(values[start : start + 6])
    matrix.replace(29, numpy.array([-5], numpy.float32))
    matrix.remove_last(to=3)

    query = numpy.array([1], numpy.float32)
    worst = matrix.candidates("dot-product", query, 1, None).tolist()
    masked = numpy.zeros(29, numpy.bool_)
    masked[[3, 10, 11, 12]] = True

    assert 28 in worst  # the largest product is left in the last row
    assert 3 not in worst  # row 29, made negative, moved here
    assert 12 in matrix.candidates("dot-product", query, 1, masked).tolist()
