"""What the guest's conversion makes of Python values, and what it refuses."""

from __future__ import annotations

import array
import ctypes
import enum
import math
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.guest.python import conversion
from emulator.guest.python.sdk.jsdict import JsDict
from emulator.guest.python.sdk.pyodide.ffi import JsException
from emulator.protocol import values
from emulator.protocol.values import DEPTH_MAX, MalformedValue


class Status(str, enum.Enum):  # noqa: UP042  # not the same: its str() is "Status.PAID"
    PAID = "paid"


class Level(int, enum.Enum):
    HIGH = 3


class Ratio(float, enum.Enum):
    HALF = 0.5


class Raw(bytes):
    def __str__(self) -> str:
        return "no"


class Loud(str):
    def __str__(self) -> str:
        return "LOUD"


class Names(list[Any]):
    pass


class Record(dict[str, Any]):
    pass


def nested(depth: int, make: Any = lambda inner: [inner]) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = make(value)
    return value


def depth_of(value: Any) -> int:
    depth = 0
    while isinstance(value, list | dict):
        value = value[0] if isinstance(value, list) else next(iter(value.values()))
        depth += 1
    return depth


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Status.PAID, "paid"),
        (Loud("quiet"), "quiet"),
        (Level.HIGH, 3),
        (Ratio.HALF, 0.5),
        (Raw(b"abc"), b"abc"),
        (Names(["a", Status.PAID]), ["a", "paid"]),
        (Record(status=Status.PAID), {"status": "paid"}),
        ({Status.PAID: 1, Level.HIGH: 2, 1.0: 3}, {"paid": 1, "3": 2, "1": 3}),
        ({Status.PAID, Level.HIGH}, {"paid", 3}),
    ],
)
def test_members_of_enums_and_subclasses_cross_as_their_contents(value: Any, expected: Any) -> None:
    back = conversion.copy(value)

    assert back == expected
    assert type(back) in (str, int, float, memoryview, list, JsDict, set)


@pytest.mark.parametrize(
    ("made", "format"),
    [(array.array(code, [1, 2]), code) for code in "bBhHiIqQfd"]
    + [
        (array.array("l", [1, 2]), "q" if array.array("l").itemsize == 8 else "i"),
        (array.array("L", [1, 2]), "Q" if array.array("L").itemsize == 8 else "I"),
        (memoryview(array.array("f", [1, 2])), "f"),
        (memoryview(array.array("h", [1, 9, 2, 9]))[::2], "h"),
        (memoryview(b"\1\2").cast("c"), "B"),
        ((ctypes.c_int16 * 2)(1, 2), "h"),
        ((ctypes.c_double * 2)(1, 2), "d"),
        (np.array([1, 2], "f4"), "f"),
        (np.array([1, 2], "f8"), "d"),
        (np.array([1, 2], "u1"), "B"),
        (np.array([1, 2], "i8"), "q"),
        (np.array([1, 2], ">i4"), "i"),
        (np.array([1, 2], ">f8"), "d"),
        (np.array([[1, 8], [2, 9]], "f4")[:, 0], "f"),
        (np.array([2, 1], "i2")[::-1], "h"),
    ],
)
def test_what_has_a_buffer_comes_back_as_a_view_of_its_format(made: Any, format: str) -> None:
    back = conversion.copy({"v": made})["v"]

    assert (type(back), back.format, back.tolist()) == (memoryview, format, [1, 2])


def test_arrays_of_no_elements_and_of_booleans_cross() -> None:
    assert conversion.copy(array.array("f")).tolist() == []
    assert conversion.copy(np.array([True, False])) == [True, False]


def test_an_array_of_two_dimensions_is_a_list_of_rows() -> None:
    rows = conversion.copy(np.array([[1, 2], [3, 4], [5, 6]], "f4"))

    assert [row.tolist() for row in rows] == [[1, 2], [3, 4], [5, 6]]
    assert {row.format for row in rows} == {"f"}


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (np.array([1], "f2"), "no Float16 support"),
        (np.array([1j]), "'Zd' of a buffer"),
        (np.array([(1, 2)], "i4,i4"), "of a buffer"),
        (np.array(["x"], object), "'O' of a buffer"),
        (array.array("u", "x"), "'w' of a buffer"),
        (np.array(5, "i4"), "int(), float() or bool()"),
        (np.float32(1.5), "int(), float() or bool()"),
        (np.array([1], "M8[s]"), '"ndarray"'),
    ],
)
def test_a_buffer_that_javascript_has_no_array_for_is_refused_with_its_place(
    made: Any, said: str
) -> None:
    with pytest.raises(JsException) as raised:
        conversion.encode({"a": [0, made]})

    assert said in str(raised.value)
    assert "(at a[1])" in str(raised.value)


@pytest.mark.parametrize("made", [(1, 2), bytearray(b"x")])
def test_tuples_and_bytearrays_are_refused_as_the_sdk_refuses_them(made: Any) -> None:
    with pytest.raises(TypeError, match=r"<class '\w+'> cannot be sent over RPC\."):
        conversion.encode([made])


@pytest.mark.parametrize(
    "member", [frozenset({1}), b"x", datetime(2026, 1, 1), (1, 2), np.float32(1)]
)
def test_a_set_takes_what_can_come_back_in_a_set(member: Any) -> None:
    with pytest.raises(JsException, match=r"a set with a \w+ at tags\[1\] could not be cloned"):
        conversion.encode({"tags": [0, {member}]})


LAST = datetime(9999, 12, 31, 23, 59, 59, 999000)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime.max, LAST),
        (datetime.max.replace(tzinfo=UTC), LAST),
        (datetime.min, datetime.min),
        (datetime.min.replace(tzinfo=UTC), datetime.min),
        (datetime(1, 1, 1, 12), datetime(1, 1, 1, 12)),
        (datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 1, 1, 10)),
    ],
)
@pytest.mark.usefixtures("utc")
def test_the_first_and_the_last_datetime_cross(moment: datetime, expected: datetime) -> None:
    assert conversion.copy({"expires": moment}) == {"expires": expected}


@pytest.mark.parametrize(
    "moment",
    [
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-8))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=8))),
    ],
)
def test_a_datetime_that_is_none_in_utc_is_refused_with_its_place(moment: datetime) -> None:
    with pytest.raises(JsException, match=r"at a\.expires .*outside the years 1 to 9999"):
        conversion.encode({"a": {"expires": moment}})


@pytest.mark.parametrize("ms", [253_402_300_800_001, -62_135_596_800_001, 8_640_000_000_000_000])
def test_a_date_that_python_has_none_for_is_an_error_and_no_other_date(ms: int) -> None:
    with pytest.raises(MalformedValue, match="years 1 to 9999"):
        conversion.decode(b'[{"$date":%d}]' % ms)


def test_what_was_recorded_of_datetime_max_by_earlier_versions_is_read() -> None:
    assert conversion.decode(b'{"$date":253402300800000}') == LAST


@pytest.fixture
def utc() -> Iterator[None]:
    """Local time is UTC, as in a guest."""
    yield from _zone("UTC")


@pytest.fixture(params=["UTC", "America/Los_Angeles", "Asia/Tokyo", "Europe/Berlin"])
def zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """Local time is each of these in turn."""
    yield from _zone(request.param)


def _zone(name: str) -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("zone")
def test_every_datetime_that_is_written_is_read_in_every_zone() -> None:
    @given(st.datetimes(timezones=st.none() | st.just(UTC)))
    def crosses(moment: datetime) -> None:
        back = conversion.copy(moment)

        assert conversion.encode(back) == conversion.encode(moment)
        if moment.tzinfo is not None:
            host = values.decode(conversion.encode(moment))
            assert abs(host - moment) <= timedelta(milliseconds=1)

    crosses()


@pytest.mark.parametrize("make", [lambda x: [x], lambda x: {"k": x}, lambda x: {"$ref": x}])
@pytest.mark.parametrize("depth", [1, 326, 400, 600, 900, 1_000, DEPTH_MAX])
def test_what_is_nested_up_to_the_limit_crosses_and_is_read_by_the_host(
    make: Any, depth: int
) -> None:
    encoded = conversion.encode(nested(depth, make))

    assert depth_of(conversion.decode(encoded)) == depth
    assert depth_of(values.decode(encoded)) == depth
    assert values.encode(values.decode(encoded)) == encoded


@pytest.mark.parametrize("depth", [DEPTH_MAX + 1, 5_000, 100_000])
def test_what_is_nested_deeper_is_refused_with_its_place(depth: int) -> None:
    with pytest.raises(JsException, match=r"more than 1,024 deep at a\[0\]\[0\].*…"):
        conversion.encode({"a": nested(depth)})


def test_the_limit_does_not_depend_on_how_much_of_the_stack_is_used() -> None:
    def deeper(calls: int) -> int:
        return deeper(calls - 1) if calls else depth_of(conversion.copy(nested(1_000)))

    assert deeper(600) == 1_000


def test_text_that_nests_deeper_than_any_value_is_malformed() -> None:
    with pytest.raises(MalformedValue, match="nested too deeply"):
        conversion.decode(b"[" * 50_000 + b"]" * 50_000)


def test_what_stands_twice_may_be_nested_as_deeply_as_anything_else() -> None:
    shared = nested(1_000)

    first, second = conversion.copy([shared, shared])

    assert depth_of(first) == depth_of(second) == 1_000


def test_integers_of_any_size_cross() -> None:
    for value in (2**53, -(2**53), 10**5_000, -(10**5_000)):
        assert conversion.copy(value) == value


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(max_size=50),
    st.datetimes(timezones=st.just(UTC)),
    st.sets(st.none() | st.text() | st.integers() | st.floats(allow_nan=False)),
    st.sampled_from("bBhHiIqQfd").map(lambda code: array.array(code, [1, 2, 3])),
)
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=5), inner, max_size=4),
        st.dictionaries(st.sampled_from(["$date", "$ref", "$object", "$"]), inner, max_size=2),
        inner.map(lambda shared: [shared, shared]),
    ),
    max_leaves=15,
)


@given(trees, st.integers(0, 200))
def test_whatever_is_written_is_read_on_both_sides_and_stays_as_it_is(
    tree: Any, depth: int
) -> None:
    encoded = conversion.encode(nested(depth, lambda inner: [inner, tree]))

    # As the host reads them: the order within a set is nobody's.
    read = values.decode(encoded)
    assert values.decode(conversion.encode(conversion.decode(encoded))) == read
    assert values.decode(values.encode(read)) == read


@given(st.lists(st.binary(max_size=40) | st.just(b"")))
def test_bytes_count_as_bytes_against_limits(parts: list[bytes]) -> None:
    counted = values.size(conversion.encode(parts))

    exact = sum(map(len, parts))
    assert exact <= counted <= exact + 16 * len(parts) + 2


def test_infinities_stay_what_they_are_beside_empty_bytes() -> None:
    assert conversion.copy([b"", math.inf]) == [b"", math.inf]
