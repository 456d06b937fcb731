"""Durations: exactly the documented grammar, and nothing else."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.durations import UNIT_MS, InvalidDuration, format_duration, parse_duration_ms


@pytest.mark.parametrize(
    ("value", "expected_ms"),
    [
        (0, 0),
        (1500, 1500),
        (1.9, 1),
        ("0 seconds", 0),
        ("1 second", 1_000),
        ("5 minutes", 300_000),
        ("1.5 hours", 5_400_000),
        ("2  days", 172_800_000),
        ("1 week", 604_800_000),
        ("1 month", 2_592_000_000),
        ("1 years", 31_557_600_000),
    ],
)
def test_the_documented_grammar_is_read(value: Any, expected_ms: int) -> None:
    assert parse_duration_ms(value) == expected_ms


@pytest.mark.parametrize(
    "value",
    ["5 min", "5m", "5", "", "minutes", "-1 day", "1 Day", "1 day ", " 1 day", "1 ms", "1e3 days"]
    + ["1,5 hours", "1. hours", ".5 hours", "1 day 2 hours", "1\tday", "1 day\n"]
    + [-1, -0.5, math.nan, math.inf, True, False, None, [], {}, b"1 day"],
)
def test_anything_else_is_refused_with_the_value_and_what_was_expected(value: Any) -> None:
    with pytest.raises(InvalidDuration) as caught:
        parse_duration_ms(value)

    shown = f'"{value}"' if isinstance(value, str) else repr(value)
    assert str(caught.value).startswith(f"{shown}; expected milliseconds or ")


@given(st.text() | st.from_regex(r"\A\d+(\.\d+)? [a-z]+\Z") | st.integers() | st.floats())
def test_reading_raises_nothing_but_its_own_error(value: Any) -> None:
    try:
        assert parse_duration_ms(value) >= 0
    except InvalidDuration:
        pass


@pytest.mark.parametrize("value", ["9" * 400 + " years", "1" + "0" * 307 + " years"])
def test_a_span_no_number_can_hold_is_refused(value: str) -> None:
    with pytest.raises(InvalidDuration):
        parse_duration_ms(value)


def test_a_whole_number_of_milliseconds_may_be_of_any_size() -> None:
    assert parse_duration_ms(10**400) == 10**400


@given(st.integers(0, 10_000), st.sampled_from(sorted(UNIT_MS)), st.sampled_from(["", "s"]))
def test_a_whole_number_of_units_is_that_many_times_its_length(
    amount: int, unit: str, plural: str
) -> None:
    assert parse_duration_ms(f"{amount} {unit}{plural}") == amount * UNIT_MS[unit]


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_000, "1 second"),
        (1_500, "1.5 seconds"),
        (60_000, "1 minute"),
        (300_000, "5 minutes"),
        (5_400_000, "1.5 hours"),
        (86_400_000, "1 day"),
        (31_536_000_000, "365 days"),
    ],
)
def test_durations_are_shown_as_people_write_them(duration_ms: int, text: str) -> None:
    assert format_duration(duration_ms) == text


@given(st.integers(1_000, 10**12))
def test_what_is_shown_is_read_back_within_its_rounding(duration_ms: int) -> None:
    shown_ms = parse_duration_ms(format_duration(duration_ms))

    assert abs(shown_ms - duration_ms) <= 0.006 * 86_400_000
    assert abs(shown_ms - duration_ms) <= 0.006 * duration_ms
