"""Estimates the rows that each statement of a connection reads and writes, in little time.

Owns two caches: the footprint of each SQL text, until the schema changes, and the size of each
table, until the database changes. `footprint` makes the estimate.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

import apsw

from bindings.sql.footprint import Footprint, Op, footprint, rows_read, rows_written
from bindings.sql.values import Parameter

FOOTPRINTS_MAX = 2_000

_MEASURED = frozenset({"SELECT", "WITH", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE"})
# Rows of the schema's own table, read and written; CREATE INDEX reads and writes more.
_OF_SCHEMA = {"CREATE": (1, 2), "ALTER": (1, 1), "DROP": (1, 0)}


# A number after LIMIT belongs to the footprint.
_LITERAL = re.compile(r"'(?:[^']|'')*'|(?<!limit\s)\b\d+(?:\.\d+)?\b", re.IGNORECASE)


class Executes(Protocol):
    """Runs our own SQL on the connection, without the worker's rules."""

    def __call__(self, sql: str, /) -> apsw.Cursor: ...


class Explains(Protocol):
    """Compiles SQL of a worker under the worker's rules and returns its program."""

    def __call__(self, sql: str, params: tuple[Parameter, ...]) -> list[tuple[Any, ...]]: ...


class Meter:
    """What the statements of one connection cost; `execute` and `explain` use that connection.

    `explain(sql, params)` gives the rows of EXPLAIN, or raises apsw.Error or UnicodeDecodeError.
    """

    def __init__(self, execute: Executes, explain: Explains) -> None:
        self._execute = execute
        self._explain = explain
        self._schema_version = -1
        self._schema_is_known = False
        self._footprints: dict[int, Footprint] = {}
        self._table_of_page: dict[int, str] = {}
        self._sizes: dict[str, int] = {}
        self._sizes_at = -1  # the connection's count of changes when `_sizes` was read

    def forget(self) -> None:
        """Forget the sizes: another connection has changed the database, or changes were undone."""
        self._schema_is_known = False
        self._sizes_at = -1

    def footprint(self, keyword: str, sql: str, params: tuple[Parameter, ...]) -> Footprint | None:
        """Return the footprint of a statement; None for a statement that changes the schema."""
        if keyword not in _MEASURED:
            self.forget()
            return None
        if not self._schema_is_known:
            self._note_schema()
        # The key is a hash, as a text may be long. A collision would only make a worse estimate.
        key = hash(sql)
        touched = self._footprints.get(key)
        if touched is None:
            # Many texts may differ only in their literals.
            shape = hash(_LITERAL.sub("?", sql))
            touched = self._footprints.get(shape)
            if len(self._footprints) >= FOOTPRINTS_MAX:
                self._footprints.clear()
            if touched is None:
                try:
                    touched = self._footprints[shape] = self._analyse(sql, params)
                except (
                    apsw.Error,
                    UnicodeDecodeError,
                ):  # it will fail in the same way when it runs
                    return None
            self._footprints[key] = touched
        return touched

    def _analyse(self, sql: str, params: tuple[Parameter, ...]) -> Footprint:
        if "changes" in sql.lower():  # EXPLAIN would change the result of SQL's changes()
            return Footprint()
        # SQLite does not renew the listing of a cached program when the schema changes.
        program = self._explain(f"{sql}\n-- schema {self._schema_version}", params)
        ops = [Op(row[0], row[1], row[2], row[3], row[6]) for row in program]
        return footprint(ops, self._table_of_page)

    def rows(
        self,
        keyword: str,
        touched: Footprint | None,
        values: Sequence[object],
        found: int,
        changes: int,
        direct: int,
        total_changes: int,
    ) -> tuple[int, int]:
        """Return rows read and rows written by a statement with this footprint and parameters.

        `found` counts the rows it returned or changed, `changes` all that were changed, `direct`
        those that no trigger changed, or -1, and `total_changes` those of the connection so far.
        """
        if touched is None:
            return _OF_SCHEMA.get(keyword, (0, 0))
        if touched.scans and self._sizes_at != total_changes:
            self._sizes.clear()
            self._sizes_at = total_changes
        written = rows_written(touched, changes, direct) if changes else 0
        return rows_read(touched, self._size, found, values), written

    def _note_schema(self) -> None:
        version = self._execute("PRAGMA schema_version").get
        self._schema_is_known = True
        if version != self._schema_version:
            self._schema_version = version
            self._footprints.clear()
            self._table_of_page = dict(
                self._execute("SELECT rootpage, tbl_name FROM sqlite_schema WHERE rootpage > 0")
            )

    def _size(self, table: str) -> int:
        if table not in self._sizes:
            quoted = table.replace('"', '""')
            self._sizes[table] = self._execute(f'SELECT count(*) FROM "{quoted}"').get
        return self._sizes[table]
