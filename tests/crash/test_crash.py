"""A few rounds of crashes; `python -m tests.crash` runs them for as long as one likes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import pytest

from tests.crash.chaos import Blow, Life
from tests.crash.languages import in_typescript
from tests.crash.launcher import POINTS
from tests.crash.rounds import (
    DURABILITIES,
    Round,
    at_points,
    at_random,
    seed_from_environment,
)
from tests.crash.scripts import FEATURES, LONGEST_SLEEP_MS
from tests.end_to_end.wrangler import wrangler_folder


def check(round_: Round) -> None:
    print(f"CRASH_SEED={round_.seed} repeats this: {round_.durability}, {round_.lives}")
    broken = round_.run()
    assert not broken, "\n".join([*broken, *round_.output])


# Three points a round, and one mode for each round, to spare time; `python -m tests.crash --points`
# crashes twice at each.
ROUNDS = dict(zip((POINTS[:3], POINTS[3:6], POINTS[6:]), cycle(DURABILITIES), strict=False))


@pytest.mark.parametrize(("points", "durability"), ROUNDS.items())
def test_nothing_acknowledged_is_lost_or_repeated_by_a_crash(
    tmp_path: Path, points: Sequence[str], durability: str
) -> None:
    check(at_points(tmp_path, points, seed_from_environment(), durability))


@pytest.mark.parametrize("durability", DURABILITIES)
def test_nothing_acknowledged_is_lost_or_repeated_by_random_crashes(
    tmp_path: Path, durability: str
) -> None:
    check(at_random(tmp_path, seed_from_environment(), durability))


def test_what_falls_due_while_no_server_runs_happens_once(tmp_path: Path) -> None:
    life = Life(lasts_s=0.5, down_for_s=LONGEST_SLEEP_MS / 1000)
    check(Round(tmp_path, seed_from_environment(), 8, [life, life], "process"))


def test_nothing_is_lost_or_repeated_by_crashes_of_a_typescript_worker(tmp_path: Path) -> None:
    wrangler_folder()  # or skip
    life = Life("", 0, 0.7, (Blow(0.3, "save"), Blow(0.4, "kill guest")), "kill everyone")
    features = FEATURES - {"poison", "big"}
    check(Round(tmp_path, seed_from_environment(), 2, [life], "full", in_typescript(), features))
