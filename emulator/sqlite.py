"""The only place that opens a SQLite file and sets its pragmas; whether the file is still there.

The journal opens through `connect`; bindings that run on aiosqlite hand `connect` its keyword
arguments through `pragmas`, so that every file is in WAL mode and durable in the same way.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Literal

Synchronous = Literal["FULL", "NORMAL"]

BUSY_TIMEOUT_MS = 5_000


class Removed(sqlite3.OperationalError):
    """The file of an open database is not at its path any more: what is written to it is lost."""


class Place:
    """Where the file of an open database, and the log beside it, were found when it was opened.

    SQLite goes on reading and writing a file that was removed, and never says so.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.fspath(path.absolute())
        self._log = f"{self._file}-wal"
        self._file_was = _identity(self._file)
        self._log_was: tuple[int, int] | None = None

    def check(self) -> None:
        """Raise Removed when the file was removed or replaced. Costs 2 µs, once for each commit."""
        if _identity(self._file) != self._file_was:
            raise Removed(self._told)

    def look(self) -> None:
        """Do the same for the file and its log."""
        self.check()
        log = _identity(self._log)
        if self._log_was is None:
            self._log_was = log  # SQLite makes it when it first needs it, and then keeps it
        if log != self._log_was:
            raise Removed(self._told)

    @property
    def _told(self) -> str:
        return (
            f"{self.path} was removed or replaced while it was open; what is written to it"
            " would be lost. Stop Groundfog and start it again"
        )


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def pragmas(synchronous: Synchronous = "FULL") -> tuple[str, ...]:
    """Return the statements that every new connection of ours runs first."""
    return (
        f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
        "PRAGMA journal_mode = WAL",
        f"PRAGMA synchronous = {synchronous}",
    )


def connect(path: Path, synchronous: Synchronous = "FULL") -> sqlite3.Connection:
    """Open `path` (created if missing) with manual transactions and our pragmas.

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


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Open the existing database `path` without changing a byte of it.

    Without a write-ahead log beside it, SQLite is told that nobody writes: it would create one.
    """
    has_log = path.with_name(f"{path.name}-wal").exists()
    mode = "mode=ro" if has_log else "mode=ro&immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None)
