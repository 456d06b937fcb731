"""What an index keeps on disk: its settings and its vectors, in one SQLite file.

Every change is one transaction, committed before the call returns, and raises the revision, by
which a process notices what another one changed. SQL is written here and nowhere else in the
package. Never computes a score.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bindings.vectorize.vectors import Vector
from emulator.errors import StateError
from emulator.sqlite import connect

SCHEMA_VERSION = 1
SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS settings (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    dimensions INTEGER,
    metric TEXT,
    revision INTEGER NOT NULL,
    mutation_id TEXT,
    mutated_at_ms INTEGER
);
INSERT OR IGNORE INTO settings (only_row, revision) VALUES (1, 0);
CREATE TABLE IF NOT EXISTS vectors (
    id TEXT PRIMARY KEY,
    vector BLOB NOT NULL,
    namespace TEXT,
    metadata TEXT
);
PRAGMA user_version = 1;
COMMIT;
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an index remembers of itself. `dimensions` and `metric` are None until known."""

    dimensions: int | None
    metric: str | None
    revision: int
    mutation_id: str | None
    mutated_at_ms: int | None


class Store:
    """One index's file, used from one thread at a time. Raises sqlite3.Error, StateError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = connect(path)
        try:
            self._create_schema()
        except BaseException:
            self._connection.close()
            raise

    def _create_schema(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise StateError(
                f"{self._path}: written by a newer Groundfog (format {version}, this one knows "
                f"{SCHEMA_VERSION}). Upgrade Groundfog, or delete the file to start over."
            )
        if version < SCHEMA_VERSION:
            self._connection.executescript(SCHEMA)

    def close(self) -> None:
        self._connection.close()

    def settings(self) -> Settings:
        """Return the settings as committed now."""
        row = self._connection.execute(
            "SELECT dimensions, metric, revision, mutation_id, mutated_at_ms FROM settings"
        ).fetchone()
        return Settings(*row)

    def count(self) -> int:
        (count,) = self._connection.execute("SELECT count(*) FROM vectors").fetchone()
        return int(count)

    def begin(self) -> Settings:
        """Start a change that no other process can interleave with; return the settings."""
        self._connection.execute("BEGIN IMMEDIATE")
        return self.settings()

    def commit(self, dimensions: int | None, metric: str, mutation_id: str, now_ms: int) -> None:
        """Finish the change durably, with the settings it leads to."""
        self._connection.execute(
            "UPDATE settings SET dimensions = ?, metric = ?, revision = revision + 1, "
            "mutation_id = ?, mutated_at_ms = ?",
            (dimensions, metric, mutation_id, now_ms),
        )
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """Drop the change, if one is going on."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def insert(self, vectors: Iterable[Vector]) -> list[Vector]:
        """Add those whose id is new, the first of each id; return what was added."""
        return [vector for vector in vectors if self._write("INSERT OR IGNORE", vector)]

    def upsert(self, vectors: Iterable[Vector]) -> None:
        """Add or wholly replace, the last of each id winning."""
        for vector in vectors:
            self._write("INSERT OR REPLACE", vector)

    def _write(self, verb: str, vector: Vector) -> bool:
        cursor = self._connection.execute(
            f"{verb} INTO vectors (id, vector, namespace, metadata) VALUES (?, ?, ?, ?)",
            (vector.id, vector.values, vector.namespace, vector.metadata),
        )
        return cursor.rowcount > 0

    def delete(self, ids: Iterable[str]) -> None:
        """Remove the vectors with these ids; unknown ones do not matter."""
        self._connection.executemany("DELETE FROM vectors WHERE id = ?", [(id_,) for id_ in ids])

    def get(self, ids: Sequence[str]) -> list[Vector]:
        """Return the vectors that exist, in the order of `ids`, each once."""
        marks = ", ".join("?" * len(ids))
        rows = self._connection.execute(
            f"SELECT id, vector, namespace, metadata FROM vectors WHERE id IN ({marks})", ids
        )
        found = {row[0]: Vector(*row) for row in rows}
        return [found[id_] for id_ in dict.fromkeys(ids) if id_ in found]

    def read_all(self) -> tuple[int, list[Vector]]:
        """Return the revision and every vector of that revision."""
        self._connection.execute("BEGIN")
        try:
            revision = self.settings().revision
            rows = self._connection.execute("SELECT id, vector, namespace, metadata FROM vectors")
            return revision, [Vector(*row) for row in rows]
        finally:
            self._connection.execute("COMMIT")
