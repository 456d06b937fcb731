"""What an index keeps on disk: settings, vectors, metadata indexes, and waiting mutations.

Every change is one transaction, committed before the call returns. It raises the revision, so that
other processes notice the change. All SQL on these tables is here. It never computes a score.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from bindings.vectorize import schema
from bindings.vectorize.vectors import Vector
from emulator.disk import make_folder, refuse_foreign_link
from emulator.sqlite import DatabaseFile, connect


class Settings(Struct, frozen=True):
    """The settings of an index. `dimensions` and `metric` are None until they are known.

    `accepted` counts mutations; `revision` counts changes that a query can see.
    """

    dimensions: int | None
    metric: str | None
    description: str | None
    created_ms: int | None
    changed_ms: int | None
    revision: int
    accepted: int
    mutation_id: str | None
    mutated_at_ms: int | None


class MetadataIndex(Struct, frozen=True):
    """A property that filters can use: values of `type`, written after mutation `since`."""

    type: str
    since: int
    configured: bool

    def covers(self, kind: str, written: int) -> bool:
        """Whether a value of this JSON type, written by that mutation, is in the index."""
        return kind == self.type and written > self.since


class StoredVector(NamedTuple):
    """A vector in the file. `row`: its number there. `written`: the number of its mutation."""

    row: int
    id: str
    values: bytes
    namespace: str | None
    metadata: str | None
    written: int


class Mutation(Struct, frozen=True):
    """A mutation that has been accepted and is not visible yet."""

    number: int
    mutation_id: str
    operation: str
    visible_ms: int


_VECTOR = (
    "SELECT row, id, vector, namespace, metadata, written FROM vectors JOIN vector_values"
    " USING (row)"
)


class Store:
    """One index's file, used from one thread at a time. Raises sqlite3.Error, StateError."""

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        refuse_foreign_link(path)
        self._connection = connect(path)
        self._database_file = DatabaseFile(path)
        try:
            self.converted = schema.prepare(self._connection, path)
        except BaseException:
            self._connection.close()
            raise

    def check_file(self, log: bool = False) -> None:
        """Raise Removed, a sqlite3.Error, if the file was removed; with `log`, also for its log."""
        self._database_file.look() if log else self._database_file.check()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def snapshot(self) -> Iterator[Settings]:
        """Read within one consistent state of the file."""
        self._connection.execute("BEGIN")
        try:
            yield self.settings()
        finally:
            self._connection.execute("COMMIT")

    @contextmanager
    def changing(self) -> Iterator[Settings]:
        """Change the file in one transaction that no other process can interleave with."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.settings()
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self.check_file()

    # --- settings

    def settings(self) -> Settings:
        """Return the settings as committed now."""
        row = self._connection.execute(
            "SELECT dimensions, metric, description, created_ms, changed_ms, revision, accepted,"
            " mutation_id, mutated_at_ms FROM settings"
        ).fetchone()
        return Settings(*row)

    def configure(
        self, dimensions: int | None, metric: str, description: str | None, now_ms: int
    ) -> None:
        """Write the definition of the index."""
        self._connection.execute(
            "UPDATE settings SET dimensions = ?, metric = ?,"
            " description = coalesce(?, description), created_ms = coalesce(created_ms, ?),"
            " changed_ms = ?",
            (dimensions, metric, description, now_ms, now_ms),
        )

    def erase(self) -> None:
        """Delete everything except groundfog.toml's settings and the counts, which only grow."""
        for table in ("vectors", "vector_values", "mutations", "mutation_items"):
            self._connection.execute(f"DELETE FROM {table}")
        self._connection.execute("DELETE FROM metadata_indexes WHERE NOT configured")
        self._connection.execute(
            "UPDATE settings SET dimensions = NULL, metric = NULL, description = NULL,"
            " created_ms = NULL, changed_ms = NULL, mutation_id = NULL, mutated_at_ms = NULL,"
            " revision = revision + 1"
        )

    def accept(self) -> int:
        """Return the number of the mutation that is about to be written."""
        row = self._connection.execute(
            "UPDATE settings SET accepted = accepted + 1 RETURNING accepted"
        ).fetchone()
        return int(row[0])

    def processed(self, mutation_id: str, now_ms: int) -> None:
        """Note the mutation that has just become visible."""
        self._connection.execute(
            "UPDATE settings SET revision = revision + 1, mutation_id = ?, mutated_at_ms = ?,"
            " created_ms = coalesce(created_ms, ?), changed_ms = ?",
            (mutation_id, now_ms, now_ms, now_ms),
        )

    def raise_revision(self) -> None:
        """Let other processes notice a change that is not a mutation."""
        self._connection.execute("UPDATE settings SET revision = revision + 1")

    # --- vectors

    def count(self) -> int:
        """Return how many vectors there are."""
        return int(self._connection.execute("SELECT count(*) FROM vectors").fetchone()[0])

    def insert(self, vectors: Iterable[Vector], written: int) -> list[StoredVector]:
        """Add the vectors whose id is new, the first of each id; return those that were added."""
        added = []
        for vector in vectors:
            row = self._connection.execute(
                "INSERT INTO vectors (id, namespace, metadata, written) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING RETURNING row",
                (vector.id, vector.namespace, vector.metadata, written),
            ).fetchone()
            if row is not None:
                added.append(self._put_values(row[0], vector, written))
        return added

    def upsert(self, vectors: Iterable[Vector], written: int) -> list[StoredVector]:
        """Add or completely replace vectors, the last of each id; return the written ones."""
        changed = []
        for vector in vectors:
            row = self._connection.execute(
                "INSERT INTO vectors (id, namespace, metadata, written) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET namespace = excluded.namespace,"
                " metadata = excluded.metadata, written = excluded.written RETURNING row",
                (vector.id, vector.namespace, vector.metadata, written),
            ).fetchone()
            changed.append(self._put_values(row[0], vector, written))
        return changed

    def _put_values(self, row: int, vector: Vector, written: int) -> StoredVector:
        self._connection.execute(
            "INSERT OR REPLACE INTO vector_values (row, vector) VALUES (?, ?)", (row, vector.values)
        )
        return StoredVector(
            row, vector.id, vector.values, vector.namespace, vector.metadata, written
        )

    def delete(self, ids: Iterable[str]) -> list[int]:
        """Remove the vectors with these ids; return their rows. Unknown ids do not matter."""
        removed = []
        for id_ in ids:
            row = self._connection.execute(
                "DELETE FROM vectors WHERE id = ? RETURNING row", (id_,)
            ).fetchone()
            if row is not None:
                self._connection.execute("DELETE FROM vector_values WHERE row = ?", row)
                removed.append(int(row[0]))
        return removed

    def get(self, ids: Sequence[str]) -> list[StoredVector]:
        """Return the vectors that exist, in the order of `ids`, each once."""
        marks = ", ".join("?" * len(ids))
        rows = self._connection.execute(f"{_VECTOR} WHERE id IN ({marks})", ids)
        found = {row[1]: StoredVector(*row) for row in rows}
        return [found[id_] for id_ in dict.fromkeys(ids) if id_ in found]

    def rows(self, rows: Sequence[int]) -> list[StoredVector]:
        """Return the vectors of these rows, in any order."""
        marks = ", ".join("?" * len(rows))
        found = self._connection.execute(f"{_VECTOR} WHERE row IN ({marks})", rows)
        return [StoredVector(*row) for row in found]

    def all(self) -> Iterator[StoredVector]:
        """Return every vector, in the order of its row."""
        return map(StoredVector._make, self._connection.execute(f"{_VECTOR} ORDER BY row"))

    def metadata(self) -> Iterator[tuple[int, str | None]]:
        """Yield every vector's row and metadata."""
        yield from self._connection.execute("SELECT row, metadata FROM vectors")

    def ids(self, after: str | None, count: int) -> list[str]:
        """Return up to `count` ids in order, after the id `after`."""
        rows = self._connection.execute(
            "SELECT id FROM vectors WHERE id > ? ORDER BY id LIMIT ?",
            ("" if after is None else after, count),
        )
        return [row[0] for row in rows]

    # --- metadata indexes

    def metadata_indexes(self) -> dict[str, MetadataIndex]:
        """Return the metadata indexes by property."""
        rows = self._connection.execute(
            "SELECT property, type, since, configured FROM metadata_indexes ORDER BY property"
        )
        return {row[0]: MetadataIndex(row[1], row[2], bool(row[3])) for row in rows}

    def put_metadata_index(self, name: str, index: MetadataIndex) -> None:
        """Add or replace a metadata index."""
        self._connection.execute(
            "INSERT OR REPLACE INTO metadata_indexes (property, type, since, configured)"
            " VALUES (?, ?, ?, ?)",
            (name, index.type, index.since, index.configured),
        )

    def drop_metadata_index(self, name: str) -> None:
        """Remove a metadata index, if there is one."""
        self._connection.execute("DELETE FROM metadata_indexes WHERE property = ?", (name,))

    # --- waiting mutations

    def postpone(self, mutation: Mutation, items: Iterable[Vector]) -> None:
        """Keep a mutation for later."""
        self._connection.execute(
            "INSERT INTO mutations (number, mutation_id, operation, visible_ms)"
            " VALUES (?, ?, ?, ?)",
            (mutation.number, mutation.mutation_id, mutation.operation, mutation.visible_ms),
        )
        self._connection.executemany(
            "INSERT INTO mutation_items (number, position, id, vector, namespace, metadata)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                (mutation.number, position, item.id, item.values, item.namespace, item.metadata)
                for position, item in enumerate(items)
            ),
        )

    def waiting(self, until_ms: int | None = None) -> list[Mutation]:
        """Return the waiting mutations, oldest first: all, or those due by `until_ms`."""
        rows = self._connection.execute(
            "SELECT number, mutation_id, operation, visible_ms FROM mutations"
            " WHERE ? IS NULL OR visible_ms <= ? ORDER BY number",
            (until_ms, until_ms),
        )
        return [Mutation(*row) for row in rows]

    def take(self, mutation: Mutation) -> list[Vector]:
        """Remove a waiting mutation and return its items."""
        rows = self._connection.execute(
            "SELECT id, vector, namespace, metadata FROM mutation_items WHERE number = ?"
            " ORDER BY position",
            (mutation.number,),
        ).fetchall()
        for table in ("mutation_items", "mutations"):
            self._connection.execute(f"DELETE FROM {table} WHERE number = ?", (mutation.number,))
        return [Vector(*row) for row in rows]
