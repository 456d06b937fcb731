"""Cron expressions: what is understood, when they fire, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cron import MINUTE_MS, Cron, InvalidCron


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def fires(expression: str, after: str, count: int) -> list[str]:
    """Return the next times as `"2026-01-31 09:00 Sat"`."""
    cron, at_ms, found = Cron.parse(expression), ms(after), []
    for _ in range(count):
        next_ms = cron.next_after_ms(at_ms)
        assert next_ms is not None
        at_ms = next_ms
        found.append(datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M %a"))
    return found


def days(expression: str, after: str, count: int) -> list[str]:
    return [f"{text[:10]} {text[-3:]}" for text in fires(f"0 0 {expression}", after, count)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("* * * * *", ["2026-01-01 00:01 Thu", "2026-01-01 00:02 Thu"]),
        ("*/30 * * * *", ["2026-01-01 00:30 Thu", "2026-01-01 01:00 Thu"]),
        ("45 * * * *", ["2026-01-01 00:45 Thu", "2026-01-01 01:45 Thu"]),
        ("0 17 * * sun", ["2026-01-04 17:00 Sun", "2026-01-11 17:00 Sun"]),
        ("0 17 * * 1", ["2026-01-04 17:00 Sun", "2026-01-11 17:00 Sun"]),
        (
            "10 7 * * mon-fri",
            ["2026-01-01 07:10 Thu", "2026-01-02 07:10 Fri", "2026-01-05 07:10 Mon"],
        ),
        ("10 7 * * 2-6", ["2026-01-01 07:10 Thu", "2026-01-02 07:10 Fri", "2026-01-05 07:10 Mon"]),
        ("0 15 1 * *", ["2026-01-01 15:00 Thu", "2026-02-01 15:00 Sun"]),
        ("0 18 * * 6L", ["2026-01-30 18:00 Fri", "2026-02-27 18:00 Fri"]),
        ("0 18 * * friL", ["2026-01-30 18:00 Fri", "2026-02-27 18:00 Fri"]),
        ("59 23 LW * *", ["2026-01-30 23:59 Fri", "2026-02-27 23:59 Fri"]),
    ],
)
def test_the_documented_examples_fire_when_they_say(expression: str, expected: list[str]) -> None:
    assert fires(expression, "2026-01-01T00:00", len(expected)) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("L * *", ["2026-01-31 Sat", "2026-02-28 Sat", "2026-03-31 Tue"]),
        ("L-2 * *", ["2026-01-29 Thu", "2026-02-26 Thu"]),
        ("L-2W 5 *", ["2026-05-29 Fri", "2027-05-28 Fri"]),
        ("1W 8 *", ["2026-08-03 Mon"]),  # the 1st is a Saturday, and Friday is another month's
        ("31W 5 *", ["2026-05-29 Fri"]),  # the 31st is a Sunday, and Monday is another month's
        ("15W 2 *", ["2026-02-16 Mon"]),
        ("* * TUE#2", ["2026-01-13 Tue", "2026-02-10 Tue"]),
        ("* * 5#5", ["2026-01-29 Thu", "2026-04-30 Thu"]),
        ("* * L", ["2026-01-03 Sat", "2026-01-10 Sat"]),
        (
            "* * fri-mon",
            [
                "2026-01-02 Fri",
                "2026-01-03 Sat",
                "2026-01-04 Sun",
                "2026-01-05 Mon",
                "2026-01-09 Fri",
            ],
        ),
        ("13 * FRI", ["2026-01-02 Fri", "2026-01-09 Fri", "2026-01-13 Tue"]),
        ("29 feb *", ["2028-02-29 Tue", "2032-02-29 Sun"]),
        ("1 JAN,jul-AUG *", ["2026-07-01 Wed", "2026-08-01 Sat", "2027-01-01 Fri"]),
        ("*/10 2 *", ["2026-02-01 Sun", "2026-02-11 Wed", "2026-02-21 Sat", "2027-02-01 Mon"]),
        ("30-2 1 *", ["2026-01-02 Fri", "2026-01-30 Fri", "2026-01-31 Sat", "2027-01-01 Fri"]),
    ],
)
def test_days_are_quartz_days(expression: str, expected: list[str]) -> None:
    assert days(expression, "2026-01-01T00:00", len(expected)) == expected


def test_a_list_of_steps_and_ranges_is_their_union() -> None:
    assert [text[11:16] for text in fires("0/25,57-1 9 * * *", "2026-01-01T00:00", 8)] == [
        *("09:00", "09:01", "09:25", "09:50"),
        *("09:57", "09:58", "09:59", "09:00"),
    ]


def test_a_time_that_fires_is_not_its_own_next() -> None:
    assert fires("0 9 * * *", "2026-01-01T09:00", 1) == [
        "2026-01-02 09:00 Thu".replace("Thu", "Fri")
    ]


def test_the_next_time_is_found_from_within_a_minute() -> None:
    cron = Cron.parse("0 9 * * *")

    assert cron.next_after_ms(ms("2026-01-01T09:00") - 1) == ms("2026-01-01T09:00")
    assert cron.next_after_ms(ms("2026-01-01T09:00") + 1) == ms("2026-01-02T09:00")


@pytest.mark.parametrize("expression", ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 L-30 2 *"])
def test_a_time_that_never_comes_is_none(expression: str) -> None:
    assert Cron.parse(expression).next_after_ms(ms("2026-01-01T00:00")) is None


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("", "0 fields; expected five"),
        ("* * * *", "4 fields; expected five"),
        ("0 * * * * *", "6 fields; expected five"),
        (" * * * * *", "expected five with spaces between them only"),
        ("@daily", "1 field; expected five"),
        ("60 * * * *", 'minute "60"; expected 0 to 59'),
        ("* 24 * * *", 'hour "24"; expected 0 to 23'),
        ("* * 0 * *", 'day of month "0"; expected 1 to 31'),
        ("* * * 13 *", 'month "13"; expected 1 to 12 or JAN to DEC'),
        ("* * * JUNE *", 'month "JUNE"; expected 1 to 12 or JAN to DEC'),
        ("* * * * 0", 'weekday "0"; expected 1 to 7 or SUN to SAT'),
        ("* * * * MON#6", 'weekday "MON#6"; expected #1 to #5'),
        ("* * L-31 * *", 'day of month "L-31"; expected L-1 to L-30'),
        ("* * 3L * *", 'day of month "3L"; expected 1 to 31'),
        ("*/0 * * * *", 'minute "*/0"; expected a step of 1 to 59'),
        ("*/60 * * * *", 'minute "*/60"; expected a step of 1 to 59'),
        ("1,,2 * * * *", 'minute ""; expected a value, a range or a step'),
        ("1-2-3 * * * *", 'minute "1-2-3"; expected a value, a range or a step'),
        ("? * * * *", 'minute "?"; expected a value, a range or a step'),
        ("٣ * * * *", 'minute "٣"; expected a value, a range or a step'),
        ("0" * 257, "257 characters; at most 256"),
    ],
)
def test_a_wrong_expression_is_refused_and_its_wrong_part_is_named(
    expression: str, problem: str
) -> None:
    with pytest.raises(InvalidCron) as caught:
        Cron.parse(expression)

    assert problem in str(caught.value)


@given(st.text(alphabet="0123456789*/-,LW#? MONFRI", max_size=40))
def test_parsing_raises_nothing_but_its_own_error(text: str) -> None:
    try:
        Cron.parse(text)
    except InvalidCron:
        pass


_parts = st.sampled_from(["*", "*/6", "3", "5-7", "1,4"])


@given(
    st.tuples(_parts, _parts, _parts, _parts, _parts),
    st.integers(0, 4_000_000_000_000),
)
def test_times_only_grow_and_are_whole_minutes(fields: tuple[str, ...], after_ms: int) -> None:
    cron = Cron.parse(" ".join(fields))
    times = [after_ms]
    for _ in range(3):
        next_ms = cron.next_after_ms(times[-1])
        assert next_ms is not None
        times.append(next_ms)

    assert all(earlier < later for earlier, later in pairwise(times))
    assert all(at_ms % MINUTE_MS == 0 for at_ms in times[1:])
