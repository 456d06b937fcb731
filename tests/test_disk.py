"""What a disk refuses, in words; and what outlasts a power cut."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from pathlib import Path

import pytest

from emulator.disk import (
    Trouble,
    create_file,
    make_folder,
    open_unlinked,
    refusal,
    refuse_foreign_link,
    replace_file,
    trouble_of,
)


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("as SQLite words it")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("number", "trouble"),
    [
        (errno.ENOSPC, Trouble.FULL),
        (errno.EDQUOT, Trouble.FULL),
        (errno.EIO, Trouble.FAILING),
        (errno.EROFS, Trouble.READ_ONLY),
        (errno.EACCES, Trouble.FORBIDDEN),
        (errno.EMFILE, Trouble.TOO_MANY),
        (errno.ENOTDIR, Trouble.OTHER),
    ],
)
def test_what_the_system_refuses_has_a_remedy(
    tmp_path: Path, number: int, trouble: Trouble
) -> None:
    error = OSError(number, os.strerror(number))

    assert trouble_of(tmp_path, error) is trouble
    assert refusal(tmp_path, "cannot be written", error).endswith(f"\n  {trouble.value}")


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        (sqlite3.SQLITE_FULL, Trouble.FULL),
        (sqlite3.SQLITE_IOERR_SHMSIZE, Trouble.FAILING),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, Trouble.IN_USE),
        (sqlite3.SQLITE_CORRUPT_INDEX, Trouble.DAMAGED),
        (sqlite3.SQLITE_NOTADB, Trouble.DAMAGED),
        (sqlite3.SQLITE_ERROR, Trouble.OTHER),
    ],
)
def test_what_sqlite_refuses_has_a_remedy(tmp_path: Path, code: int, trouble: Trouble) -> None:
    assert trouble_of(tmp_path / "journal.sqlite", sqlite_error(code)) is trouble


def test_an_error_on_a_disk_without_room_is_told_as_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite says of the files beside a database only that reading or writing failed."""
    error = sqlite_error(sqlite3.SQLITE_IOERR_SHMSIZE)
    found = list(os.statvfs(tmp_path))
    found[4] = 0  # f_bavail
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result(found))

    assert "(the disk is full)" in refusal(tmp_path / "journal.sqlite", "cannot be opened", error)


def test_only_what_is_damaged_is_to_be_thrown_away() -> None:
    advise_a_reset = [trouble for trouble in Trouble if "reset" in trouble.value]

    assert advise_a_reset == [Trouble.DAMAGED]


def test_a_file_is_never_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("new.json", "new.json.new"):
        (tmp_path / name).symlink_to(victim)

    with pytest.raises(FileExistsError):
        create_file(tmp_path / "new.json", "ours")
    replace_file(tmp_path / "new.json", "ours")

    assert victim.read_text() == "precious"
    assert (tmp_path / "new.json").read_text() == "ours"
    assert not (tmp_path / "new.json").is_symlink()


def test_a_file_that_cannot_be_replaced_stays_and_leaves_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clock.json"
    replace_file(path, "before")

    def refuse(handle: int) -> None:
        raise OSError(errno.EIO, "I/O error")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="I/O error"):
        replace_file(path, "after")

    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_folder_is_synced_in_the_one_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))

    make_folder(tmp_path / "a" / "state")
    make_folder(tmp_path / "a" / "state")

    assert sorted(synced) == sorted([tmp_path.stat().st_ino, (tmp_path / "a").stat().st_ino])


def test_a_file_is_not_appended_to_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "calls.jsonl").symlink_to(victim)

    with pytest.raises(OSError):
        open(tmp_path / "calls.jsonl", "a", opener=open_unlinked)

    assert victim.read_text() == "precious"


@pytest.mark.skipif(sys.platform == "win32", reason="links have no owner there")
def test_only_a_link_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "journal.sqlite"
    link.symlink_to(tmp_path / "elsewhere.sqlite")
    refuse_foreign_link(link)
    refuse_foreign_link(tmp_path / "nothing")
    os.lchown(link, 12345, 12345) if os.geteuid() == 0 else monkeypatch.setattr(
        os, "geteuid", lambda: 12345
    )

    with pytest.raises(OSError, match="a link of another user"):
        refuse_foreign_link(link)
