"""Opens a file with D1's settings and limits, for writing or for reading."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from bindings.d1.functions import add_missing_functions
from bindings.d1.limits import SETTINGS, apply_limits
from emulator.sqlite import BUSY_TIMEOUT_MS, Synchronous, pragmas

CACHED_STATEMENTS = 512


def open_connection(
    path: Path, synchronous: Synchronous, *, reads_only: bool, waits: bool
) -> sqlite3.Connection:
    """Return a connection to `path`, on which nothing may be changed with `reads_only`.

    Without `waits` it never waits for a lock. Raises sqlite3.Error when the file cannot be used.
    """
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=CACHED_STATEMENTS
    )
    try:
        # The writing connection is opened first and has put the file in WAL mode.
        busy_timeout_ms = BUSY_TIMEOUT_MS if waits else 0
        reading = (f"PRAGMA busy_timeout = {busy_timeout_ms}", "PRAGMA query_only = on")
        for statement in (*(reading if reads_only else pragmas(synchronous)), *SETTINGS):
            connection.execute(statement)
        apply_limits(connection)
        add_missing_functions(connection)
    except BaseException:
        connection.close()
        raise
    return connection
