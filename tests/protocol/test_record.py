"""Records: dataclasses whose `__init__` is made for the first object of each class."""

from __future__ import annotations

import dataclasses
from dataclasses import field
from typing import ClassVar

import pytest

from emulator.protocol.record import Record, record


@record
class Place(Record):
    """Where something is."""

    name: str
    line: int = 0
    tags: list[str] = field(default_factory=list)


@record
class Column(Place):
    """A more exact place."""

    KIND: ClassVar[str] = "column"

    column: int = 1


def test_the_first_object_is_made_as_all_others_are() -> None:
    first, second = Place("a", line=3), Place("a", line=3)

    assert (first.name, first.line, first.tags) == ("a", 3, [])
    assert first == second
    assert repr(first) == "Place(name='a', line=3, tags=[])"


def test_each_object_has_a_default_of_its_own() -> None:
    one, other = Place("a"), Place("b")
    one.tags.append("seen")

    assert other.tags == []


def test_a_record_takes_the_fields_of_the_one_it_inherits_from_and_its_own() -> None:
    Place("a")  # first: the initializer of the base must not become that of the other

    assert dataclasses.asdict(Column("a", 1, [], 7)) == {
        "name": "a",
        "line": 1,
        "tags": [],
        "column": 7,
    }
    assert Column("a", 1, [], 7).KIND == "column"


def test_records_of_two_classes_differ() -> None:
    assert Place("a") != Column("a")


def test_records_with_the_same_values_have_one_hash() -> None:
    @record
    class Point(Record):
        x: int
        y: int

    assert len({Point(1, 2), Point(1, 2), Point(2, 1)}) == 2


def test_a_record_has_no_other_attributes() -> None:
    with pytest.raises(AttributeError):
        Place("a").nmae = "b"  # type: ignore[attr-defined]


@pytest.mark.parametrize("times", [1, 2])
def test_a_missing_field_is_named_for_the_first_object_and_for_later_ones(times: int) -> None:
    @record
    class Lonely(Record):
        name: str

    for _ in range(times):
        with pytest.raises(TypeError, match=r"Lonely\.__init__\(\) missing .* 'name'"):
            Lonely()  # type: ignore[call-arg]


def test_a_field_can_be_replaced() -> None:
    assert dataclasses.replace(Column("a"), column=2) == Column("a", column=2)


def test_its_values_can_be_matched() -> None:
    match Column("a", 5):
        case Column(name, line=line):
            assert (name, line) == ("a", 5)
