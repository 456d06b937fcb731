"""The only place that opens a D1 file: with D1's settings and limits, in UTC.

D1 uses the newest SQLite, but Python's own SQLite is as old as the operating system. So D1 has a
SQLite of its own, the one inside apsw. Two copies of SQLite must not have one file open in one
process: a copy that closes a file drops the other's locks (sqlite.org/howtocorrupt.html, 2.2.1).
So nothing else may open the files of D1, and apsw opens no other files.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import apsw

from bindings.sql.limits import SETTINGS, apply_limits
from emulator.sqlite import BUSY_TIMEOUT_MS, Synchronous, pragmas

CACHED_STATEMENTS = 512


def open_connection(
    path: Path, synchronous: Synchronous, *, reads_only: bool, waits: bool
) -> apsw.Connection:
    """Return a connection to `path` with D1's limits; with `reads_only` it cannot change anything.

    Without `waits` it never waits for a lock. Raises apsw.Error when the file cannot be used.
    """
    # The writing connection is opened first and has put the file in WAL mode.
    busy_timeout_ms = BUSY_TIMEOUT_MS if waits else 0
    reading = (f"PRAGMA busy_timeout = {busy_timeout_ms}", "PRAGMA query_only = on")
    connection = _open(path, *(reading if reads_only else pragmas(synchronous)), *SETTINGS)
    # A connection uses the file only after a read. Then no other that closes deletes the log.
    connection.execute("PRAGMA schema_version").fetchall()
    apply_limits(connection)
    return connection


def open_whole(path: Path) -> apsw.Connection:
    """Return a connection to `path` without D1's rules; the file is created if it is missing.

    Raises apsw.Error.
    """
    return _open(path, *pragmas())


def open_read_only(path: Path) -> apsw.Connection:
    """Open the existing database `path` without changing a byte of it. Raises apsw.Error.

    Without a write-ahead log beside it, SQLite is told that nobody writes, or it would create one.
    """
    _live_in_utc()
    has_log = path.with_name(f"{path.name}-wal").exists()
    mode = "mode=ro" if has_log else "mode=ro&immutable=1"
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return apsw.Connection(f"{path.absolute().as_uri()}?{mode}", flags)


def _open(path: Path, *statements: str) -> apsw.Connection:
    _live_in_utc()
    connection = apsw.Connection(str(path), statementcachesize=CACHED_STATEMENTS)
    try:
        for statement in statements:
            connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


def _live_in_utc() -> None:
    """Set the time zone of this process to UTC: SQLite asks the C library what 'localtime' is.

    A terminal keeps the zone that it was made in.
    """
    if os.environ.get("TZ") != "UTC":
        os.environ["TZ"] = "UTC"
        time.tzset()
