"""Tagged JSON: everything structured clone carries survives, everything else is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.protocol import values
from emulator.protocol.values import (
    ErrorValue,
    MalformedValue,
    MapValue,
    NotCloneable,
    StreamValue,
    TooDeep,
    TooManyCopies,
    TypedArray,
)

dates = st.integers(-10_000_000_000_000, 200_000_000_000_000).map(
    lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(max_size=200),
    dates,
)
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(st.text(max_size=8), inner, max_size=5),
        st.dictionaries(st.sampled_from(["$date", "$ref", "$object"]), inner, max_size=1),
    ),
    max_leaves=20,
)


def _round_trip(value: Any) -> Any:
    return values.decode(values.encode(value))


@given(trees)
def test_every_value_comes_back_as_it_was(value: Any) -> None:
    assert _round_trip(value) == value


def _dumps(tree: Any) -> bytes:
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()


WRITERS: list[Callable[[Any], bytes]] = [_dumps, msgspec.json.Encoder().encode]  # the last: a host


@pytest.fixture(scope="module", params=WRITERS, ids=["guest", "host"])
def writer(request: pytest.FixtureRequest) -> Iterator[None]:
    values.write_with(request.param)
    yield
    values.write_with(WRITERS[-1])


@given(value=trees)
def test_either_writer_of_json_writes_every_value(writer: None, value: Any) -> None:
    written = values.encode(value)

    assert values.decode(written) == value


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "\U0001f600", "é\x7f\u2028"])
def test_either_writer_of_json_carries_every_text(writer: None, text: str) -> None:
    assert _round_trip({text: [text]}) == {text: [text]}


def test_a_set_with_what_no_set_takes_is_refused_wherever_it_stands() -> None:
    refused: list[Any] = [{frozenset()}, [{frozenset()}], {"a": {frozenset()}}]
    for value in refused:
        with pytest.raises(NotCloneable, match="a set with a frozenset.* a Set takes strings"):
            values.encode(value)


@given(st.sets(st.integers() | st.text()))
def test_sets_come_back_as_sets(value: set[Any]) -> None:
    assert _round_trip(value) == value


@given(st.binary(max_size=100))
def test_decoding_anything_raises_malformed_value_only(data: bytes) -> None:
    try:
        values.decode(data)
    except MalformedValue:
        pass


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["$date", "$bytes", "$typed", "$map", "$set", "$ref", "$error", "$object", "a"]
                ),
                inner,
                max_size=2,
            )
        ),
        max_leaves=10,
    )
)
def test_wrong_tags_raise_malformed_value_only(tree: Any) -> None:
    try:
        values.decode(json.dumps(tree).encode())
    except MalformedValue:
        pass


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"a": 1.5, "b": -0.0, "c": None}, b'{"a":1.5,"b":{"$number":"-0"},"c":null}'),
        ([0, 1.5, {"$a": []}, 0], b'[0,1.5,{"$object":{"$a":[]}},0]'),
        (
            {"x": {"$a": 1}, "y": {"$a": 1, "b": 2}},
            b'{"x":{"$object":{"$a":1}},"y":{"$a":1,"b":2}}',
        ),
    ],
)
def test_members_are_written_where_they_stand(value: Any, written: bytes) -> None:
    assert values.encode(value) == written
    assert values.decode(written) == value


def test_containers_are_nested_up_to_the_limit_and_no_further() -> None:
    deepest: Any = []
    for _ in range(values.DEPTH_MAX - 1):
        deepest = [deepest]

    assert values.encode(deepest) == b"[" * values.DEPTH_MAX + b"]" * values.DEPTH_MAX
    with pytest.raises(TooDeep, match="nested more than 1,024 deep"):
        values.encode([deepest])


def test_undefined_is_read_as_none() -> None:
    assert values.decode(b'[{"$undefined":1},{"a":{"$undefined":1}}]') == [None, {"a": None}]


@pytest.mark.parametrize(
    ("damaged", "path"),
    [
        (b'{"users":[1,{"score":{"$date":"x"}}]}', ("users", 1, "score")),
        (b'{"a":{"b":1},"c":{"$number":"one"}}', ("c",)),
        (b"[", ()),
    ],
)
def test_a_damaged_value_is_told_with_its_place(damaged: bytes, path: tuple[Any, ...]) -> None:
    with pytest.raises(MalformedValue, match="^not tagged JSON: ") as refused:
        values.decode(damaged)
    assert refused.value.path == path


def test_a_cycle_is_tied_again() -> None:
    value: dict[str, Any] = {"name": "loop"}
    value["self"] = [value]

    result = _round_trip(value)

    assert result["self"][0] is result


@pytest.mark.parametrize("shared", [[1], {"a": 1}, {1, 2}, MapValue([("a", 1)])])
def test_shared_references_stay_shared(shared: Any) -> None:
    first, second = _round_trip([shared, shared])

    assert first is second
    assert first == shared


@pytest.mark.parametrize(
    "make", [lambda n: [n], lambda n: {"n": n}, lambda n: {n}, lambda n: MapValue([("n", n)])]
)
def test_what_a_conversion_makes_anew_for_each_value_is_never_taken_for_shared(make: Any) -> None:
    """Nothing else keeps what was made, and Python gives its memory to the next at once."""
    made = values.encode([complex(n) for n in range(20)], lambda found: make(int(found.real)))

    assert values.decode(made) == [make(n) for n in range(20)]


@pytest.mark.parametrize(("shared", "containers"), [([], 4), ({}, 4), ({"a": []}, 7)])
def test_what_is_shared_is_written_anew_up_to_so_many_lists_and_dicts(
    shared: Any, containers: int
) -> None:
    value = [shared, shared, shared]

    assert json.loads(values.encode(value, copies_max=containers)) == value
    with pytest.raises(TooManyCopies, match=f"more than {containers - 1} lists and dicts"):
        values.encode(value, copies_max=containers - 1)


def test_nan_infinities_and_minus_zero_survive() -> None:
    nan, up, down, zero = _round_trip([math.nan, math.inf, -math.inf, -0.0])

    assert math.isnan(nan)
    assert (up, down) == (math.inf, -math.inf)
    assert math.copysign(1, zero) == -1


@pytest.mark.parametrize("whole", [0.0, 1.0, -1.0, 2.0**53 - 1, 1 - 2.0**53])
def test_a_whole_float_comes_back_as_an_int_because_javascript_has_one_number_type(
    whole: float,
) -> None:
    found = _round_trip(whole)

    assert (type(found), found) == (int, whole)


@pytest.mark.parametrize(
    "value",
    [
        ErrorValue("TypeError", "no"),
        MapValue([(1, "one"), ("two", [2])]),
        TypedArray("Float32Array", b"\0\0\x80?"),
        values.RegExpValue("a+", "gi"),
    ],
)
def test_javascript_only_values_survive(value: Any) -> None:
    assert _round_trip(value) == value


def test_lone_surrogates_of_javascript_strings_survive() -> None:
    assert _round_trip("\ud800") == "\ud800"


def test_what_cannot_be_cloned_is_named_with_its_place() -> None:
    with pytest.raises(NotCloneable, match=r"a complex at users\[1\]\.score could not be cloned"):
        values.encode({"users": [{}, {"score": 1j}]})


def test_a_long_place_is_shortened_in_the_middle() -> None:
    deep: Any = {"score": 1j}
    for _ in range(500):
        deep = [deep]

    with pytest.raises(NotCloneable) as refused:
        values.encode({"users": deep, "x" * 10_000: 1})

    assert refused.value.where.startswith("users[0][0][0]")
    assert refused.value.where.endswith("[0][0][0].score")
    assert len(refused.value.where) == 101
    assert refused.value.where.count("…") == 1


@pytest.mark.parametrize("key", [".hidden", "XX", "x" * 100])
def test_a_place_of_up_to_a_hundred_characters_is_told_as_it_is(key: str) -> None:
    with pytest.raises(NotCloneable) as refused:
        values.encode({key: 1j})

    assert refused.value.where == key


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({None: 1}, "the key None is a NoneType"),
        ({"a": {"b": [], (): 1}}, "the key () at a is a tuple"),
        ({"users": [[], {"b": {}, None: 1}]}, "the key None at users[1] is a NoneType"),
    ],
)
def test_a_refused_key_is_named_with_the_place_of_its_object(value: Any, told: str) -> None:
    with pytest.raises(NotCloneable) as refused:
        values.encode(value)
    assert str(refused.value) == f"{told}; object keys are strings"


class Level(IntEnum):
    """An int that is not of the type int."""

    LOW = 1
    HIGH = 2**53


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (2**53 - 1, b"9007199254740991"),
        (1 - 2**53, b"-9007199254740991"),
        (2**53, b'{"$bigint":"9007199254740992"}'),
        (-(2**53), b'{"$bigint":"-9007199254740992"}'),
        (Level.LOW, b"1"),
        (Level.HIGH, b'{"$bigint":"9007199254740992"}'),
    ],
)
def test_an_int_is_a_number_as_far_as_javascript_tells_them_apart(
    value: int, written: bytes
) -> None:
    assert values.encode(value) == written
    assert values.encode([value, {"a": value}]) == b'[%b,{"a":%b}]' % (written, written)


class Text(str):
    pass


class Data(bytes):
    pass


class Moment(datetime):
    pass


class Whole(int):
    pass


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Text("x"), b'"x"'),
        ({Text("k"): 1}, b'{"k":1}'),
        (Data(b"ab"), b'{"$bytes":"YWI="}'),
        (Moment(1970, 1, 1, 0, 0, 1, tzinfo=UTC), b'{"$date":1000}'),
        (Whole(2**53 - 1), b"9007199254740991"),
        (Whole(1 - 2**53), b"-9007199254740991"),
        (Whole(2**53), b'{"$bigint":"9007199254740992"}'),
        (Whole(-(2**53)), b'{"$bigint":"-9007199254740992"}'),
    ],
)
def test_a_value_of_a_derived_class_is_written_by_its_contents(value: Any, written: bytes) -> None:
    assert values.encode(value) == written
    assert values.encode([value]) == b"[%b]" % written


@pytest.mark.parametrize("digits", [600, 5_000])
def test_an_int_with_more_digits_than_python_writes_in_decimals_comes_back(digits: int) -> None:
    for value in (10**digits, -(10**digits)):
        assert _round_trip(value) == value


def test_bytes_are_read_by_the_tag_of_a_buffer_too() -> None:
    assert values.decode(b'{"$buffer":"YWI="}') == b"ab"


@pytest.mark.parametrize(
    ("damaged", "problem"),
    [
        (b'{"$bytes":"Y!WI="}', "Only base64 data is allowed"),
        (b'{"$ref":"x"}', r"\$ref with a str is not a tag"),
        (b'{"$ref":-1}', r"\$ref with a int is not a tag"),
        (b'{"$set":"x"}', r"\$set without a list$"),
        (b'{"$map":[1]}', "not tagged JSON"),
    ],
)
def test_the_error_of_a_damaged_tag_says_what_is_wrong(damaged: bytes, problem: str) -> None:
    with pytest.raises(MalformedValue, match=problem):
        values.decode(damaged)


def test_a_datetime_that_is_no_date_in_utc_is_refused_with_its_text() -> None:
    early = datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))

    with pytest.raises(NotCloneable) as refused:
        values.encode(early)

    assert str(refused.value) == (
        "the datetime 0001-01-01T00:00:00+01:00 could not be cloned:"
        " in UTC it is outside the years 1 to 9999"
    )


def test_the_index_of_a_place_counts_only_the_items_before_it() -> None:
    for value, place in (
        ({"a": [1, {"b": object()}]}, r"a\[1\]\.b"),
        ([[1], object()], r"\[1\]"),
        ([1, [object()]], r"\[1\]\[0\]"),
    ):
        with pytest.raises(NotCloneable, match=f"^a object at {place} could not be cloned$"):
            values.encode(value)


@pytest.mark.parametrize(("made", "written"), [(None, b"[null]"), (True, b"[true]"), (1, b"[1]")])
def test_a_conversion_may_make_what_json_has(made: Any, written: bytes) -> None:
    assert values.encode([object()], lambda _: made) == written


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (2**64, "18446744073709551616"),
        (1.0, "1"),
        (1.5, "1.5"),
        (0.0, "0"),
        (-0.0, "0"),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
    ],
)
def test_a_key_is_the_name_that_javascript_makes_of_it(key: Any, name: str) -> None:
    assert _round_trip({"before": 1, key: 2}) == {"before": 1, name: 2}


@pytest.mark.parametrize("size_bytes", [0, 3, 300, 30_000])
def test_bytes_count_as_many_as_they_are(size_bytes: int) -> None:
    data = bytes(size_bytes)

    assert values.size(values.encode(data)) == len('{"$bytes":""}') + size_bytes
    typed = values.encode(TypedArray("Int8Array", data))
    assert values.size(typed) == len('{"$typed":["Int8Array",""]}') + size_bytes
    both = values.encode([data, data])
    assert values.size(both) == len('[{"$bytes":""},{"$bytes":""}]') + 2 * size_bytes


def test_a_map_becomes_an_object_of_the_texts_of_its_keys_where_that_is_asked_for() -> None:
    pairs = [(1, "one"), ("two", [2]), (3, {"three": 3})]
    found = values.decode(values.encode(MapValue(pairs)), values.Shapes(new_map=dict))

    assert found == {"1": "one", "two": [2], "3": {"three": 3}}


def test_no_bytes_are_null() -> None:
    assert values.decode(b"") is None


@pytest.mark.parametrize("tag", ["$stored", "$stream"])
def test_a_stored_stream_is_read_by_the_tag_of_now_and_of_old_journals(tag: str) -> None:
    stored = values.decode(b'{"%b":[7,2,6,"abc"]}' % tag.encode())
    assert stored == StreamValue(7, 2, 6, "abc")
    assert values.encode(stored) == b'{"$stored":[7,2,6,"abc"]}'


def test_a_body_stands_where_the_stream_was_and_nowhere_without_one() -> None:
    payload = values.encode(["key", values.BODY])
    assert payload == b'["key",{"$body":1}]'
    shapes = values.Shapes(body=lambda: "the stream")
    assert values.decode(payload, shapes) == ["key", "the stream"]
    with pytest.raises(MalformedValue, match="no body follows"):
        values.decode(payload)
