"""A journal in which the disk has changed what is recorded of one instance.

SQLite notices damage to its own structure. What is inside a row only the reader can judge.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random
from typing import Any

import pytest

from emulator.engine.journal import lists
from emulator.engine.journal.journal import Journal
from emulator.engine.journal.lists import Filter, Slice
from emulator.engine.journal.reader import DamagedHistory
from emulator.engine.views import report
from emulator.errors import StateError
from tests.engine.scripted import Step
from tests.engine.world import MINUTE, NAME, World, play

Event = dict[str, Any]

DAMAGE = [
    "UPDATE entries SET data = '{\"config\"' WHERE data IS NOT NULL AND instance = :key",
    "UPDATE entries SET data = '[1]' WHERE data IS NOT NULL AND instance = :key",
    "UPDATE entries SET data = 'null' WHERE data IS NOT NULL AND instance = :key",
    "UPDATE entries SET data = '{}' WHERE data IS NOT NULL AND instance = :key",
    "UPDATE entries SET kind = 77 WHERE instance = :key",
    "UPDATE entries SET step = 'no key' WHERE step != '' AND instance = :key",
]


async def naps(event: Event, step: Step) -> Any:
    await step.do("work", lambda ctx: "done")
    await step.sleep("nap", MINUTE)
    return await step.do("more", lambda ctx: "more")


def damage(world: World, statement: str, instance: str = "bad") -> None:
    """Change the journal behind the host's back, while it is down."""
    key = world.journal.find(NAME, instance)
    world.crash()
    with sqlite3.connect(world.path) as connection:
        connection.execute(statement, {"key": key})
    connection.close()


@pytest.mark.parametrize("statement", DAMAGE)
def test_an_instance_with_a_damaged_history_is_told_once_and_the_others_go_on(
    tmp_path: Path, statement: str
) -> None:
    async def story(world: World) -> None:
        for instance in ("good", "bad", "fine"):
            await world.create(instance)
        damage(world, statement)
        world.boot()
        await world.settle()

        await world.advance(2 * MINUTE)

        assert (world.output("good"), world.output("fine")) == ("more", "more")
        with pytest.raises(StateError, match="the history of orders bad is damaged"):
            world.journal.load(world.journal.find(NAME, "bad") or 0)
        assert [f"{NAME} bad" in text for text in world.reports] == [True]
        assert "groundfog workflows instances delete orders bad" in world.reports[0]

        await world.control.delete(NAME, "bad")
        await world.create("bad")
        await world.advance(2 * MINUTE)
        assert world.output("bad") == "more"

    play(tmp_path, naps, story)


def test_a_wrong_status_is_told_by_what_lists_it(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("bad")
        damage(world, "UPDATE instances SET status = 'dreaming' WHERE key = :key")
        world.boot()

        with pytest.raises(StateError, match="is damaged"):
            lists.page(world.journal, Filter(NAME), Slice(limit=10))
        with pytest.raises(StateError, match="has the status 'dreaming'"):
            world.status("bad")

    play(tmp_path, naps, story)


def test_a_journal_that_does_not_know_its_highest_numbers_is_refused(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("bad")
        damage(world, "DELETE FROM high_water WHERE :key")

        with pytest.raises(StateError, match="does not know its highest numbers"):
            Journal.open_to_read(world.path)

    play(tmp_path, naps, story)


def test_an_attempt_of_a_step_that_never_began_is_damage(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("bad")
        other = "UPDATE entries SET kind = 11, step = 'other' WHERE kind = 8 AND instance = :key"
        damage(world, other)
        world.boot()

        key = world.journal.find(NAME, "bad")
        assert key is not None
        with pytest.raises(DamagedHistory, match="KeyError"):
            world.journal.load(key)

    play(tmp_path, naps, story)


def test_a_journal_with_flipped_bits_is_refused_or_read_but_never_breaks_the_reader(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        for number in range(5):
            await world.create(f"i{number}", {"text": "x" * 50})
        await world.advance(2 * MINUTE)

    play(tmp_path, naps, story)
    sound = (tmp_path / "journal.sqlite").read_bytes()
    random = Random(7)
    for _ in range(300):
        flipped = bytearray(sound)
        for _ in range(random.choice((1, 1, 5, 50))):
            flipped[random.randrange(100, len(flipped))] ^= 1 << random.randrange(8)
        path = tmp_path / "flipped.sqlite"
        path.write_bytes(flipped)
        try:
            _read_everything(Journal.open_to_read(path))
        except StateError:
            continue


def _read_everything(journal: Journal) -> None:
    try:
        lists.generations(journal)
        lists.page(journal, Filter(NAME), Slice(limit=10))
        for row in [*journal.unfinished(), *journal.every()]:
            journal.fold(row)
            with journal.reading(row.key):
                report.instance_detail(
                    journal.entries(row.key), row.status, "version", lambda value: value
                )
    finally:
        journal.close()
