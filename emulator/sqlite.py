"""Opens SQLite files and sets their pragmas, for all modules; checks that a file is still there.

Everybody opens files with `connect` or uses its `pragmas`, so that every file is in WAL mode and
durable in the same way.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Literal

Synchronous = Literal["FULL", "NORMAL", "OFF"]

BUSY_TIMEOUT_MS = 5_000


class Removed(sqlite3.OperationalError):
    """The file of an open database is not at its path any more: new data in it would be lost."""


class DatabaseFile:
    """The file of an open database, and its log, as they were when they were opened.

    SQLite continues to read and write a removed file, and does not say so.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.fspath(path.absolute())
        self._log = f"{self._file}-wal"
        self._file_was = _identity(self._file)
        self._log_was: tuple[int, int] | None = None

    def check(self) -> None:
        """Raise Removed when the file was removed or replaced. It takes 2 µs at each commit."""
        if _identity(self._file) != self._file_was:
            raise Removed(self._told)

    def look(self) -> None:
        """Do the same for both the file and its log."""
        self.check()
        log = _identity(self._log)
        if self._log_was is None:
            self._log_was = log  # SQLite creates it at the first need, and then keeps it
        if log != self._log_was:
            raise Removed(self._told)

    @property
    def _told(self) -> str:
        return (
            f"{self.path} was removed or replaced while it was open; new data would be"
            " lost. Stop Groundfog and start it again"
        )


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def pragmas(synchronous: Synchronous = "FULL") -> tuple[str, ...]:
    """Return the statements that each new connection runs first."""
    return (
        f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
        f"PRAGMA synchronous = {synchronous}",
        "PRAGMA journal_mode = WAL",
    )


def connect(path: Path, synchronous: Synchronous = "FULL") -> sqlite3.Connection:
    """Open `path` with manual transactions and our pragmas; it is created if missing.

    Raises sqlite3.DatabaseError when the file is not a SQLite database.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        for statement in pragmas(synchronous):
            connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


def only_tables(connection: sqlite3.Connection) -> bool:
    """Whether a database has tables and indexes only: no triggers, no views.

    Raises sqlite3.DatabaseError when it is damaged.
    """
    (told,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if told != "ok":
        raise sqlite3.DatabaseError(told)
    types = connection.execute("SELECT DISTINCT type FROM sqlite_master").fetchall()
    return {type for (type,) in types} <= {"table", "index"}


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Open the existing database `path` without changing a byte of it.

    Without a write-ahead log beside it, SQLite is told that nobody writes, or it would create one.
    """
    has_log = path.with_name(f"{path.name}-wal").exists()
    mode = "mode=ro" if has_log else "mode=ro&immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None)
