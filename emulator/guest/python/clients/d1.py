"""The D1 client: what happens in the worker before and after a query.

Source: docs/platform/d1.md, "The client", "Results" and "Sessions".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..calls import Answer, Caller
from ..sdk.jsdict import JsDict
from ..sdk.pyodide.ffi import JsException, JsNull
from .binding import _BindingWrapper
from .d1_parameters import parameter

FIRST_PRIMARY = "first-primary"
FIRST_UNCONSTRAINED = "first-unconstrained"


class _Queries(_BindingWrapper):
    """Prepares and runs statements."""

    def prepare(self, sql: str, /) -> D1PreparedStatement:
        """Return a statement to bind and run."""
        return D1PreparedStatement(self, sql)

    def batch(self, statements: list[D1PreparedStatement], /) -> Answer:
        """Run statements in one transaction; returns their results in order.

        Raises TypeError for anything but prepared statements.
        """
        for statement in statements:
            if not isinstance(statement, D1PreparedStatement):
                raise TypeError(f"batch() expects a list of prepared statements, not {statement!r}")
        queries = [statement._query() for statement in statements]
        return self._send(queries, lambda results: list(map(_all, results)))

    def _send(self, queries: list[dict[str, Any]], then: Callable[[Any], Any]) -> Answer:
        return self._caller.call(
            self._name, "query", [queries], then=then, failed=_prefixed("D1_ERROR: ")
        )


class D1Database(_Queries):
    """A database."""

    def exec(self, sql: str, /) -> Answer:
        """Run one statement per line, in one transaction; returns `{"count", "duration"}`."""
        lines = sql.strip().split("\n")
        # The answer has the first error only, and not its line: always line 1 is named.
        return self._caller.call(
            self._name,
            "exec",
            [lines],
            then=_exec_result,
            failed=_prefixed("D1_EXEC_ERROR: ", f"Error in line 1: {lines[0]}: "),
        )

    def dump(self) -> Answer:
        """Refuse, as production does for every database that is not an alpha one."""
        return self._caller.call(self._name, "dump", [], failed=_prefixed("D1_DUMP_ERROR: "))

    def withSession(self, constraint: str | None = None, /) -> D1DatabaseSession:
        """Return a session that begins with `constraint`, or at a bookmark.

        None, jsnull and empty text mean "first-unconstrained". Raises JsException for other types.
        """
        given = None if isinstance(constraint, JsNull) else constraint
        if given is not None and not isinstance(given, str):
            raise JsException("constraintOrBookmark?.trim is not a function", "TypeError")
        start = (given or "").strip() or FIRST_UNCONSTRAINED
        return D1DatabaseSession(self._caller, self._name, start)

    def query(self, request: Any = None, /) -> Answer:
        """Refuse, as without the compatibility flag that turns it on."""
        raise JsException(
            "D1_ERROR: D1Database.query() requires the d1_binding_jsrpc compatibility flag. "
            "Enable d1_binding_jsrpc before calling query()."
        )


class D1DatabaseSession(_Queries):
    """A session: remembers the newest bookmark of what it has done."""

    def __init__(self, caller: Caller, name: str, start: str) -> None:
        super().__init__(caller, name)
        self._commit_token = start

    def getBookmark(self) -> str | None:
        """Return the session's bookmark; None before the first query of one without a bookmark."""
        if self._commit_token in (FIRST_PRIMARY, FIRST_UNCONSTRAINED):
            return None
        return self._commit_token

    def _send(self, queries: list[dict[str, Any]], then: Callable[[Any], Any]) -> Answer:
        def answered(answer: Any) -> Any:
            current = self.getBookmark()
            if current is None or current < answer["bookmark"]:
                self._commit_token = answer["bookmark"]
            return then(answer["results"])

        return self._caller.call(
            self._name,
            "query",
            [queries, self._commit_token],
            then=answered,
            failed=_prefixed("D1_ERROR: "),
        )


class D1PreparedStatement(_BindingWrapper):
    """A statement and its parameters; `bind` returns a new one."""

    def __init__(self, database: _Queries, sql: str, params: tuple[Any, ...] = ()) -> None:
        super().__init__(database._caller, database._name)
        self._database = database
        self.statement = sql
        self.params = params

    def bind(self, *params: Any) -> D1PreparedStatement:
        """Return the statement with these parameters. Raises JsException D1_TYPE_ERROR."""
        return D1PreparedStatement(self._database, self.statement, tuple(map(parameter, params)))

    def all(self) -> Answer:
        """Return `{"success", "meta", "results": [row, …]}`."""
        return self._run(_all)

    run = all

    def first(self, *column: str) -> Answer:
        """Return the first row, or its `column`; None when there is no row.

        Raises JsException D1_COLUMN_NOTFOUND; None is a column too, for JavaScript `"null"`.
        """
        return self._run(lambda result: _first(result, column))

    def raw(self, *options: Any, **keywords: Any) -> Answer:
        """Return rows as lists; with `columnNames=True`, the names come first."""
        given = self._options("raw", options, keywords)
        named = bool(given and (given[0] or {}).get("columnNames"))

        def rows(result: Any) -> list[list[Any]]:
            data = result["results"]
            found = [[_cell(cell) for cell in row] for row in data["rows"]]
            return [list(data["columns"]), *found] if named else found

        return self._run(rows)

    def _query(self) -> dict[str, Any]:
        return {"sql": self.statement, "params": list(self.params)}

    def _run(self, then: Callable[[Any], Any]) -> Answer:
        return self._database._send([self._query()], lambda results: then(results[0]))


def _prefixed(prefix: str, place: str = "") -> Callable[[str, str], Exception]:
    return lambda name, message: JsException(
        prefix + place + message, name, cause=JsException(place + message)
    )


def _all(result: Any) -> JsDict:
    data = result["results"]
    columns = data["columns"]
    # As in Object.fromEntries, the last of several columns with one name counts.
    rows = [JsDict(zip(columns, map(_cell, row), strict=True)) for row in data["rows"]]
    return JsDict(success=True, meta=result["meta"], results=rows)


def _first(result: Any, asked: tuple[str | None, ...]) -> Any:
    data = result["results"]
    if not data["rows"]:
        return None
    row = JsDict(zip(data["columns"], map(_cell, data["rows"][0]), strict=True))
    if not asked:
        return row
    column = "null" if asked[0] is None else asked[0]
    if column not in row:
        text = "Column not found"
        raise JsException(f"D1_COLUMN_NOTFOUND: {text} ({column})", cause=JsException(text))
    return row[column]


def _exec_result(results: list[Any]) -> JsDict:
    duration = sum(result["meta"].get("duration", 0) for result in results)
    return JsDict(count=len(results), duration=duration)


def _cell(value: Any) -> Any:
    """A blob is read as a list of numbers."""
    return list(value) if isinstance(value, memoryview) else value


CLIENT = D1Database
