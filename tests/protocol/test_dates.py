"""Dates and milliseconds: rounded alike near 1970 and far from it, and never another year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from emulator.protocol import dates

LATEST_MS = 253_402_300_799_999
EARLIEST_MS = -62_135_596_800_000


def _milliseconds(year: int, microseconds: int) -> int:
    """Return the milliseconds of a moment, from the beginning of its June."""
    june = datetime(year, 6, 1, tzinfo=UTC)
    since_1970 = (june - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    return dates.milliseconds(june.replace(microsecond=microseconds)) - since_1970


FAR_YEARS = [1, 1800, 2097, 9998]  # there a float of seconds does not tell microseconds apart


@pytest.mark.parametrize("year", [*FAR_YEARS, 1900, 1969, 1970, 2026, 2096])
def test_a_datetime_is_rounded_to_whole_milliseconds_in_every_year(year: int) -> None:
    found = [_milliseconds(year, rest) for rest in (0, 499, 501, 999, 1_499, 999_499, 999_501)]

    assert found == [0, 0, 1, 1, 1, 999, 1000]


@pytest.mark.parametrize("year", FAR_YEARS)
def test_half_a_millisecond_is_rounded_up(year: int) -> None:
    assert [_milliseconds(year, rest) for rest in (500, 1_500, 999_500)] == [1, 2, 1000]


def test_the_last_moment_of_all_is_not_rounded_into_another_year() -> None:
    assert dates.milliseconds(datetime.max.replace(tzinfo=UTC)) == LATEST_MS
    assert dates.milliseconds(datetime.min.replace(tzinfo=UTC)) == EARLIEST_MS


@pytest.mark.parametrize(("moment", "hours"), [(datetime.max, -1), (datetime.min, 1)])
def test_a_moment_that_no_datetime_in_utc_can_hold_is_refused(moment: datetime, hours: int) -> None:
    with pytest.raises(OverflowError):
        dates.milliseconds(moment.replace(tzinfo=timezone(timedelta(hours=hours))))


@pytest.mark.parametrize(
    "epoch_ms",
    [EARLIEST_MS, -4_000_000_000_001, -4_000_000_000_000, -1, 0, 1, 1_767_225_600_123]
    + [4_000_000_000_000, 4_000_000_000_001, LATEST_MS],
)
def test_each_millisecond_comes_back_as_it_was(epoch_ms: int) -> None:
    assert dates.milliseconds(dates.utc(epoch_ms)) == epoch_ms
    assert dates.milliseconds(dates.local(epoch_ms)) == epoch_ms
    assert dates.utc(epoch_ms).tzinfo is UTC
    assert dates.local(epoch_ms).tzinfo is None


def test_the_last_moment_is_read_as_earlier_versions_recorded_it() -> None:
    assert dates.utc(LATEST_MS + 1) == dates.utc(LATEST_MS)


@pytest.mark.parametrize("epoch_ms", [EARLIEST_MS - 1, LATEST_MS + 2, float("inf")])
def test_a_date_beyond_the_years_of_a_datetime_is_refused(epoch_ms: float) -> None:
    with pytest.raises((ValueError, OverflowError), match="years 1 to 9999|infinity"):
        dates.utc(epoch_ms)
    with pytest.raises((ValueError, OverflowError), match="years 1 to 9999|infinity"):
        dates.local(epoch_ms)
