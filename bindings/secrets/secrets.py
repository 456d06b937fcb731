"""The secrets of the project's stores, in one SQLite file, and the binding that reads one.

Source: docs/platform/small-bindings.md, "Secrets Store".
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from bindings.store import Store
from emulator.errors import WorkerError
from emulator.sqlite import Synchronous

SCHEMA = (
    """
    CREATE TABLE secrets (
        store TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL,
        changed_ms INTEGER NOT NULL, PRIMARY KEY (store, name)
    )
    """,
)


class Secret(Struct, frozen=True):
    """A secret without its value."""

    id: str
    name: str
    changed_ms: int


class Secrets:
    """The secrets in the file `path`. Its methods raise WorkerError when the disk refuses."""

    def __init__(self, path: Path, now_ms: Callable[[], int], synchronous: Synchronous) -> None:
        self._store = Store(path, SCHEMA, synchronous)
        self._now_ms = now_ms
        self.removed = self._store.removed
        self.close = self._store.close

    def get(self, store: str, name: str) -> str | None:
        """Return a secret's value."""
        row = self._store.read(
            lambda on: on.execute(
                "SELECT value FROM secrets WHERE store = ? AND name = ?", (store, name)
            ).fetchone()
        )
        return None if row is None else str(row[0])

    async def put(self, store: str, name: str, value: str) -> None:
        """Create a secret, or replace its value; durable on return."""
        row = store, name, secrets.token_hex(16), value, self._now_ms()

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO secrets VALUES (?, ?, ?, ?, ?) ON CONFLICT (store, name)"
                " DO UPDATE SET value = excluded.value, changed_ms = excluded.changed_ms",
                row,
            )

        await self._store.write(write)

    async def delete(self, store: str, name: str) -> bool:
        """Delete a secret; return whether there was one."""
        return await self._store.write(
            lambda on: (
                on.execute(
                    "DELETE FROM secrets WHERE store = ? AND name = ?", (store, name)
                ).rowcount
                > 0
            )
        )

    def all_of(self, store: str) -> list[Secret]:
        """Return the secrets of a store, without values."""
        rows = self._store.read(
            lambda on: on.execute(
                "SELECT id, name, changed_ms FROM secrets WHERE store = ? ORDER BY name", (store,)
            ).fetchall()
        )
        return [Secret(*row) for row in rows]


class SecretBinding:
    """One secret on `env`."""

    kind = "secrets_store"

    def __init__(self, found: Secrets, store: str, name: str) -> None:
        self._secrets = found
        self._place = store, name
        self.removed = found.removed

    async def call(self, method: str, args: list[Any]) -> Any:
        """Run `get()`: the value. Raises WorkerError."""
        if method != "get":
            raise WorkerError(f'A secret has no method "{method}"')
        value = self._secrets.get(*self._place)
        if value is None:
            raise WorkerError(f'Secret "{self._place[1]}" not found')
        return value

    async def close(self) -> None:
        """Close the file, for all secrets."""
        await self._secrets.close()
