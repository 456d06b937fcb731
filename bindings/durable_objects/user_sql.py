"""Runs `ctx.storage.sql.exec`: SQL of user code on the connection of an object's storage.

It runs on the thread of the event loop, which it may hold for a few milliseconds. A query that
takes longer is undone and raises TooSlow; it is run again on a thread. SQLite undoes the whole
transaction then, so a query that changes something when a transaction is open is run there at once.
It measures time with `perf_counter`, not with our Clock: SQLite's work takes real time.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import apsw

from bindings.sql.authorizer import Authorizer
from bindings.sql.errors import (
    NO_STATEMENTS,
    NOT_A_STATEMENT,
    NOT_UTF8,
    ONLY_LAST_HAS_PARAMETERS,
    error_message,
)
from bindings.sql.limits import QUERY_TIMEOUT_MS, RESULT_MAX_BYTES, SETTINGS
from bindings.sql.meter import Meter
from bindings.sql.splitter import Statement, split_statements
from bindings.sql.values import to_parameter, to_rows
from emulator.errors import WorkerError

QUICK_MS = 20
TOO_LONG = "Durable Object storage operation exceeded timeout which caused object to be reset."
TOO_LARGE = (
    f"sql.exec() found more than {RESULT_MAX_BYTES // 1_000_000} MB of rows; ask for fewer, with "
    "LIMIT."
)
_TICK_INSTRUCTIONS = 20_000  # of SQLite between two looks at the clock: below a millisecond
_READING = frozenset({"SELECT", "VALUES", "EXPLAIN"})
_NUMBER_BYTES = 8

Execute = Callable[[str], apsw.Cursor]


class TooSlow(Exception):
    """The query would hold the event loop for too long; nothing of it was done."""


class QueryTooLong(WorkerError):
    """The query was given up, and the whole transaction with it."""


class UserSql:
    """SQL of one object.

    execute: runs SQL of ours. begin: begins a transaction if none is open. is_quick: whether the
    event loop waits.
    """

    def __init__(
        self, connection: apsw.Connection, execute: Execute, begin: Callable[[], None]
    ) -> None:
        self.is_quick = True
        self._connection = connection
        self._execute = execute
        self._begin = begin
        self._authorizer = Authorizer(reads_only=False)
        self._meter = Meter(execute, self._program)
        self._columns: list[str] = []
        self._deadline = float("inf")
        connection.authorizer = self._authorizer
        connection.set_progress_handler(self._must_stop, _TICK_INSTRUCTIONS)

    def run(self, sql: str, given: list[Any]) -> list[Any]:
        """Run SQL; return `[columns, rows, rowsRead, rowsWritten, changed]`.

        `changed`: a transaction is open that a commit must end. Raises WorkerError, TooSlow.
        """
        params = tuple(to_parameter(each) for each in given)
        statements = split_statements(sql)
        if not any(each.keyword for each in statements):
            raise WorkerError(NO_STATEMENTS)
        reads = all(each.keyword in _READING for each in statements)
        if not reads:
            if self.is_quick and self._connection.in_transaction:
                raise TooSlow
            self._begin()
        self._deadline = perf_counter() + (QUICK_MS if self.is_quick else QUERY_TIMEOUT_MS) / 1000
        try:
            rows, read, written = self._run_all(statements, params)
        except TooSlow:
            self._deadline = float("inf")
            if not reads and self._connection.in_transaction:
                self._execute("ROLLBACK")
            raise
        finally:
            self._deadline = float("inf")
            if any(each.keyword == "PRAGMA" for each in statements):
                for setting in SETTINGS:
                    self._execute(setting)
        return [self._columns, rows, read, written, not reads]

    def _run_all(
        self, statements: tuple[Statement, ...], params: tuple[Any, ...]
    ) -> tuple[list[Any], int, int]:
        read = written = 0
        rows: list[Any] = []
        for place, statement in enumerate(statements):
            is_last = place == len(statements) - 1
            if not statement.keyword:
                if is_last:
                    break  # a comment at the end
                raise WorkerError(NOT_A_STATEMENT)
            rows, more_read, more_written = self._run_one(statement, params if is_last else None)
            read += more_read
            written += more_written
        return rows, read, written

    def _run_one(
        self, statement: Statement, given: tuple[Any, ...] | None
    ) -> tuple[list[Any], int, int]:
        sql, keyword, params = statement.text, statement.keyword, given or ()
        connection = self._connection
        # Before the statement runs, because EXPLAIN changes the result of SQL's changes().
        footprint = self._meter.footprint(keyword, sql, params)
        changes_before = connection.total_changes()
        self._authorizer.begin()
        self._authorizer.trusted = False
        self._columns = []
        cursor = connection.cursor()
        cursor.exec_trace = self._note_columns
        try:
            rows = _fetch(cursor.execute(sql, params))
        except (apsw.Error, MemoryError, UnicodeDecodeError) as error:
            if given is None and isinstance(error, apsw.BindingsError):
                raise WorkerError(ONLY_LAST_HAS_PARAMETERS) from None
            raise self._explained(error) from None
        finally:
            cursor.close(True)  # a statement in progress would prevent COMMIT
            self._authorizer.trusted = True
        total = connection.total_changes()
        changes = total - changes_before
        read, written = self._meter.rows(
            keyword, footprint, params, changes or len(rows), changes, connection.changes(), total
        )
        return rows, read, written

    def _note_columns(self, cursor: apsw.Cursor, sql: str, bindings: object) -> bool:
        # Only now, before the first row, apsw knows the columns of a statement without rows.
        self._columns = [column[0] for column in cursor.get_description()]
        return True

    def _explained(self, error: Exception) -> Exception:
        if isinstance(error, UnicodeDecodeError):
            return WorkerError(NOT_UTF8)
        if isinstance(error, MemoryError | apsw.NoMemError):
            return WorkerError("out of memory: SQLITE_NOMEM")
        if isinstance(error, apsw.InterruptError):
            return TooSlow() if self.is_quick else QueryTooLong(TOO_LONG)
        if self._authorizer.refusal is not None:
            return WorkerError(self._authorizer.refusal)
        assert isinstance(error, apsw.Error)
        return WorkerError(error_message(error))

    def _must_stop(self) -> bool:
        return perf_counter() > self._deadline

    def _program(self, sql: str, params: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        self._authorizer.trusted = False
        try:
            return self._connection.execute(f"EXPLAIN {sql}", params).fetchall()
        finally:
            self._authorizer.trusted = True


def _fetch(cursor: apsw.Cursor) -> list[Any]:
    """Return all rows of a statement. Raises WorkerError if they are too large."""
    rows = []
    left_bytes = RESULT_MAX_BYTES
    for row in cursor:
        left_bytes -= sum(len(c) if isinstance(c, str | bytes) else _NUMBER_BYTES for c in row)
        if left_bytes < 0:
            raise WorkerError(TOO_LARGE)
        rows.append(row)
    return to_rows(rows)
