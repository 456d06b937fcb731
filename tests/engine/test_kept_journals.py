"""Journals that an earlier version has written, one a feature: this version tells the same of them.

`journal_fixtures.py` is the program that wrote them.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from emulator.clock import VirtualClock
from emulator.engine.journal.journal import Journal
from emulator.engine.model.instance import TERMINAL, Status
from tests.engine.journal_fixtures import FEATURES, restore, told
from tests.engine.world import CLASS, DAY, World

WRITTEN = Path(__file__).parent / "data" / "written"

features = pytest.mark.parametrize("feature", FEATURES)


@features
def test_what_an_earlier_version_wrote_is_told_as_it_told_it(tmp_path: Path, feature: str) -> None:
    restore(feature, WRITTEN, tmp_path / "journal.sqlite")

    journal = Journal.open_to_read(tmp_path / "journal.sqlite")
    found = told(journal)
    journal.close()

    assert found == json.loads((WRITTEN / f"{feature}.json").read_text(encoding="utf-8"))


@features
def test_what_an_earlier_version_began_goes_on(tmp_path: Path, feature: str) -> None:
    restore(feature, WRITTEN, tmp_path / "journal.sqlite")

    async def story() -> None:
        journal = Journal.open_to_read(tmp_path / "journal.sqlite")
        start_ms = journal.last_ms()
        journal.close()
        world = World(tmp_path, {CLASS: FEATURES[feature][0]}, clock=VirtualClock(start_ms))
        waits = [row.id for row in world.journal.every() if row.status is Status.WAITING]
        await world.advance(2 * DAY)

        assert not any("damaged" in report for report in world.reports)
        assert {world.stands(name) for name in waits} <= TERMINAL
        world.crash()

    asyncio.run(story())
