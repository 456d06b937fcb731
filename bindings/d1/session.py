"""One SQLite connection under D1's rules: runs a list of queries in one transaction.

Synchronous and single-threaded: `database` puts it on a thread. Owns the transaction, the limits,
the time limit and the retreat after an error; it never decides which connection to use.
Time is measured with `perf_counter` and not with the product's Clock: a virtual clock must not
stop the time limit, and SQLite's work takes real time.
"""

from __future__ import annotations

import functools
import re
import secrets
import sqlite3
from pathlib import Path
from time import perf_counter
from typing import Any

from bindings.d1.authorizer import RESERVED_PREFIX, Authorizer
from bindings.d1.errors import (
    CONNECTION_LOST,
    NO_STATEMENTS,
    NOT_A_STATEMENT,
    NOT_AUTHORIZED,
    ONLY_LAST_HAS_PARAMETERS,
    TIMED_OUT,
    error_message,
    is_undecodable_text,
)
from bindings.d1.jobs import Job, NeedsWriter, Query, Result, TooSlow
from bindings.d1.limits import IS_DEFENSIVE, SETTINGS
from bindings.d1.meta import Standing, meta
from bindings.d1.meter import Meter
from bindings.d1.opening import open_connection
from bindings.d1.parameters import Bound, bound
from bindings.d1.shadow import WRITING, shadow_candidate
from bindings.d1.splitter import Statement, has_variables, is_empty, split_statements
from bindings.d1.values import Parameter, to_rows
from emulator.errors import WorkerError
from emulator.sqlite import Place, Removed, Synchronous

# How many virtual machine instructions pass between two looks at the clock: some 10 ms. Each look
# needs Python's interpreter lock, which the event loop may hold.
TICK_INSTRUCTIONS = 500_000
QUICK_TICK_INSTRUCTIONS = 20_000  # some 0.4 ms

_RENAMES_TO_RESERVED = re.compile(rf"""\brename\s+to\s+["'`\[]?{RESERVED_PREFIX}""", re.IGNORECASE)
_WITH_REPLACEMENTS = functools.partial(str, encoding="utf-8", errors="replace")


class _UndecodableText(Exception):
    """A TEXT cell is not UTF-8; nothing was committed."""


class Session:
    """A connection to `path`, opened on the thread that constructs it.

    With `reads_only` it cannot change anything and never waits for a writer; `path` must then
    have been opened for writing before. A `quick` session raises TooSlow instead of waiting for
    anything or running into a job's time limit. Raises sqlite3.Error when the file cannot be used.
    """

    def __init__(
        self, path: Path, synchronous: Synchronous, *, reads_only: bool, quick: bool = False
    ) -> None:
        self.last_row_id = 0
        self._reads_only = reads_only
        self._quick = quick
        self._job: Job | None = None
        self._deadline = 0.0
        self._authorizer = Authorizer(reads_only=reads_only)
        self._meter = Meter(self._execute_own, self._program)
        self._rows_read = self._rows_written = 0  # by the query that runs
        self._data_version = -1  # as SQLite counts what other connections commit
        self._size_bytes: int | None = None
        # A cached statement is not authorized again, so no text of a worker's may equal ours.
        self._mark = f" /* {secrets.token_hex(16)} */"
        self.connection = open_connection(path, synchronous, reads_only=reads_only, waits=not quick)
        self._place = Place(path)
        (self._page_bytes,) = self.connection.execute("PRAGMA page_size").fetchone()
        self.connection.set_authorizer(self._authorizer)
        tick = QUICK_TICK_INSTRUCTIONS if quick else TICK_INSTRUCTIONS
        self.connection.set_progress_handler(self._must_stop, tick)

    def run(self, job: Job) -> list[Result]:
        """Run every query of `job` in one transaction and return one result per query.

        Raises WorkerError, or NeedsWriter; either way the database is as it was before.
        """
        self._job = job
        self._deadline = perf_counter() + job.timeout_ms / 1000
        try:
            return self._run_atomically(job)
        except _UndecodableText:
            # workerd replaces bad bytes; Python's fast decoder refuses them. Run it all again with
            # the slow one: nothing was committed.
            self.connection.text_factory = _WITH_REPLACEMENTS
            return self._run_atomically(job)
        finally:
            self.connection.text_factory = str
            self._job = None

    def _must_stop(self) -> bool:
        job = self._job
        return job is not None and (job.abandoned or perf_counter() > self._deadline)

    def _run_atomically(self, job: Job) -> list[Result]:
        if self._reads_only:
            self.last_row_id = job.last_row_id
        plans = [
            (query, split_statements(query.sql)) for query in job.queries if not is_empty(query.sql)
        ]
        if not plans:
            raise WorkerError(NO_STATEMENTS)
        # One statement alone on a reading connection sees one state of the file without BEGIN.
        needs_transaction = not self._reads_only or len(plans) > 1 or len(plans[0][1]) > 1
        try:
            if needs_transaction:
                self._execute_own("BEGIN" if self._reads_only else "BEGIN IMMEDIATE")
            results = [self._run_query(query, statements) for query, statements in plans]
            if needs_transaction:
                self._execute_own("COMMIT")
            self.check_place()  # what went to a file that is gone is not acknowledged
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

    def _run_query(self, query: Query, statements: tuple[Statement, ...]) -> Result:
        started = perf_counter()
        self._look_around()
        before = self._standing()
        self._rows_read = self._rows_written = 0
        for statement in statements[:-1]:
            if has_variables(statement.text):
                raise WorkerError(ONLY_LAST_HAS_PARAMETERS)
            self._execute_user(statement, ())
        last = statements[-1]
        columns, rows = self._execute_user(last, query.params)
        if not self._reads_only:
            self._size_bytes = None
        after = before if self._reads_only else self._standing()
        return {
            "success": True,
            "results": {"columns": columns, "rows": to_rows(rows)},
            "meta": meta(
                before,
                after,
                rows_read=self._rows_read,
                rows_written=self._rows_written,
                duration_ms=round((perf_counter() - started) * 1000, 4),
            ),
        }

    def _execute_user(
        self, statement: Statement, params: tuple[Parameter, ...]
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        if self._must_stop():
            raise self._stopped()
        if not statement.keyword:
            raise WorkerError(NOT_A_STATEMENT)
        if statement.keyword == "ALTER" and _RENAMES_TO_RESERVED.search(statement.text):
            raise WorkerError(NOT_AUTHORIZED)
        if statement.keyword in WRITING and not IS_DEFENSIVE:
            self._refuse_shadow(statement)
        sql, values = bound(statement.text, params)
        keyword = statement.keyword
        footprint = None
        if not self._reads_only:
            # Before it is run: EXPLAIN sets what SQL's changes() returns.
            footprint = self._meter.footprint(keyword, sql, values)
        changes_before = self.connection.total_changes
        self._authorizer.begin()
        self._authorizer.trusted = False
        cursor = self.connection.cursor()
        try:
            rows = cursor.execute(sql, values).fetchall()
        except MemoryError:  # what SQLite answers for a program over its limit, too
            cursor.close()
            raise WorkerError("out of memory: SQLITE_NOMEM") from None
        except sqlite3.Error as error:
            # A statement still in progress would stand in the way of ROLLBACK and COMMIT.
            cursor.close()
            raise self._explained(error, statement.text) from None
        finally:
            self._authorizer.trusted = True
        if not self._reads_only and cursor.lastrowid is not None:
            self.last_row_id = cursor.lastrowid
        total_changes = self.connection.total_changes
        changes = total_changes - changes_before
        if self._reads_only:
            footprint = self._meter.footprint(keyword, sql, values)
        read, written = self._meter.rows(
            keyword,
            footprint,
            params,
            changes or len(rows),
            changes,
            cursor.rowcount,
            total_changes,
        )
        self._rows_read += read
        self._rows_written += written
        return [column[0] for column in cursor.description or ()], rows

    def _refuse_shadow(self, statement: Statement) -> None:
        name = shadow_candidate(statement.text)
        if name is None or self._reads_only:
            return
        tables = self._execute_own("PRAGMA table_list").fetchall()
        if any(row[1].lower() == name.lower() and row[2] == "shadow" for row in tables):
            verb = "dropped" if statement.keyword == "DROP" else "modified"
            raise WorkerError(f"table {name} may not be {verb}: SQLITE_ERROR")

    def _explained(self, error: sqlite3.Error, sql: str) -> Exception:
        refusal, needs_writer = self._authorizer.refusal, self._authorizer.needs_writer
        if needs_writer:
            return NeedsWriter()
        if is_undecodable_text(error):
            return _UndecodableText()
        if refusal is not None:
            return WorkerError(refusal)
        code = getattr(error, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_INTERRUPT:
            return self._stopped()
        if self._quick and code == sqlite3.SQLITE_BUSY:
            return TooSlow()
        return WorkerError(error_message(error, sql, self._explain))

    def _stopped(self) -> Exception:
        if self._quick:
            return TooSlow()
        abandoned = self._job is not None and self._job.abandoned
        return WorkerError(CONNECTION_LOST if abandoned else TIMED_OUT)

    def _explain(self, sql: str) -> str | None:
        prefix = "" if sql.lstrip()[:7].upper() == "EXPLAIN" else "EXPLAIN "
        self._authorizer.trusted = False
        try:
            self.connection.execute(prefix + sql).close()
        except sqlite3.Error as error:
            return str(error)
        finally:
            self._authorizer.trusted = True
        return None

    def _program(self, sql: str, values: Bound) -> list[Any]:
        factory = self.connection.text_factory
        self.connection.text_factory = _WITH_REPLACEMENTS
        self._authorizer.trusted = False
        try:
            return self.connection.execute(f"EXPLAIN {sql}{self._mark}", values).fetchall()
        finally:
            self._authorizer.trusted = True
            self.connection.text_factory = factory

    def _look_around(self) -> None:
        (version,) = self._execute_own("PRAGMA data_version").fetchone()
        if version != self._data_version:
            self._data_version = version
            self._size_bytes = None
            self._meter.forget()

    def _standing(self) -> Standing:
        if self._size_bytes is None:
            (pages,) = self._execute_own("PRAGMA page_count").fetchone()
            (unused,) = self._execute_own("PRAGMA freelist_count").fetchone()
            self._size_bytes = (pages - unused) * self._page_bytes
        return Standing(self.connection.total_changes, self.last_row_id, self._size_bytes)

    def _execute_own(self, sql: str, values: Bound = ()) -> sqlite3.Cursor:
        try:
            return self.connection.execute(sql + self._mark, values)
        except sqlite3.Error as error:
            raise self._explained(error, sql) from None

    def _restore_settings(self) -> None:
        for statement in SETTINGS:
            self._execute_own(statement)

    def check_place(self) -> None:
        """Raise WorkerError when the file was removed or replaced while it was open."""
        try:
            self._place.check()
        except Removed as error:
            raise WorkerError(str(error)) from None

    def close(self) -> None:
        """Close the connection; on the last one SQLite folds the WAL into the file."""
        self.connection.close()
