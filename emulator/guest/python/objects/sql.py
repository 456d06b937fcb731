"""`ctx.storage.sql`. Source: docs/platform/durable-objects.md, "SQL"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..sdk.jsdict import JsDict
from ..sdk.jserror import JsException
from .keys import Keys
from .line import Line

NO_SQL = (
    "SQL is not enabled for this Durable Object class. To enable it, list the class in "
    "new_sqlite_classes in place of new_classes, in the migrations of the configuration."
)


class SqlStorage:
    """SQL on the tables of one object."""

    def __init__(self, line: Line, keys: Keys) -> None:
        self._line = line
        self._keys = keys

    def exec(self, query: Any, /, *bindings: Any) -> SqlStorageCursor:
        """Run SQL now and return its rows; the parameters belong to its last statement.

        Raises JsException.
        """
        self._keys.send()
        changed = True
        try:
            found = self._line.ask("exec", str(query), list(bindings))
            columns, rows, read, written, changed = found
        finally:
            if changed:
                self._keys.changed()
        return SqlStorageCursor(columns, rows, read, written)

    @property
    def databaseSize(self) -> int:  # JavaScript's name
        """The size of the object's database, in bytes."""
        self._keys.send()
        size: int = self._line.ask("size")
        return size


class SqlStorageCursor:
    """The rows of a query, which can be read once."""

    def __init__(
        self, columns: list[str], rows: list[list[Any]], rows_read: int, rows_written: int
    ) -> None:
        self.columnNames = columns
        self.rowsRead = rows_read
        self.rowsWritten = rows_written
        self._rows = iter(rows)

    def __iter__(self) -> SqlStorageCursor:
        return self

    def __next__(self) -> JsDict:
        return self._named(next(self._rows))

    def next(self) -> JsDict:
        """Return `{done, value?}` of the next row."""
        for row in self._rows:
            return JsDict(done=False, value=self._named(row))
        return JsDict(done=True)

    def toArray(self) -> list[JsDict]:  # JavaScript's name
        """Return all rows that were not read yet."""
        return [self._named(row) for row in self._rows]

    def one(self) -> JsDict:
        """Return the only row. Raises JsException if there are none or several."""
        rows = list(self._rows)
        if len(rows) == 1:
            return self._named(rows[0])
        found = "multiple results" if rows else "no results"
        raise JsException(f"Expected exactly one result from SQL query, but got {found}.")

    def raw(self) -> RawCursor:
        """Return the rows as lists."""
        return RawCursor(self._rows, self.columnNames)

    def _named(self, row: list[Any]) -> JsDict:
        return JsDict(zip(self.columnNames, row, strict=True))


class RawCursor:
    """Rows as lists of their values."""

    def __init__(self, rows: Iterator[list[Any]], columns: list[str]) -> None:
        self._rows = rows
        self.columnNames = columns

    def __iter__(self) -> Iterator[list[Any]]:
        return self._rows

    def __next__(self) -> list[Any]:
        return next(self._rows)

    def toArray(self) -> list[list[Any]]:  # JavaScript's name
        """Return all rows that were not read yet."""
        return list(self._rows)


for _class in (SqlStorage, SqlStorageCursor, RawCursor):
    _class.__module__ = "workers"
