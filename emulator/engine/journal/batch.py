"""What one commit writes, in the order in which it is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from emulator.engine.journal import rows
from emulator.engine.journal.rows import Row
from emulator.engine.model.entries import Entry

_INSERT_ENTRY = (
    "INSERT INTO entries (id, instance, at_ms, kind, step, attempt, data, value)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_INSTANCE = (
    "INSERT INTO instances (key, workflow, id, created_ms, status) VALUES (?, ?, ?, ?, ?)"
)
_SET_STATUS = (
    "UPDATE instances SET status = ?, wake_ms = ?, ended_ms = ?, expires_ms = ? WHERE key = ?"
)
_WIPE = "DELETE FROM entries WHERE instance = ?"
_STRIKE = "DELETE FROM entries WHERE id = ?"
_DELETE_INSTANCE = "DELETE FROM instances WHERE key = ?"
_INSERT_GENERATION = "INSERT INTO generations (id, code, since_ms) VALUES (?, ?, ?)"
_INSERT_CHUNK = "INSERT INTO stream_chunks (stream, position, instance, chunk) VALUES (?, ?, ?, ?)"
_DROP_STREAM = "DELETE FROM stream_chunks WHERE stream = ?"
_DROP_STREAMS = "DELETE FROM stream_chunks WHERE instance = ?"
_RAISE_HIGH_WATER = "UPDATE high_water SET entry = max(entry, ?), instance = max(instance, ?)"

GenerationRow = tuple[int, str, int]  # number, code, since when


class Rows:
    """The rows that are not written yet, each as its statement takes it."""

    def __init__(self) -> None:
        self.wiped: list[tuple[int]] = []
        self.deleted: list[tuple[int]] = []
        self.struck: list[tuple[int]] = []
        self.instances: list[tuple[object, ...]] = []
        self.entries: list[Row | None] = []  # None: this row has become part of a later one
        self.last: dict[int, int] = {}  # instance -> index of the row with its last entry
        self.statuses: dict[int, tuple[object, ...]] = {}  # by key: the last one
        self.generations: list[GenerationRow] = []
        self.chunks: list[tuple[int, int, int, bytes]] = []
        self.dropped: list[tuple[int]] = []  # streams

    def __bool__(self) -> bool:
        return bool(
            self.wiped
            or self.struck
            or self.instances
            or self.entries
            or self.statuses
            or self.generations
            or self.chunks
            or self.dropped
        )

    def add(self, row: Row, next_id: int) -> int:
        """Add the row of an entry; if possible, it joins the last row of its instance.

        next_id: for the entry after it. Returns that id again; it is higher if two rows became one.
        """
        place = self.last.get(row[1])
        last = None if place is None else self.entries[place]
        if last is not None:
            both = rows.at_once(last, row, next_id)
            if both is not None:
                assert place is not None
                self.entries[place] = None
                next_id = both[0] + 1
                row = both
        self.last[row[1]] = len(self.entries)
        self.entries.append(row)
        return next_id

    def wipe(self, key: int) -> None:
        """Delete every entry of an instance, and all its streams."""
        self.entries = [row for row in self.entries if row is not None and row[1] != key]
        self.last.clear()
        self.wiped.append((key,))
        self.chunks = [row for row in self.chunks if row[2] != key]

    def delete(self, key: int) -> None:
        """Delete an instance that was wiped."""
        self.instances = [row for row in self.instances if row[0] != key]
        self.statuses.pop(key, None)
        self.deleted.append((key,))

    def drop_stream(self, stream: int) -> None:
        """Delete the chunks of a stream."""
        self.chunks = [row for row in self.chunks if row[0] != stream]
        self.dropped.append((stream,))

    def write(self, connection: sqlite3.Connection, highest: tuple[int, int]) -> None:
        """Write everything in the open transaction.

        highest: the highest ids of an entry and of an instance that were ever given.
        """
        if self.wiped or self.struck:
            connection.execute(_RAISE_HIGH_WATER, highest)
            connection.executemany(_DROP_STREAMS, self.wiped)
        if self.chunks or self.dropped:
            connection.executemany(_DROP_STREAM, self.dropped)
            connection.executemany(_INSERT_CHUNK, self.chunks)
        if self.wiped or self.struck or self.deleted or self.generations:  # rare: steps have none
            connection.executemany(_WIPE, self.wiped)
            connection.executemany(_STRIKE, self.struck)
            connection.executemany(_DELETE_INSTANCE, self.deleted)
            connection.executemany(_INSERT_GENERATION, self.generations)
        connection.executemany(_INSERT_INSTANCE, self.instances)
        connection.executemany(_INSERT_ENTRY, filter(None, self.entries))
        connection.executemany(_SET_STATUS, self.statuses.values())


class Batch:
    """All that is recorded in one turn of the event loop: one transaction.

    rows: what is not written yet. written: a part is written, in a transaction that is still open.
    failure: why a part could not be written; then nothing of the turn is. entries: the entries as
    values. keys: the instances that they are about. generations: all new ones, written or not.
    """

    def __init__(self) -> None:
        self.rows = Rows()
        self.written = False
        self.failure: sqlite3.Error | None = None
        self.entries: list[Entry] = []
        self.keys: set[int] = set()
        self.generations: list[GenerationRow] = []

    def __bool__(self) -> bool:
        return self.written or self.failure is not None or bool(self.rows)

    def add(self, entries: Sequence[Entry], first_id: int) -> int:
        """Add entries that were decided together; return the id for the entry after them."""
        next_id = first_id + len(entries)
        for row in rows.pack(entries, first_id):
            next_id = self.rows.add(row, next_id)
        self.entries += entries
        return next_id

    def wipe(self, key: int) -> None:
        """Delete every entry of an instance, and all its streams."""
        self.rows.wipe(key)
        self.entries = [entry for entry in self.entries if entry.instance != key]
