"""Opens the file of an object, and makes its own tables in a new one."""

from __future__ import annotations

from pathlib import Path

import apsw

from bindings.durable_objects.alarms import NAME
from bindings.sql.opening import open_connection
from emulator.disk import make_folder, refuse_foreign_link
from emulator.sqlite import Synchronous

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS _cf_METADATA (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
)


def open_file(
    path: Path, synchronous: Synchronous, name: str | None
) -> tuple[apsw.Connection, bool]:
    """Return a connection to an object's file, and whether the file is new.

    name: see `Storage`. Raises OSError and apsw.Error.
    """
    make_folder(path.parent)
    refuse_foreign_link(path)
    # A new file waits for no disk: nobody was told of anything in it before `Storage.durable`.
    at_first: Synchronous = synchronous if path.exists() else "OFF"
    connection = open_connection(path, at_first, reads_only=False, waits=True)
    # To copy the log into the file at each close would wait for the disk; the log may stay.
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    try:
        is_new = connection.execute("PRAGMA schema_version").get == 0
        if is_new:
            _prepare(connection, name)
        connection.execute(f"PRAGMA synchronous = {synchronous}")
    except BaseException:
        connection.close()
        raise
    return connection, is_new


def _prepare(connection: apsw.Connection, name: str | None) -> None:
    with connection:
        for statement in _SCHEMA:
            connection.execute(statement)
        if name is not None:
            connection.execute("INSERT INTO _cf_METADATA VALUES (?, ?)", (NAME, name))
