"""States that are saved under names."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from emulator.cli.saved_states import SavedStates
from emulator.errors import StateError, UsageError
from emulator.state import State


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A state with a journal and a database."""
    state = State(tmp_path / ".groundfog")
    state.prepare()
    state.journal.write_text("journal")
    (state.directory / "d1").mkdir()
    (state.directory / "d1" / "DB.sqlite").write_text("rows")
    (state.directory / "dev.json").write_text("{}")
    return state


@pytest.fixture
def saved(tmp_path: Path) -> SavedStates:
    return SavedStates(tmp_path / ".groundfog-states")


def test_a_saved_state_replaces_another_wholly(state: State, saved: SavedStates) -> None:
    assert saved.list() == []
    assert saved.save(state, "one").files == 2
    state.journal.write_text("changed")
    (state.directory / "d1" / "OTHER.sqlite").write_text("new")

    saved.load("one", state)

    assert state.journal.read_text() == "journal"
    assert [path.name for path in (state.directory / "d1").iterdir()] == ["DB.sqlite"]
    assert [each.name for each in saved.list()] == ["one"]


def test_saving_again_replaces_and_deleting_deletes(state: State, saved: SavedStates) -> None:
    saved.save(state, "one")
    state.journal.write_text("newer")
    saved.save(state, "one")
    saved.load("one", state)
    assert state.journal.read_text() == "newer"

    saved.delete("one")

    with pytest.raises(UsageError, match='No state was saved as "one". There are: none'):
        saved.get("one")


def test_what_is_not_as_it_was_saved_is_not_loaded(
    state: State, saved: SavedStates, tmp_path: Path
) -> None:
    saved.save(state, "one")
    folder = tmp_path / ".groundfog-states" / "one"
    state.journal.write_text("mine")

    (folder / "journal.sqlite").write_text("theirs")
    with pytest.raises(StateError, match=r"journal.sqlite is not as it was saved"):
        saved.load("one", state)
    manifest = json.loads((folder / "saved.json").read_text())
    manifest["files"] = {"../outside": "0"}
    (folder / "saved.json").write_text(json.dumps(manifest))
    with pytest.raises(StateError, match="leads out of the saved state"):
        saved.load("one", state)
    (folder / "saved.json").write_text("no")
    with pytest.raises(StateError, match="cannot be read"):
        saved.load("one", state)

    assert state.journal.read_text() == "mine"


def test_names_are_harmless_and_states_in_use_are_left_alone(
    state: State, saved: SavedStates
) -> None:
    for name in ("../up", "", ".hidden", "a/b"):
        with pytest.raises(UsageError, match="cannot be the name"):
            saved.save(state, name)
    saved.save(state, "one")
    with state.locked():
        with pytest.raises(StateError, match="is in use"):
            saved.save(state, "two")
        with pytest.raises(StateError, match="is in use"):
            saved.load("one", state)
    with pytest.raises(UsageError, match="There is no state yet"):
        saved.save(State(state.directory / "missing"), "two")


def test_a_state_is_passed_on_as_one_file(state: State, saved: SavedStates, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "empty")) as journal:
        journal.execute("CREATE TABLE entries (id)")
    state.journal.write_bytes((tmp_path / "empty").read_bytes())
    saved.save(state, "one")
    file = tmp_path / "one.zip"

    saved.export("one", file)
    saved.take_in(file, "other")

    assert saved.get("other").files == 2
    assert saved.get("other").at == saved.get("one").at
    with pytest.raises(UsageError, match='saved as "other" already'):
        saved.take_in(file, "other")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda files: {**files, "../evil": b"x"}, "does not belong into a state"),
        (lambda files: {**files, "dev.json": b"x"}, "does not belong into a state"),
        (lambda files: {**files, "d1/x.sqlite": None}, "its files are not those"),
        (lambda files: {**files, "journal.sqlite": b"changed"}, "journal.sqlite is damaged"),
    ],
    ids=["leads elsewhere", "another file", "a file is missing", "no database"],
)
def test_a_file_of_a_stranger_is_checked(
    state: State,
    saved: SavedStates,
    tmp_path: Path,
    change: Callable[[dict[str, bytes]], dict[str, bytes | None]],
    told: str,
) -> None:
    saved.save(state, "one")
    folder = tmp_path / ".groundfog-states" / "one"
    files = {"journal.sqlite": b"", "d1/DB.sqlite": b"rows"}
    changed = change(files)
    manifest = json.loads((folder / "saved.json").read_text())
    manifest["files"] = {
        path: hashlib.sha256(content or b"").hexdigest() for path, content in changed.items()
    }
    file = tmp_path / "one.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("saved.json", json.dumps(manifest))
        for path, content in changed.items():
            if content is not None:
                archive.writestr(path, content)

    with pytest.raises(StateError, match=told):
        saved.take_in(file, "other")

    assert [each.name for each in saved.list()] == ["one"]


def test_a_trigger_in_a_journal_is_refused(
    state: State, saved: SavedStates, tmp_path: Path
) -> None:
    state.journal.unlink()
    with closing(sqlite3.connect(state.journal)) as journal:
        journal.execute("CREATE TABLE entries (id)")
        journal.execute("CREATE TRIGGER t AFTER INSERT ON entries BEGIN SELECT 1; END")
    saved.save(state, "one")
    saved.export("one", tmp_path / "one.zip")

    with pytest.raises(StateError, match="journal.sqlite has triggers or views"):
        saved.take_in(tmp_path / "one.zip", "other")
