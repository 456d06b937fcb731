"""The D1 client: what happens in the worker before and after a query.

Source: bindings.md sections 1.1, 1.3 and 1.5; workerd src/cloudflare/internal/d1-api.ts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..calls import Answer, Caller
from ..jsdict import JsDict
from ..pyodide.ffi import JsException, JsNull
from .binding import _BindingWrapper

_MAX_SAFE_INTEGER = 2**53 - 1


class _Queries(_BindingWrapper):
    """Prepares and runs statements."""

    def prepare(self, sql: str) -> D1PreparedStatement:
        """Return a statement to bind and run."""
        return D1PreparedStatement(self._caller, self._name, sql)

    def batch(self, statements: list[D1PreparedStatement]) -> Answer:
        """Run statements in one transaction; returns their results in order.

        Raises TypeError for anything that is no prepared statement.
        """
        for statement in statements:
            if not isinstance(statement, D1PreparedStatement):
                raise TypeError(f"batch() expects a list of prepared statements, not {statement!r}")
        queries = [statement.query() for statement in statements]
        return _query(self._caller, self._name, queries, lambda results: list(map(_all, results)))


class D1Database(_Queries):
    """A database."""

    def exec(self, sql: str) -> Answer:
        """Run one statement per line; returns `{"count", "duration"}`."""
        lines = sql.strip().split("\n")
        return self._caller.call(
            self._name,
            "exec",
            [lines],
            then=_exec_result,
            failed=lambda name, message: JsException(
                f"D1_EXEC_ERROR: Error in line 1: {lines[0]}: {message}", name
            ),
        )

    def dump(self) -> Answer:
        """Return the database file. Deprecated by Cloudflare."""
        return self._caller.call(self._name, "dump", [], failed=_prefixed("D1_DUMP_ERROR: "))

    def withSession(self, constraint: str = "first-unconstrained") -> D1DatabaseSession:
        """Return a session; locally every session sees the one primary."""
        return D1DatabaseSession(self._caller, self._name)


class D1DatabaseSession(_Queries):
    """A session of sequential consistency, which the one local database always has."""

    def getBookmark(self) -> str | None:
        """Return the session's bookmark: None, as before any query."""
        return None


class D1PreparedStatement(_BindingWrapper):
    """A statement and its parameters; `bind` returns a new one."""

    def __init__(self, caller: Caller, name: str, sql: str, params: tuple[Any, ...] = ()) -> None:
        super().__init__(caller, name)
        self.statement = sql
        self.params = params

    def bind(self, *params: Any) -> D1PreparedStatement:
        """Return the statement with these parameters. Raises JsException D1_TYPE_ERROR."""
        bound = tuple(_parameter(value) for value in params)
        return D1PreparedStatement(self._caller, self._name, self.statement, bound)

    def query(self) -> dict[str, Any]:
        """Return the statement as it is sent."""
        return {"sql": self.statement, "params": list(self.params)}

    def all(self) -> Answer:
        """Return `{"success", "meta", "results": [row, …]}`."""
        return self._run(_all)

    run = all

    def first(self, column: str | None = None) -> Answer:
        """Return the first row, or its `column`; None when there is no row.

        Raises JsException D1_COLUMN_NOTFOUND.
        """
        return self._run(lambda result: _first(result, column))

    def raw(self, options: Any = None, *, columnNames: bool = False) -> Answer:
        """Return rows as lists; with `columnNames`, the names come first."""
        named = columnNames or bool((options or {}).get("columnNames"))

        def rows(result: Any) -> list[list[Any]]:
            data = result["results"]
            found = [[_cell(cell) for cell in row] for row in data["rows"]]
            return [list(data["columns"]), *found] if named else found

        return self._run(rows)

    def _run(self, then: Callable[[Any], Any]) -> Answer:
        return _query(self._caller, self._name, [self.query()], lambda results: then(results[0]))


def _query(
    caller: Caller, name: str, queries: list[dict[str, Any]], then: Callable[[Any], Any]
) -> Answer:
    return caller.call(name, "query", [queries], then=then, failed=_prefixed("D1_ERROR: "))


def _prefixed(prefix: str) -> Callable[[str, str], Exception]:
    return lambda name, message: JsException(prefix + message, name)


def _all(result: Any) -> JsDict:
    data = result["results"]
    columns = data["columns"]
    # Like Object.fromEntries: the last of several columns with one name wins.
    rows = [JsDict(zip(columns, map(_cell, row), strict=True)) for row in data["rows"]]
    return JsDict(success=True, meta=result["meta"], results=rows)


def _first(result: Any, column: str | None) -> Any:
    data = result["results"]
    if not data["rows"]:
        return None
    row = JsDict(zip(data["columns"], map(_cell, data["rows"][0]), strict=True))
    if column is None:
        return row
    if column not in row:
        raise JsException(f"D1_COLUMN_NOTFOUND: Column not found ({column})")
    return row[column]


def _exec_result(results: list[Any]) -> JsDict:
    duration = sum(result["meta"].get("duration", 0) for result in results)
    return JsDict(count=len(results), duration=duration)


def _cell(value: Any) -> Any:
    """A blob is read as a list of numbers."""
    return list(value) if isinstance(value, memoryview) else value


def _parameter(value: Any) -> Any:
    """Return `value` as a parameter: None, int, float, str or bytes."""
    match value:
        case None | JsNull():
            return None
        case bool():
            return int(value)
        case int() if abs(value) > _MAX_SAFE_INTEGER:
            raise _unsupported("bigint", str(value))
        case float() if not math.isfinite(value):
            return None
        case int() | float() | str():
            return value
        case bytes() | bytearray():
            return bytes(value)
        case memoryview():  # elements, not bytes, as Array.from(view) gives
            return bytes(int(item) & 0xFF for item in value)
        case list() if all(type(item) is int and 0 <= item < 256 for item in value):
            return bytes(value)
        case list():
            raise _unsupported("object", ",".join(map(str, value)))
    if callable(value):
        raise _unsupported("function", repr(value))
    raise _unsupported("object", "[object Object]")


def _unsupported(kind: str, shown: str) -> JsException:
    return JsException(f"D1_TYPE_ERROR: Type '{kind}' not supported for value '{shown}'")
