"""A few rounds of crashes; `python -m tests.crash` runs them for as long as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.launcher import POINTS
from tests.crash.rounds import Round, at_point, at_random, seed_from_environment


def check(round_: Round) -> None:
    print(f"CRASH_SEED={round_.seed} repeats this: {round_.crashes}")
    broken = round_.run()
    assert not broken, "\n".join([*broken, *round_.output])


@pytest.mark.parametrize("point", POINTS)
def test_nothing_acknowledged_is_lost_or_repeated_by_a_crash(tmp_path: Path, point: str) -> None:
    check(at_point(tmp_path, point, seed_from_environment()))


def test_nothing_acknowledged_is_lost_or_repeated_by_random_crashes(tmp_path: Path) -> None:
    check(at_random(tmp_path, seed_from_environment()))
