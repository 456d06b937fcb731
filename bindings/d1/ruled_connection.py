"""One SQLite connection under D1's rules: runs a list of queries in one transaction.

Synchronous and single-threaded: `database` runs it on a thread. Owns the transaction, the limits,
the time limit and the rollback after an error. It never decides which connection to use.
It measures time with `perf_counter`, not with our Clock: SQLite's work takes real time, and a
virtual clock must not stop the time limit.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import apsw

from bindings.d1.jobs import Job, NeedsWriter, Query, TooSlow
from bindings.d1.meta import Standing, meta
from bindings.d1.rows import EncodedRows, Room
from bindings.sql.authorizer import RESERVED_PREFIX, Authorizer
from bindings.sql.errors import (
    CONNECTION_LOST,
    NO_STATEMENTS,
    NOT_A_STATEMENT,
    NOT_AUTHORIZED,
    NOT_UTF8,
    ONLY_LAST_HAS_PARAMETERS,
    STATEMENT_TOO_LONG,
    TIMED_OUT,
    error_message,
)
from bindings.sql.limits import LIMITS, SETTINGS, SQL_MAX_BYTES
from bindings.sql.meter import Meter
from bindings.sql.opening import open_connection
from bindings.sql.splitter import Statement, is_empty, split_statements
from bindings.sql.undecodable import as_bytes, decoded
from bindings.sql.values import Cell, Parameter
from emulator.answers.d1 import Result
from emulator.errors import WorkerError
from emulator.sqlite import DatabaseFile, Removed, Synchronous

# Instructions of SQLite's virtual machine between two looks at the clock: about 10 ms. Each look
# needs Python's interpreter lock, which the event loop may hold.
TICK_INSTRUCTIONS = 500_000
# On the event loop: about 20 µs, unless each of them calls a function. SQLite does not look at the
# clock inside a function, so there the inputs and results of functions are short.
QUICK_TICK_INSTRUCTIONS = 1_000
QUICK_LENGTH_MAX_BYTES = 8_000

_RENAMES_TO_RESERVED = re.compile(rf"""\brename\s+to\s+["'`\[]?{RESERVED_PREFIX}""", re.IGNORECASE)


class _UndecodableText(Exception):
    """A TEXT cell is not UTF-8; nothing was committed."""


class RuledConnection:
    """A connection to `path`, opened on the thread that constructs it.

    With `reads_only` it cannot change anything and never waits for a writer; then `path` must have
    been opened for writing before. A `quick` one raises TooSlow when it would wait, when the
    job takes too long, and at an error. Raises apsw.Error when the file cannot be used.
    """

    def __init__(
        self, path: Path, synchronous: Synchronous, *, reads_only: bool, quick: bool = False
    ) -> None:
        self.last_row_id = 0
        self._reads_only = reads_only
        self._quick = quick
        self._job: Job | None = None
        self._deadline = 0.0
        self._room = Room()
        self._replaces = False
        self._columns: list[str] = []
        self._authorizer = Authorizer(reads_only=reads_only)
        self._meter = Meter(self._execute_own, self._program)
        self._rows_read = self._rows_written = 0  # by the current query
        self._data_version = -1  # SQLite's count of commits by other connections
        self._size_bytes: int | None = None
        # A cached statement is not authorized again, so a worker's text must never equal ours.
        self._mark = f" /* {secrets.token_hex(16)} */"
        self.connection = open_connection(path, synchronous, reads_only=reads_only, waits=not quick)
        self._database_file = DatabaseFile(path)
        if quick:
            self.connection.limit(apsw.SQLITE_LIMIT_LENGTH, QUICK_LENGTH_MAX_BYTES)
        self._page_bytes = self.connection.execute("PRAGMA page_size").get
        self.connection.authorizer = self._authorizer
        tick = QUICK_TICK_INSTRUCTIONS if quick else TICK_INSTRUCTIONS
        self.connection.set_progress_handler(self._must_stop, tick)

    def run(self, job: Job) -> list[Result]:
        """Run every query of `job` in one transaction and return one result per query.

        Raises WorkerError, NeedsWriter or TooSlow; in each case the database is as it was before.
        """
        self._job = job
        started = perf_counter()
        self._deadline = started + job.timeout_ms / 1000
        try:
            return self._run_atomically(job)
        except _UndecodableText:
            # workerd replaces bad bytes, apsw refuses them. Nothing was committed, so run all of it
            # again and ask for bytes.
            self._replaces = True
            return self._run_atomically(job)
        finally:
            self._replaces = False
            self._job = None
            job.duration_ms = (perf_counter() - started) * 1000

    def _must_stop(self) -> bool:
        job = self._job
        return job is not None and (job.abandoned or perf_counter() > self._deadline)

    def _run_atomically(self, job: Job) -> list[Result]:
        if self._reads_only:
            self.last_row_id = job.last_row_id
        self._room = Room()
        plans = [(query, _split(query.sql)) for query in job.queries if not is_empty(query.sql)]
        if not plans:
            raise WorkerError(NO_STATEMENTS)
        # One statement alone on a reading connection sees one state of the file without BEGIN.
        needs_transaction = not self._reads_only or len(plans) > 1 or len(plans[0][1]) > 1
        try:
            if needs_transaction:
                self._execute_own("BEGIN" if self._reads_only else "BEGIN IMMEDIATE")
            results = [
                self._run_query(query, statements, job.encodes) for query, statements in plans
            ]
            if needs_transaction:
                self._execute_own("COMMIT")
            if not self._reads_only:
                self.check_file()  # never acknowledge a write to a file that was removed
        except BaseException:
            if self.connection.in_transaction:
                self._execute_own("ROLLBACK")
            self._data_version = -1
            raise
        finally:
            self._authorizer.trusted = True
            if any(statement.keyword == "PRAGMA" for _, plan in plans for statement in plan):
                self._restore_settings()
        return results

    def _run_query(self, query: Query, statements: tuple[Statement, ...], encodes: bool) -> Result:
        started = perf_counter()
        self._look_around()
        before = self._standing()
        self._rows_read = self._rows_written = 0
        for statement in statements[:-1]:
            self._execute_user(statement, None, encodes=False)
        rows = self._execute_user(statements[-1], query.params, encodes=encodes)
        if not self._reads_only:
            self._size_bytes = None
        after = before if self._reads_only else self._standing()
        return {
            "success": True,
            "results": {"columns": self._columns, "rows": rows},
            "meta": meta(
                before,
                after,
                rows_read=self._rows_read,
                rows_written=self._rows_written,
                duration_ms=round((perf_counter() - started) * 1000, 4),
            ),
        }

    def _execute_user(
        self, statement: Statement, given: tuple[Parameter, ...] | None, *, encodes: bool
    ) -> list[list[Cell]] | EncodedRows:
        """Run one statement of the worker; return its rows, and note its columns and cost.

        `given` are its parameters; None when parameters are not allowed.
        """
        if self._must_stop():
            raise self._stopped()
        sql, keyword, params = statement.text, statement.keyword, given or ()
        if not keyword:
            raise WorkerError(NOT_A_STATEMENT)
        if keyword == "ALTER" and _RENAMES_TO_RESERVED.search(sql):
            raise WorkerError(NOT_AUTHORIZED)
        footprint = None
        if not self._reads_only:
            # Before the statement runs, because EXPLAIN changes the result of SQL's changes().
            footprint = self._meter.footprint(keyword, sql, params)
        changes_before = self.connection.total_changes()
        self._authorizer.begin()
        self._authorizer.trusted = False
        self._columns = []
        cursor = self.connection.cursor()
        cursor.exec_trace = self._note_columns
        try:
            if self._replaces:
                found = self._execute_replaced(cursor, statement, params)
            else:
                found = cursor.execute(sql, params)
            rows, count = self._room.fetch(found, encodes)
        except (apsw.Error, MemoryError, UnicodeDecodeError) as error:
            if given is None and isinstance(error, apsw.BindingsError):
                raise WorkerError(ONLY_LAST_HAS_PARAMETERS) from None
            raise self._explained(error) from None
        finally:
            # A statement that is still in progress would prevent ROLLBACK and COMMIT.
            cursor.close(True)
            self._authorizer.trusted = True
        if self._reads_only:
            footprint = self._meter.footprint(keyword, sql, params)
        else:
            self.last_row_id = self.connection.last_insert_rowid()
        total_changes = self.connection.total_changes()
        changes = total_changes - changes_before
        read, written = self._meter.rows(
            keyword,
            footprint,
            params,
            changes or count,
            changes,
            self.connection.changes(),
            total_changes,
        )
        self._rows_read += read
        self._rows_written += written
        return rows

    def _note_columns(self, cursor: apsw.Cursor, sql: str, values: object) -> bool:
        # Only now, before the first row, apsw knows the columns of a statement without rows.
        self._columns = [column[0] for column in cursor.get_description()]
        return True

    def _execute_replaced(
        self, cursor: apsw.Cursor, statement: Statement, params: tuple[Parameter, ...]
    ) -> Iterator[tuple[Any, ...]]:
        """Return rows with bad bytes in text replaced, as workerd does."""
        cursor.exec_trace = lambda *event: self._note_columns(*event) and not self._columns
        try:
            return cursor.execute(statement.text, params)
        except apsw.ExecTraceAbort:  # nothing was done yet
            cursor.exec_trace = None
        sql = as_bytes(statement, self._columns)
        if sql is None:
            raise WorkerError(NOT_UTF8)
        self.connection.limit(apsw.SQLITE_LIMIT_COLUMN, 2 * LIMITS[apsw.SQLITE_LIMIT_COLUMN])
        try:
            found = cursor.execute(sql, params)
        finally:
            self.connection.limit(apsw.SQLITE_LIMIT_COLUMN, LIMITS[apsw.SQLITE_LIMIT_COLUMN])
        return (decoded(row, "replace") for row in found)

    def _explained(self, error: Exception) -> Exception:
        if self._authorizer.needs_writer:
            return NeedsWriter()
        if self._quick:
            return TooSlow()
        if isinstance(error, UnicodeDecodeError):
            return WorkerError(NOT_UTF8) if self._replaces else _UndecodableText()
        if isinstance(error, MemoryError | apsw.NoMemError):
            return WorkerError("out of memory: SQLITE_NOMEM")
        if isinstance(error, apsw.InterruptError):
            return self._stopped()
        if self._authorizer.refusal is not None:
            return WorkerError(self._authorizer.refusal)
        assert isinstance(error, apsw.Error)
        return WorkerError(error_message(error))

    def _stopped(self) -> Exception:
        if self._quick:
            return TooSlow()
        abandoned = self._job is not None and self._job.abandoned
        return WorkerError(CONNECTION_LOST if abandoned else TIMED_OUT)

    def _program(self, sql: str, params: tuple[Parameter, ...]) -> list[tuple[Any, ...]]:
        self._authorizer.trusted = False
        try:
            return self.connection.execute(f"EXPLAIN {sql}{self._mark}", params).fetchall()
        finally:
            self._authorizer.trusted = True

    def _look_around(self) -> None:
        version = self._execute_own("PRAGMA data_version").get
        if version != self._data_version:
            self._data_version = version
            self._size_bytes = None
            self._meter.forget()

    def _standing(self) -> Standing:
        if self._size_bytes is None:
            pages = self._execute_own("PRAGMA page_count").get
            unused = self._execute_own("PRAGMA freelist_count").get
            self._size_bytes = (pages - unused) * self._page_bytes
        return Standing(self.connection.total_changes(), self.last_row_id, self._size_bytes)

    def _execute_own(self, sql: str) -> apsw.Cursor:
        try:
            return self.connection.execute(sql + self._mark)
        except apsw.Error as error:
            raise self._explained(error) from None

    def _restore_settings(self) -> None:
        for statement in SETTINGS:
            self._execute_own(statement)

    def check_file(self, log: bool = False) -> None:
        """Raise WorkerError when the file was removed or replaced; with `log`, also for its log."""
        try:
            self._database_file.look() if log else self._database_file.check()
        except Removed as error:
            raise WorkerError(str(error)) from None

    def close(self) -> None:
        """Close the connection; at the last one SQLite copies the WAL into the file."""
        self.connection.close()


def _split(sql: str) -> tuple[Statement, ...]:
    # SQLite checks the length of one statement, but then the text must be split first.
    if len(sql) > SQL_MAX_BYTES // 4 and len(sql.encode()) > SQL_MAX_BYTES:
        raise WorkerError(STATEMENT_TOO_LONG)
    return split_statements(sql)
