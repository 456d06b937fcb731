"""Bookmarks of one object: what they restore, when, and what stays if that is impossible."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bindings.durable_objects.alarms import marked
from bindings.durable_objects.storage import NO_BOOKMARKS, Storage
from bindings.durable_objects.syncing import Syncing
from emulator.errors import WorkerError
from tests.bindings.durable_objects.calls import ran, storage

DAY_MS = 24 * 3600 * 1000


class Object:
    """An object that can be made anew, at a time that the test sets."""

    def __init__(self, folder: Path, syncing: Syncing) -> None:
        self.folder = folder
        self.now_ms = 100 * DAY_MS
        self.alarms: list[int | None] = []
        self._syncing = syncing
        self.storage = self._made()

    def _made(self) -> Storage:
        return storage(
            self.folder,
            self._syncing,
            now_ms=lambda: self.now_ms,
            alarm_changed=self.alarms.append,
        )

    def made_anew(self) -> None:
        self.storage.close()
        self.storage = self._made()

    def put(self, value: str) -> None:
        self.storage.call("commit", [[["key", value]]])

    def value(self) -> Any:
        return self.storage.call("get", [["key"]])[0]

    def bookmark(self) -> str:
        return str(self.storage.call_long("bookmark", []))

    def restore(self, bookmark: str) -> str:
        undo = self.storage.call("restore", [bookmark])
        self.storage.call("commit", [[]])
        return str(undo)


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Object]:
    syncing = Syncing()
    made = Object(tmp_path, syncing)
    yield made
    made.storage.close()
    syncing.close()


def test_a_bookmark_restores_keys_tables_and_the_alarm_and_can_be_undone(one: Object) -> None:
    one.put("1")
    ran(one.storage, "CREATE TABLE t (x)")
    ran(one.storage, "INSERT INTO t VALUES (7)")
    one.storage.call("set_alarm", [5])
    one.storage.call("commit", [[]])
    before = one.bookmark()
    one.put("2")
    ran(one.storage, "DROP TABLE t")
    one.storage.call("set_alarm", [None])
    one.storage.call("commit", [[]])
    assert list(marked(one.folder)) == []
    undo = one.restore(before)
    one.put("3")
    assert one.value() == "3", "nothing happens before the object is made anew"

    one.made_anew()
    assert one.value() == "1"
    assert ran(one.storage, "SELECT x FROM t")[1] == [[7]]
    assert one.alarms[-1] == 5
    assert len(list(marked(one.folder))) == 1
    one.put("4")

    one.made_anew()
    assert one.value() == "4", "it is restored once"
    one.restore(undo)
    one.made_anew()
    assert one.value() == "3"
    assert one.alarms[-1] is None


def test_what_was_not_committed_is_in_no_bookmark(one: Object) -> None:
    one.put("1")
    one.storage.call("savepoint", [])
    one.storage.call("write", [[["key", "2"]]])
    bookmark = one.bookmark()
    one.storage.call("release", [])
    one.storage.call("commit", [[]])
    one.restore(bookmark)
    one.made_anew()
    assert one.value() == "1"


def test_bookmarks_are_in_the_order_of_time_and_are_found_by_it(one: Object) -> None:
    one.put("1")
    taken = []
    for n in range(3):
        taken += [one.bookmark(), one.bookmark()]
        one.put(str(n))
        one.now_ms += 1
    assert taken == sorted(taken)
    assert len(set(taken)) == 3, "the same content has the same bookmark"
    assert [len(part) for part in taken[0].split("-")] == [8, 8, 8, 32]
    at = [one.storage.call("bookmark_at", [100 * DAY_MS + n]) for n in (0, 1, 2, 9)]
    assert at == [taken[0], taken[2], taken[4], taken[4]]
    with pytest.raises(WorkerError, match="no bookmark of that time"):
        one.storage.call("bookmark_at", [100 * DAY_MS - 1])


def test_a_bookmark_is_kept_for_30_days(one: Object) -> None:
    one.put("1")
    old = one.bookmark()
    one.put("2")
    one.now_ms += 30 * DAY_MS + 1
    one.bookmark()
    with pytest.raises(WorkerError, match="is not a bookmark of this"):
        one.restore(old)


@pytest.mark.parametrize("wrong", ["", "x", "../object", "00000000-00000000-00000000-" + "0" * 32])
def test_what_is_no_bookmark_is_refused(one: Object, wrong: str) -> None:
    one.put("1")
    with pytest.raises(WorkerError, match="is not a bookmark of this Durable Object"):
        one.restore(wrong)
    one.made_anew()
    assert one.value() == "1"


def test_without_the_copy_of_its_bookmark_an_object_stays_as_it_is(one: Object) -> None:
    one.put("1")
    bookmark = one.bookmark()
    one.put("2")
    one.restore(bookmark)
    (one.folder / "object.bookmarks" / f"{bookmark}.sqlite").unlink()
    for _ in range(2):
        one.made_anew()
        assert one.value() == "2"


def test_the_older_storage_has_no_bookmarks(tmp_path: Path) -> None:
    syncing = Syncing()
    old = storage(tmp_path, syncing, has_sql=False)
    for method, args in (("bookmark", []), ("bookmark_at", [1]), ("restore", ["x"])):
        with pytest.raises(WorkerError) as raised:
            old.call(method, args)
        assert str(raised.value) == NO_BOOKMARKS
    old.close()
    syncing.close()


def test_the_name_of_a_new_file_is_durable_with_its_first_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    async def scenario() -> None:
        for value in ("1", "2"):
            opened.call("commit", [[["key", value]]])
            await opened.durable()

    syncing = Syncing()
    opened = storage(tmp_path / "folder", syncing)
    monkeypatch.setattr(os, "fsync", noted)
    asyncio.run(scenario())
    assert [path for path in synced if path.is_dir()] == [tmp_path, tmp_path / "folder"]
    opened.close()
    syncing.close()
