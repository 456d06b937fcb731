"""The keys and values of one namespace, in a SQLite file. It knows no client and no HTTP.

A value that has expired is not found, and is deleted by a later write. All SQL of KV is here.
"""

from __future__ import annotations

import base64
import binascii
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from bindings.kv import rules
from bindings.kv.rules import Refused
from bindings.store import Store
from emulator.sqlite import Synchronous, connect_read_only

# The value comes last: what stands before it is read without the pages of a large value.
SCHEMA = (
    """
    CREATE TABLE entries (
        key BLOB PRIMARY KEY, expires_s INTEGER, metadata TEXT, value BLOB NOT NULL
    );
    CREATE INDEX expiring ON entries (expires_s) WHERE expires_s IS NOT NULL
    """,
)
SHORT_MAX_BYTES = 256 * 1024  # a longer value is read on a thread
EXPIRED_AT_ONCE = 100  # how many expired values one write deletes


class Entry(Struct, frozen=True):
    """A value with its metadata, JSON or None, and when it expires, in seconds, or None."""

    value: bytes
    metadata: str | None = None
    expires_s: int | None = None


class Listed(Struct, frozen=True):
    """A key of a list."""

    name: str
    metadata: str | None
    expires_s: int | None


class Page(Struct, frozen=True):
    """Part of a list. `cursor` is None on the last page."""

    keys: list[Listed]
    cursor: str | None


class Namespace:
    """One namespace in the file `path`. now_ms: the time by which values expire.

    Its methods raise WorkerError when the disk refuses.
    """

    def __init__(self, path: Path, now_ms: Callable[[], int], synchronous: Synchronous) -> None:
        self.store = Store(path, SCHEMA, synchronous)
        self._now_ms = now_ms
        self.removed = self.store.removed
        self.close = self.store.close

    def now_s(self) -> int:
        """Return the time, in seconds since 1970."""
        return self._now_ms() // 1000

    async def get(self, key: bytes) -> Entry | None:
        """Return what is stored under a key; None if nothing is."""
        now_s = self.now_s()

        def short(connection: sqlite3.Connection) -> Entry | None | bool:
            row = connection.execute(
                "SELECT length(value), expires_s FROM entries WHERE key = ?", (key,)
            ).fetchone()
            if row is None or _is_expired(row[1], now_s):
                return None
            return _entry(connection, key) if row[0] <= SHORT_MAX_BYTES else True

        found = self.store.read(short)
        if isinstance(found, bool):
            return await self.store.read_long(lambda connection: _entry(connection, key))
        return found

    async def get_many(self, keys: Sequence[bytes]) -> list[Entry | None]:
        """Return what is stored under each key."""
        return [await self.get(key) for key in keys]

    async def put(self, key: bytes, entry: Entry) -> None:
        """Store a value; durable when this returns."""
        await self.put_many([(key, entry)])

    async def put_many(self, entries: Sequence[tuple[bytes, Entry]]) -> None:
        """Store values, all or none; durable when this returns."""
        now_s = self.now_s()
        rows = [(key, each.expires_s, each.metadata, each.value) for key, each in entries]

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", rows)
            _delete_expired(connection, now_s)

        await self.store.write(write)

    async def delete(self, keys: Sequence[bytes]) -> None:
        """Delete keys, those that exist; durable when this returns."""
        rows = [(key,) for key in keys]
        await self.store.write(
            lambda connection: (
                connection.executemany("DELETE FROM entries WHERE key = ?", rows) and None
            )
        )

    async def list(
        self, prefix: str = "", limit: int = rules.LIST_MAX_KEYS, cursor: str = ""
    ) -> Page:
        """Return the keys that begin with `prefix`, in the order of their bytes. Raises Refused."""
        rules.check_list_limit(limit)
        first = rules.check_length(prefix)
        after = _from_cursor(cursor)
        now_s = self.now_s()

        def read(connection: sqlite3.Connection) -> Page:
            rows = connection.execute(
                "SELECT key, metadata, expires_s FROM entries"
                " WHERE key >= ?1 AND (?2 IS NULL OR key < ?2) AND (?3 IS NULL OR key > ?3)"
                " AND (expires_s IS NULL OR expires_s > ?4) ORDER BY key LIMIT ?5",
                (max(first, after or b""), _end_of(first), after, now_s, limit + 1),
            ).fetchall()
            keys = [Listed(key.decode(), *rest) for key, *rest in rows[:limit]]
            return Page(keys, _to_cursor(rows[limit - 1][0]) if len(rows) > limit else None)

        return self.store.read(read)


def _entry(connection: sqlite3.Connection, key: bytes) -> Entry | None:
    row = connection.execute(
        "SELECT value, metadata, expires_s FROM entries WHERE key = ?", (key,)
    ).fetchone()
    return None if row is None else Entry(*row)


def _is_expired(expires_s: int | None, now_s: int) -> bool:
    return expires_s is not None and expires_s <= now_s


def _delete_expired(connection: sqlite3.Connection, now_s: int) -> None:
    connection.execute(
        "DELETE FROM entries WHERE key IN"
        " (SELECT key FROM entries WHERE expires_s <= ? ORDER BY expires_s LIMIT ?)",
        (now_s, EXPIRED_AT_ONCE),
    )


def _end_of(prefix: bytes) -> bytes | None:
    """Return the first key after all that begin with `prefix`; None when there is no such key."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else None


def _to_cursor(last: bytes) -> str:
    return base64.b64encode(last).decode()


def _from_cursor(cursor: str) -> bytes | None:
    if not cursor:
        return None
    try:
        return base64.b64decode(cursor, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(400, "Invalid cursor") from None


def every_entry(path: Path) -> list[tuple[bytes, bytes, str | None]]:
    """Return key, value and metadata of each entry of a file, which need not exist."""
    if not path.exists():
        return []
    with closing(connect_read_only(path)) as connection:
        return connection.execute("SELECT key, value, metadata FROM entries").fetchall()
