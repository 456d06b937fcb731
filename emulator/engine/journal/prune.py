"""Deletes ended instances on request, and measures how much space the journal takes.

Only ended instances are pruned. The caller passes the function that deletes: for a running engine,
memory must follow; for a journal without an engine, it need not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from emulator import sqlite
from emulator.engine.journal.journal import Journal
from emulator.engine.model.instance import TERMINAL, Status
from emulator.errors import StateError

AT_ONCE = 500  # instances per commit; requests are answered in between
_ROW_BYTES = 24  # roughly what SQLite adds to a row, with its place in the index
LARGEST_MAX = 1_000


class Prunable(Struct, frozen=True):
    """Which ended instances: of one workflow, with these statuses, ended until a time."""

    workflow: str | None = None
    statuses: frozenset[Status] = TERMINAL
    ended_until_ms: int | None = None

    def where(self) -> tuple[str, tuple[object, ...]]:
        """Return the condition in SQL, and its parameters."""
        statuses = sorted(self.statuses & TERMINAL)
        condition = f"status IN ({','.join('?' * len(statuses))})"
        parameters: list[object] = [status.value for status in statuses]
        if self.workflow is not None:
            condition += " AND workflow = ?"
            parameters.append(self.workflow)
        if self.ended_until_ms is not None:
            condition += " AND ended_ms <= ?"
            parameters.append(self.ended_until_ms)
        return condition, tuple(parameters)


def count(journal: Journal, wanted: Prunable) -> int:
    """Return how many instances `prune` would delete. Raises StateError."""
    where, parameters = wanted.where()
    found = journal.query(f"SELECT count(*) FROM instances WHERE {where}", parameters)
    return int(found[0][0])


async def prune(journal: Journal, wanted: Prunable, delete: Callable[[int], None]) -> int:
    """Delete ended instances and return how many; `delete` takes a journal key.

    Returns when it is durable. Raises StateError when the journal cannot be read or written;
    instances deleted before that stay deleted.
    """
    where, parameters = wanted.where()
    statement = f"SELECT key FROM instances WHERE {where} ORDER BY key LIMIT {AT_ONCE}"
    pruned = 0
    while found := journal.query(statement, parameters):
        for (key,) in found:
            delete(key)
        await journal.committed()
        pruned += len(found)
    return pruned


class WorkflowSize(Struct, frozen=True):
    """The size of a workflow's history; `history_bytes`: roughly on disk."""

    workflow: str
    instances: int
    entries: int
    history_bytes: int


class InstanceSize(Struct, frozen=True):
    """The size of one instance's history."""

    workflow: str
    id: str
    status: Status
    entries: int
    history_bytes: int


class Sizes(Struct, frozen=True):
    """The size of a journal. `free_bytes`: the part of `file_bytes` that can be used again."""

    file_bytes: int
    log_bytes: int  # the write-ahead log beside it, which a stop of the server empties
    free_bytes: int
    workflows: list[WorkflowSize]  # the largest first
    largest: list[InstanceSize]  # the largest first


def measure(path: Path, largest: int = 10) -> Sizes:
    """Return the size of the journal at `path`; it reads all of it, so call it on a thread.

    Uncommitted entries are not counted; a missing journal has size 0.
    Raises StateError when it cannot be read.
    """
    if not path.exists():
        return Sizes(0, 0, 0, [], [])
    try:
        connection = sqlite.connect_read_only(path)
        try:
            return _measured(connection, path, largest)
        finally:
            connection.close()
    except (sqlite3.Error, OSError) as error:
        raise StateError(f"{path}: not read: {error}") from error


def _measured(connection: sqlite3.Connection, path: Path, largest: int) -> Sizes:
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("BEGIN")  # all figures are from one moment
    row = f"length(step) + ifnull(length(data), 0) + ifnull(length(value), 0) + {_ROW_BYTES}"
    connection.execute(
        "CREATE TEMP TABLE sizes AS SELECT instance AS key, count(*) AS entries,"
        f" sum({row}) AS bytes FROM entries GROUP BY instance"
    )
    connection.execute(
        "UPDATE sizes SET bytes = sizes.bytes + streams.bytes FROM (SELECT instance,"
        f" sum(length(chunk) + {_ROW_BYTES}) AS bytes FROM stream_chunks GROUP BY instance)"
        " AS streams WHERE streams.instance = sizes.key"
    )
    workflows = [
        WorkflowSize(*found)
        for found in connection.execute(
            "SELECT workflow, count(*), ifnull(sum(entries), 0), ifnull(sum(bytes), 0)"
            " FROM instances LEFT JOIN sizes USING (key) GROUP BY workflow ORDER BY 4 DESC, 1"
        )
    ]
    instances = [
        InstanceSize(workflow, instance_id, Status(status), entries, size)
        for workflow, instance_id, status, entries, size in connection.execute(
            "SELECT workflow, id, status, entries, bytes FROM sizes JOIN instances USING (key)"
            " ORDER BY bytes DESC, key LIMIT ?",
            (largest,),
        )
    ]
    return Sizes(
        path.stat().st_size,
        _size(path.with_name(f"{path.name}-wal")),
        _pragma(connection, "freelist_count") * _pragma(connection, "page_size"),
        workflows,
        instances,
    )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
