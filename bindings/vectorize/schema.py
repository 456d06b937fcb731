"""The tables of an index's file, and how an older file is converted.

Every conversion is one transaction. Raises StateError for a file of a newer Groundfog.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from emulator.errors import StateError

VERSION = 2

# 1: settings, and vectors with their values in the same row. 2: values in a table of their own, so
# that filters need not read them; numbered mutations; metadata indexes; waiting mutations.
_TABLES = """
CREATE TABLE settings (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    dimensions INTEGER,
    metric TEXT,
    description TEXT,
    created_ms INTEGER,
    changed_ms INTEGER,
    revision INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    mutation_id TEXT,
    mutated_at_ms INTEGER
);
CREATE TABLE vectors (
    row INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    namespace TEXT,
    metadata TEXT,
    written INTEGER NOT NULL
);
CREATE TABLE vector_values (row INTEGER PRIMARY KEY, vector BLOB NOT NULL);
CREATE TABLE metadata_indexes (
    property TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    since INTEGER NOT NULL,
    configured INTEGER NOT NULL
);
CREATE TABLE mutations (
    number INTEGER PRIMARY KEY,
    mutation_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    visible_ms INTEGER NOT NULL
);
CREATE TABLE mutation_items (
    number INTEGER NOT NULL,
    position INTEGER NOT NULL,
    id TEXT NOT NULL,
    vector BLOB,
    namespace TEXT,
    metadata TEXT,
    PRIMARY KEY (number, position)
) WITHOUT ROWID;
"""
_FIRST_SETTINGS = "INSERT INTO settings (only_row, revision, accepted) VALUES (1, 0, 0)"
_FROM_1 = """
ALTER TABLE settings RENAME TO settings_1;
ALTER TABLE vectors RENAME TO vectors_1;
{tables}
INSERT INTO settings
    (only_row, dimensions, metric, revision, accepted, mutation_id, mutated_at_ms)
    SELECT 1, dimensions, metric, revision + 1, 1, mutation_id, mutated_at_ms FROM settings_1;
INSERT INTO vectors SELECT rowid, id, namespace, metadata, 1 FROM vectors_1;
INSERT INTO vector_values SELECT rowid, vector FROM vectors_1;
DROP TABLE settings_1;
DROP TABLE vectors_1;
"""


def prepare(connection: sqlite3.Connection, path: Path) -> bool:
    """Create the tables, or convert older ones; return whether a file was converted."""
    if (found := _version(connection, path)) == VERSION:
        return False
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = _version(connection, path)  # another process may have converted it
        if found == 0:
            _run(connection, _TABLES)
            connection.execute(_FIRST_SETTINGS)
        elif found == 1:
            _run(connection, _FROM_1.format(tables=_TABLES))
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return found == 1


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise StateError(
            f"{path}: written by a newer Groundfog (format {version}, this one knows {VERSION})."
            " Upgrade Groundfog, or delete the file to start over."
        )
    return version


def _run(connection: sqlite3.Connection, script: str) -> None:
    """Run a script inside the transaction (`executescript` would commit first)."""
    for statement in script.split(";"):
        connection.execute(statement)
