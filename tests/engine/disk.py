"""The disk under the journal of a test: it refuses, fails and is full when the test says so."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from emulator.engine.journal.journal import Journal
from emulator.engine.journal.schema import open_journal
from emulator.sqlite import Synchronous

_PAGES_MAX = 4_294_967_294  # SQLite's own limit


class Disk:
    """The connection of one journal, as the journal gets it. `execute` is also for the test."""

    def __init__(self, path: Path, synchronous: Synchronous = "NORMAL") -> None:
        self._connection = open_journal(path, synchronous)
        self._moment: str | None = None
        self.journal = Journal(cast(sqlite3.Connection, self), path)

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        self._check(statement)
        return self._connection.execute(statement, *parameters)

    def executemany(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        self._check(statement)
        return self._connection.executemany(statement, *parameters)

    def _check(self, statement: str) -> None:
        if self._moment is not None and statement.startswith(self._moment):
            raise sqlite3.OperationalError("disk I/O error")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @contextmanager
    def failing(self, moment: str) -> Iterator[None]:
        """Let statements that begin with `moment` fail, like SQLite's do on EIO."""
        self._moment = moment
        yield
        self._moment = None

    @contextmanager
    def full(self) -> Iterator[None]:
        """Let the journal grow no further."""
        pages = self.execute("PRAGMA page_count").fetchone()[0]
        self.execute(f"PRAGMA max_page_count = {pages}")
        yield
        self.execute(f"PRAGMA max_page_count = {_PAGES_MAX}")

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Refuse every write."""
        self.execute("PRAGMA query_only = 1")
        yield
        self.execute("PRAGMA query_only = 0")

    @contextmanager
    def unreadable(self) -> Iterator[None]:
        """Refuse everything."""
        self._connection.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
        try:
            yield
        finally:
            self._connection.set_authorizer(None)

    def refuse_commits(self) -> None:
        """Let every COMMIT fail from now on."""

        def authorize(action: int, first: str | None, *rest: str | None) -> int:
            is_commit = action == sqlite3.SQLITE_TRANSACTION and first == "COMMIT"
            return sqlite3.SQLITE_DENY if is_commit else sqlite3.SQLITE_OK

        self._connection.set_authorizer(authorize)

    def accept_commits(self) -> None:
        """Let commits succeed again."""
        self._connection.set_authorizer(None)

    def statements(self) -> list[str]:
        """Return a list that gets every statement from now on."""
        seen: list[str] = []
        self._connection.set_trace_callback(seen.append)
        return seen
