"""Journals that are only looked into: nothing in their folder changes."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest

from emulator.engine.journal import lists
from emulator.engine.journal.journal import Journal
from emulator.engine.journal.lists import Filter, Slice
from emulator.engine.journal.schema import SCHEMA_VERSION
from emulator.errors import StateError
from tests.engine.test_migrations import first_release


def ids(journal: Journal, workflow: str = "orders") -> list[str]:
    return [found.id for found in lists.page(journal, Filter(workflow), Slice(100))]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_journal_of_the_first_release_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    first_release(path)
    before = contents(tmp_path)

    journal = Journal.open_to_read(path)
    found = ids(journal)
    journal.close()

    assert len(found) == 13
    assert contents(tmp_path) == before


def test_a_missing_journal_is_read_as_an_empty_one_and_is_not_created(tmp_path: Path) -> None:
    journal = Journal.open_to_read(tmp_path / "journal.sqlite")

    assert ids(journal) == []
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_server_left_in_its_log_is_read_too(tmp_path: Path) -> None:
    """Copy the files of an open journal, as a kill leaves them, and read the copy."""
    journal = Journal.open(tmp_path / "journal.sqlite")

    async def write() -> None:
        journal.new_instance("orders", "in-the-log", 1)
        await journal.committed()

    asyncio.run(write())
    killed = Path(shutil.copytree(tmp_path, tmp_path / "killed"))
    journal.close()
    stored = (killed / "journal.sqlite").read_bytes()

    reading = Journal.open_to_read(killed / "journal.sqlite")
    assert ids(reading) == ["in-the-log"]
    reading.close()
    assert (killed / "journal.sqlite").read_bytes() == stored
    assert (killed / "journal.sqlite-wal").stat().st_size > 0


def test_a_file_that_is_not_a_journal_or_a_newer_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_text("no database at all")
    with pytest.raises(StateError, match="not a SQLite database"):
        Journal.open_to_read(path)
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(StateError, match="newer Groundfog"):
        Journal.open_to_read(path)
