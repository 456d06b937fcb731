"""The only place that opens a SQLite file and sets its pragmas.

The journal opens through `connect`; bindings that run on aiosqlite hand `connect` its keyword
arguments through `pragmas`, so that every file is in WAL mode and durable in the same way.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

Synchronous = Literal["FULL", "NORMAL"]

BUSY_TIMEOUT_MS = 5_000


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
