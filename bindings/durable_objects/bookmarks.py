"""Bookmarks of an object: copies of its file, each as it was at one moment.

`ID.bookmarks/BOOKMARK.sqlite` is a whole copy, made when a worker asks for a bookmark. SQLite's
backup makes it from what is committed, and gives it back in one transaction. So nothing has to be
kept of all other moments, and a kill in between leaves the file as it was before or after.
A bookmark is four numbers in hexadecimal, the first two are seconds and milliseconds: they are in
the order of time as text. Source: docs/platform/durable-objects.md, "Point-in-time recovery".
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import apsw

from bindings.durable_objects.alarms import RESTORE
from bindings.sql.opening import open_read_only
from emulator.disk import make_folder, sync_folder
from emulator.errors import WorkerError

KEPT_MS = 30 * 24 * 3600 * 1000
_BOOKMARK = re.compile("[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}")
_PAGES_AT_A_TIME = 1_000


class Bookmarks:
    """The bookmarks of the object whose storage is `file`. synced: copies outlive a power cut."""

    def __init__(self, file: Path, now_ms: Callable[[], int], *, synced: bool) -> None:
        self._file = file
        self._folder = file.with_suffix(".bookmarks")
        self._now_ms = now_ms
        self._synced = synced
        self._last: tuple[int, str] | None = None  # a version of the file, and its bookmark

    def take(self, version: int) -> str:
        """Return a bookmark of what is committed. version: the same one means the same content."""
        if self._last is not None and self._last[0] == version and self._copy(self._last[1]):
            return self._last[1]
        bookmark = self.reserve()
        self._copy_to(bookmark)
        self._expire()
        self._last = version, bookmark
        return bookmark

    def reserve(self) -> str:
        """Return a new bookmark, without a copy."""
        seconds, milliseconds = divmod(self._now_ms(), 1000)
        newest = max(self._names(), default="")
        number = int(newest[18:26], 16) + 1 if newest else 1  # greater than all of the past
        return f"{seconds:08x}-{milliseconds:08x}-{number:08x}-{secrets.token_hex(16)}"

    def at(self, ms: int) -> str:
        """Return the bookmark of what was there at a time. Raises WorkerError if none was taken."""
        found = max((name for name in self._names() if _ms_of(name) <= ms), default=None)
        if found is None:
            raise WorkerError(
                "There is no bookmark of that time or before. Groundfog keeps the moments at which "
                "getCurrentBookmark() was called, and no others."
            )
        return found

    def check(self, bookmark: str) -> None:
        """Raise WorkerError for what is no bookmark of this object."""
        if self._copy(bookmark) is None:
            raise WorkerError(
                f"{bookmark[:80]!r} is not a bookmark of this Durable Object, or it is older than "
                "30 days."
            )

    def restore(self, connection: apsw.Connection, bookmark: str, undo: str) -> bool:
        """Let the file be as at a bookmark, and `undo` be a bookmark of what it was.

        Return whether the bookmark is there still; else nothing is changed.
        """
        copy = self._copy(bookmark)
        if copy is None:
            return False
        self._copy_to(undo)
        with closing(open_read_only(copy)) as source:
            _copied(source, connection)
        self._last = None
        return True

    def _copy(self, bookmark: str) -> Path | None:
        if not _BOOKMARK.fullmatch(bookmark):
            return None
        path = self._folder / f"{bookmark}.sqlite"
        return path if path.exists() else None

    def _names(self) -> Iterator[str]:
        for path in self._folder.glob("*.sqlite"):
            if _BOOKMARK.fullmatch(path.stem):
                yield path.stem

    def _copy_to(self, bookmark: str) -> None:
        make_folder(self._folder)
        path = self._folder / f"{bookmark}.sqlite"
        making = path.with_suffix(".new")
        making.unlink(missing_ok=True)
        with closing(open_read_only(self._file)) as source, closing(_created(making)) as copy:
            _copied(source, copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            copy.execute("DELETE FROM _cf_METADATA WHERE name = ?", (RESTORE,))
        if self._synced:
            with making.open("rb") as file:
                os.fsync(file.fileno())
        making.replace(path)
        if self._synced:
            sync_folder(self._folder)

    def _expire(self) -> None:
        too_old_ms = self._now_ms() - KEPT_MS
        for name in [name for name in self._names() if _ms_of(name) < too_old_ms]:
            (self._folder / f"{name}.sqlite").unlink(missing_ok=True)


def _created(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA synchronous = OFF")  # whoever made it syncs it
    return connection


def _copied(source: apsw.Connection, target: apsw.Connection) -> None:
    with target.backup("main", source, "main") as backup:
        while not backup.done:
            backup.step(_PAGES_AT_A_TIME)


def _ms_of(bookmark: str) -> int:
    return int(bookmark[:8], 16) * 1000 + int(bookmark[9:17], 16)
