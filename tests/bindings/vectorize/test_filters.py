"""Metadata filters, compared with a plain reading of the documented rules."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindings.vectorize.filters import parse_filter

from .conftest import Session

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, -1.5]),
    st.sampled_from(["", "a", "b", "é", "1"]),
)
keys = st.sampled_from(["k", "l", "deep.k"])
conditions = st.one_of(
    scalars,
    st.fixed_dictionaries({"$eq": scalars}),
    st.fixed_dictionaries({"$ne": scalars}),
    st.fixed_dictionaries({"$in": st.lists(scalars, max_size=3)}),
    st.fixed_dictionaries({"$nin": st.lists(scalars, max_size=3)}),
    st.fixed_dictionaries({"$gte": st.integers(-3, 3)}, optional={"$lt": st.integers(-3, 3)}),
    st.fixed_dictionaries(
        {"$gt": st.sampled_from(["", "a"])}, optional={"$lte": st.sampled_from(["b", "é"])}
    ),
)
metadata = st.fixed_dictionaries(
    {},
    optional={
        "k": scalars,
        "l": st.one_of(scalars, st.lists(st.just("a"), max_size=2)),
        "deep": st.fixed_dictionaries({}, optional={"k": scalars}),
    },
)

COMPARE = {"$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le}


def same(one: Any, other: Any) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def model(filter_: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    """The rules read plainly, one property at a time."""
    for path, wanted in filter_.items():
        value: Any = stored
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        value = None if isinstance(value, list) else value
        tests = wanted if isinstance(wanted, dict) else {"$eq": wanted}
        for name, operand in tests.items():
            if name in ("$eq", "$ne"):
                holds = same(value, operand) == (name == "$eq")
            elif name in ("$in", "$nin"):
                holds = any(same(value, item) for item in operand) == (name == "$in")
            else:
                comparable = isinstance(value, str) == isinstance(operand, str)
                is_scalar = isinstance(value, int | float | str) and not isinstance(value, bool)
                holds = comparable and is_scalar and COMPARE[name](value, operand)
            if not holds:
                return False
    return True


@given(st.dictionaries(keys, conditions, min_size=1, max_size=3), metadata)
def test_a_filter_matches_what_the_plain_rules_match(
    filter_: dict[str, Any], stored: dict[str, Any]
) -> None:
    parsed = parse_filter(filter_, {})

    assert parsed is not None
    assert parsed.matches(stored) == model(filter_, stored)


@given(st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_parsing_refuses_or_accepts_and_never_breaks(value: Any) -> None:
    from bindings.vectorize.errors import Refused

    try:
        parse_filter(value, {})
    except Refused as refused:
        assert refused.text


@pytest.mark.parametrize(
    ("filter_", "stored", "matches"),
    [
        ({"s": "x" * 70}, {"s": "x" * 64 + "different"}, True),
        ({"flag": 1}, {"flag": True}, False),
        ({"n": {"$gt": 1, "$lte": 3}}, {"n": 3}, True),
        ({"n": {"$gt": 1, "$lte": 3}}, {"n": 1}, False),
        ({"missing": {"$ne": "x"}}, {}, True),
        ({"missing": {"$nin": ["x"]}}, None, True),
        ({"missing": None}, {}, True),
        ({"missing": {"$gt": 0}}, {}, False),
    ],
)
def test_the_documented_cases(filter_: dict[str, Any], stored: Any, matches: bool) -> None:
    parsed = parse_filter(filter_, {})

    assert parsed is not None
    assert parsed.matches(stored) is matches


def test_with_metadata_indexes_only_those_filter_and_the_rest_is_announced(
    session: Session,
) -> None:
    index = session.index(dimensions=1, metadata_indexes={"kind": "string", "n": "string"})
    session.call(
        index, "insert", [{"id": "a", "values": [1], "metadata": {"kind": "x", "other": 1, "n": 1}}]
    )

    def count(filter_: dict[str, Any]) -> int:
        result = session.call(index, "query", [1], {"filter": filter_})
        return int(result["count"])

    assert count({"kind": "x"}) == 1
    assert session.announcements == []
    assert count({"n": 1}) == 0
    assert count({"other": 1}) == 0
    assert len(session.announcements) == 1
    assert "create-metadata-index skills --property-name=other" in session.announcements[0]
