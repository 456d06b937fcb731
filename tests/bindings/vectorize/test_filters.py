"""Metadata filters, compared with a plain reading of the documented rules."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindings.vectorize.columns import Column
from bindings.vectorize.errors import Refused
from bindings.vectorize.filters import key_of, lookup, parse_filter
from bindings.vectorize.index import Index
from bindings.vectorize.settings import IndexConfig
from bindings.vectorize.vectorize import Vectorize
from bindings.vectorize.vectors import parse_vectors

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


def matches(filter_: Mapping[str, Any], rows: list[Mapping[str, Any] | None]) -> list[bool]:
    """Which rows of metadata satisfy a filter, by columns."""
    verdicts = [True] * len(rows)
    for condition in parse_filter(filter_):
        column = Column()
        for place, row in enumerate(rows):
            column.set(place, key_of(lookup(row, condition.path)))
        accepted = column.accepted(condition, len(rows)).tolist()
        verdicts = [one and other for one, other in zip(verdicts, accepted, strict=True)]
    return verdicts


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


@given(
    st.dictionaries(keys, conditions, min_size=1, max_size=3),
    st.lists(metadata, min_size=1, max_size=8),
)
def test_a_filter_matches_what_the_plain_rules_match(
    filter_: dict[str, Any], stored: list[Mapping[str, Any] | None]
) -> None:
    assert matches(filter_, stored) == [model(filter_, row or {}) for row in stored]


@given(st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_parsing_refuses_or_accepts_and_never_breaks(value: Any) -> None:
    try:
        parse_filter(value)
    except Refused as refused:
        assert refused.text


@pytest.mark.parametrize(
    ("filter_", "stored", "expected"),
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
def test_the_documented_cases(filter_: dict[str, Any], stored: Any, expected: bool) -> None:
    assert matches(filter_, [stored]) == [expected]


def count(session: Session, index: Vectorize, filter_: dict[str, Any]) -> int:
    result = session.call(index, "query", [1], {"filter": filter_})
    return int(result["count"])


def test_only_properties_with_a_metadata_index_filter_and_the_rest_is_announced(
    session: Session,
) -> None:
    index = session.index(dimensions=1, metadata_indexes={"kind": "string", "n": "string"})
    session.call(
        index, "insert", [{"id": "a", "values": [1], "metadata": {"kind": "x", "other": 1, "n": 1}}]
    )

    assert count(session, index, {"kind": "x"}) == 1
    assert session.announcements == []
    assert count(session, index, {"n": 1}) == 0
    assert count(session, index, {"other": 1}) == 0
    assert len(session.announcements) == 1
    assert "create-metadata-index skills --property-name=other" in session.announcements[0]


def test_a_metadata_index_holds_only_what_is_written_after_it(session: Session) -> None:
    before = session.index(dimensions=1)
    vector = {"id": "a", "values": [1], "metadata": {"kind": "x"}}
    session.call(before, "insert", [vector])

    after = session.index(dimensions=1, metadata_indexes={"kind": "string"})

    assert count(session, after, {"kind": "x"}) == 0
    assert "until they are upserted again" in session.announcements[0]
    session.call(after, "upsert", [vector])
    assert count(session, after, {"kind": "x"}) == 1


def test_any_property_filters_where_the_configuration_says_so(session: Session) -> None:
    index = session.index(dimensions=1, filter_unindexed=True)
    session.call(index, "insert", [{"id": "a", "values": [1], "metadata": {"deep": {"n": 2}}}])

    assert count(session, index, {"deep.n": {"$gt": 1}}) == 1
    session.call(index, "insert", [{"id": "b", "values": [1], "metadata": {"deep": {"n": 3}}}])
    assert count(session, index, {"deep.n": {"$gt": 1}}) == 2
    assert session.announcements == []


changes = st.lists(
    st.tuples(st.booleans(), st.integers(0, 9), st.none() | st.integers(0, 3)), max_size=40
)


@settings(max_examples=25, deadline=None)
@given(changes)
def test_after_any_changes_a_filter_finds_what_a_dictionary_would(
    changes: list[tuple[bool, int, int | None]],
) -> None:
    with TemporaryDirectory() as directory:
        index = Index(
            Path(directory) / "i.sqlite", "i", IndexConfig(metadata_indexes={"n": "number"})
        )
        model: dict[str, int | None] = {}
        for is_put, number, value in changes:
            name = f"v{number}"
            if is_put:
                metadata = None if value is None else {"n": value}
                index.write("upsert", parse_vectors([vector(name, number, metadata)]))
                model[name] = value
            else:
                index.delete([name])
                model.pop(name, None)
            found = index.query([1.0], {"topK": 10, "filter": {"n": {"$gte": 1, "$lt": 3}}})
            wanted = sorted(name for name, n in model.items() if n is not None and 1 <= n < 3)
            assert sorted(match["id"] for match in found["matches"]) == wanted
        index.close()


def vector(name: str, number: int, metadata: Any) -> dict[str, Any]:
    return {"id": name, "values": [number + 1], "metadata": metadata}
