"""Every message of the project's queues, in one SQLite file: sent, taken, settled, moved.

A message is visible from a moment on, which a delay moves. Who delivers messages to a worker keeps
in memory which ones are out: after a crash they are delivered again. A message that was pulled is
hidden in the file until its lease is over. All SQL of queues is here.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from msgspec import Struct

from bindings.queues.rules import RETENTION_MS
from bindings.store import Store
from emulator.sqlite import Synchronous

SCHEMA = (
    """
    CREATE TABLE messages (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, queue TEXT NOT NULL,
        content_type TEXT NOT NULL, created_ms INTEGER NOT NULL, attempts INTEGER NOT NULL,
        visible_ms INTEGER NOT NULL, lease TEXT, body BLOB NOT NULL
    );
    CREATE UNIQUE INDEX by_id ON messages (queue, id);
    CREATE INDEX by_visibility ON messages (queue, visible_ms, seq);
    CREATE INDEX by_age ON messages (queue, created_ms);
    CREATE TABLE queues (
        name TEXT PRIMARY KEY, paused INTEGER NOT NULL DEFAULT 0, count INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0
    )
    """,
)
_FIELDS = "seq, id, content_type, created_ms, attempts, body"


class Sent(Struct, frozen=True):
    """A message to send. delay_s: until it can be delivered. id, created_ms: of a moved one."""

    body: bytes
    content_type: str
    delay_s: int = 0
    id: str = ""
    created_ms: int = 0


class Message(Struct, frozen=True):
    """A message in a queue. `attempts` have failed until now."""

    seq: int
    id: str
    content_type: str
    created_ms: int
    attempts: int
    body: bytes


class Pulled(Struct, frozen=True):
    """A message that was pulled, until its lease is over."""

    message: Message
    lease: str


class Metrics(Struct, frozen=True):
    """What waits in a queue; `oldest_ms` is 0 when nothing does."""

    count: int
    bytes: int
    oldest_ms: int

    def as_json(self) -> dict[str, int]:
        """Return it as the client and REST show it."""
        return {
            "backlogCount": self.count,
            "backlogBytes": self.bytes,
            "oldestMessageTimestamp": self.oldest_ms,
        }


class Settled(Struct, frozen=True):
    """What became of delivered messages: done, to be tried again from a moment on, or given up."""

    done: Sequence[Message]
    retried: Sequence[tuple[Message, int]]
    dead: Sequence[Message]


class Broker:
    """The queues in the file `path`. now_ms: the time by which messages become visible.

    on_change: called for each queue with messages that may have become visible.
    """

    def __init__(self, path: Path, now_ms: Callable[[], int], synchronous: Synchronous) -> None:
        self._store = Store(path, SCHEMA, synchronous)
        self._now_ms = now_ms
        self.on_change: dict[str, Callable[[], None]] = {}
        self.removed = self._store.removed
        self.close = self._store.close

    async def send(self, queue: str, messages: Sequence[Sent]) -> Metrics:
        """Put messages into a queue; durable on return. Returns what waits there now."""
        now_ms = self._now_ms()

        def write(connection: sqlite3.Connection) -> Metrics:
            _forget_old(connection, queue, now_ms)
            _insert(connection, queue, messages, now_ms)
            return _metrics(connection, queue)

        metrics = await self._store.write(write)
        self._changed(queue)
        return metrics

    def ready(self, queue: str, limit: int, taken: Collection[int]) -> list[Message]:
        """Return messages that can be delivered now, those that were sent first, without `taken`.

        There are none of a queue that is paused.
        """
        now_ms = self._now_ms()

        def read(connection: sqlite3.Connection) -> list[Message]:
            if _is_paused(connection, queue):
                return []
            rows = connection.execute(
                f"SELECT {_FIELDS} FROM messages WHERE queue = ? AND visible_ms <= ?"
                " AND created_ms > ? ORDER BY visible_ms, seq LIMIT ?",
                (queue, now_ms, now_ms - RETENTION_MS, limit + len(taken)),
            )
            found = [Message(*row) for row in rows]
            return [message for message in found if message.seq not in taken][:limit]

        return self._store.read(read)

    def next_ms(self, queue: str) -> int | None:
        """Return when the next message becomes visible that is not yet; None: there is none."""
        now_ms = self._now_ms()
        (found,) = self._store.read(
            lambda connection: connection.execute(
                "SELECT min(visible_ms) FROM messages WHERE queue = ? AND visible_ms > ?",
                (queue, now_ms),
            ).fetchone()
        )
        return None if found is None else int(found)

    async def settle(self, queue: str, settled: Settled, dead_letters: str | None) -> None:
        """Record what became of delivered messages; durable on return.

        What is given up goes to the queue `dead_letters` with its id and time, or is deleted.
        """
        now_ms = self._now_ms()

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "UPDATE messages SET attempts = ?, visible_ms = ?, lease = NULL WHERE seq = ?",
                [(each.attempts + 1, at_ms, each.seq) for each, at_ms in settled.retried],
            )
            _delete(connection, queue, [each.seq for each in (*settled.done, *settled.dead)])
            if dead_letters is not None:
                moved = [
                    Sent(each.body, each.content_type, 0, each.id, each.created_ms)
                    for each in settled.dead
                ]
                _insert(connection, dead_letters, moved, now_ms)

        await self._store.write(write)
        self._changed(queue)
        if settled.dead and dead_letters is not None:
            self._changed(dead_letters)

    async def pull(self, queue: str, limit: int, lease_ms: int) -> list[Pulled]:
        """Hide messages for a time and return them; each costs an attempt."""
        now_ms = self._now_ms()

        def write(connection: sqlite3.Connection) -> list[Pulled]:
            rows = connection.execute(
                f"SELECT {_FIELDS} FROM messages WHERE queue = ? AND visible_ms <= ?"
                " AND created_ms > ? ORDER BY visible_ms, seq LIMIT ?",
                (queue, now_ms, now_ms - RETENTION_MS, limit),
            ).fetchall()
            found = [Pulled(Message(*row), secrets.token_hex(16)) for row in rows]
            connection.executemany(
                "UPDATE messages SET attempts = attempts + 1, visible_ms = ?, lease = ?"
                " WHERE seq = ?",
                [(now_ms + lease_ms, each.lease, each.message.seq) for each in found],
            )
            return found

        return await self._store.write(write)

    async def release(
        self, queue: str, acks: Sequence[str], retries: Sequence[tuple[str, int]]
    ) -> tuple[int, int]:
        """End leases: delete messages, or show them again after seconds. Returns how many of each.

        A lease that is not known, or that another pull has taken over, counts for nothing.
        """
        now_ms = self._now_ms()

        def write(connection: sqlite3.Connection) -> tuple[int, int]:
            found = [_leased(connection, queue, lease) for lease in acks]
            acked = [seq for seq in found if seq is not None]
            _delete(connection, queue, acked)
            again = 0
            for lease, delay_s in retries:
                again += connection.execute(
                    "UPDATE messages SET visible_ms = ?, lease = NULL"
                    " WHERE queue = ? AND lease = ?",
                    (now_ms + delay_s * 1000, queue, lease),
                ).rowcount
            return len(acked), again

        counts = await self._store.write(write)
        self._changed(queue)
        return counts

    def metrics(self, queue: str) -> Metrics:
        """Return what waits in a queue."""
        return self._store.read(lambda connection: _metrics(connection, queue))

    def peek(self, queue: str, limit: int) -> list[Message]:
        """Return the oldest messages, visible or not; nothing changes."""
        rows = self._store.read(
            lambda connection: connection.execute(
                f"SELECT {_FIELDS} FROM messages WHERE queue = ? ORDER BY created_ms, seq LIMIT ?",
                (queue, limit),
            ).fetchall()
        )
        return [Message(*row) for row in rows]

    async def purge(self, queue: str) -> int:
        """Delete every message of a queue; return how many."""

        def write(connection: sqlite3.Connection) -> int:
            count = _metrics(connection, queue).count
            connection.execute("DELETE FROM messages WHERE queue = ?", (queue,))
            connection.execute("UPDATE queues SET count = 0, bytes = 0 WHERE name = ?", (queue,))
            return count

        return await self._store.write(write)

    async def pause(self, queue: str, paused: bool) -> None:
        """Stop or resume the delivery of a queue; durable on return."""
        await self._store.write(
            lambda connection: (
                connection.execute(
                    "INSERT INTO queues (name, paused) VALUES (?, ?)"
                    " ON CONFLICT (name) DO UPDATE SET paused = excluded.paused",
                    (queue, paused),
                )
                and None
            )
        )
        self._changed(queue)

    def is_paused(self, queue: str) -> bool:
        """Whether the delivery of a queue is stopped."""
        return self._store.read(lambda connection: _is_paused(connection, queue))

    def version(self) -> int:
        """Return a number that changes when anybody changes the file, other processes too."""
        (found,) = self._store.read(
            lambda connection: connection.execute("PRAGMA data_version").fetchone()
        )
        return int(found)

    def _changed(self, queue: str) -> None:
        called = self.on_change.get(queue)
        if called is not None:
            called()


def _insert(
    connection: sqlite3.Connection, queue: str, messages: Sequence[Sent], now_ms: int
) -> None:
    count = size = 0
    for each in messages:
        cursor = connection.execute(
            "INSERT OR IGNORE INTO messages"
            " (id, queue, content_type, created_ms, attempts, visible_ms, body)"
            " VALUES (?, ?, ?, ?, 0, ?, ?)",
            (
                each.id or secrets.token_hex(16),
                queue,
                each.content_type,
                each.created_ms or now_ms,
                now_ms + each.delay_s * 1000,
                each.body,
            ),
        )
        count += cursor.rowcount
        size += len(each.body) * cursor.rowcount
    _count(connection, queue, count, size)


def _delete(connection: sqlite3.Connection, queue: str, seqs: Sequence[int]) -> None:
    count = size = 0
    for seq in seqs:
        row = connection.execute(
            "DELETE FROM messages WHERE seq = ? RETURNING length(body)", (seq,)
        ).fetchone()
        if row is not None:
            count += 1
            size += row[0]
    _count(connection, queue, -count, -size)


def _count(connection: sqlite3.Connection, queue: str, count: int, size: int) -> None:
    connection.execute(
        "INSERT INTO queues (name, count, bytes) VALUES (?, ?, ?) ON CONFLICT (name)"
        " DO UPDATE SET count = count + excluded.count, bytes = bytes + excluded.bytes",
        (queue, count, size),
    )


def _forget_old(connection: sqlite3.Connection, queue: str, now_ms: int) -> None:
    rows = connection.execute(
        "SELECT seq FROM messages WHERE queue = ? AND created_ms <= ?"
        " ORDER BY created_ms LIMIT 100",
        (queue, now_ms - RETENTION_MS),
    ).fetchall()
    if rows:
        _delete(connection, queue, [seq for (seq,) in rows])


def _metrics(connection: sqlite3.Connection, queue: str) -> Metrics:
    row = connection.execute("SELECT count, bytes FROM queues WHERE name = ?", (queue,)).fetchone()
    (oldest_ms,) = connection.execute(
        "SELECT min(created_ms) FROM messages WHERE queue = ?", (queue,)
    ).fetchone()
    count, size = row or (0, 0)
    return Metrics(count, size, oldest_ms or 0)


def _is_paused(connection: sqlite3.Connection, queue: str) -> bool:
    row = connection.execute("SELECT paused FROM queues WHERE name = ?", (queue,)).fetchone()
    return bool(row and row[0])


def _leased(connection: sqlite3.Connection, queue: str, lease: str) -> int | None:
    row = connection.execute(
        "SELECT seq FROM messages WHERE queue = ? AND lease = ?", (queue, lease)
    ).fetchone()
    return None if row is None else int(row[0])
