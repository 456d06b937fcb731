"""Runs a query on the file of data points, for at most a few seconds.

Source: docs/platform/analytics-sql.md, "Statements".
"""

from __future__ import annotations

import json
import sqlite3
import time
import zoneinfo
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from bindings.analytics.sql import times
from bindings.analytics.sql.aggregates import AGGREGATES
from bindings.analytics.sql.compiling import PREFIX, Compiler
from bindings.analytics.sql.functions import ARRAY, DATE, FUNCTIONS, OWN, TEXT, TIME
from bindings.analytics.sql.reading import read
from bindings.analytics.sql.tree import InvalidQuery, Show

QUERY_MAX_S = 10.0
ROWS_MAX = 1_000_000
_STEPS = 20_000  # of SQLite's machine, between two looks at the time


class Result(Struct, frozen=True):
    """The rows of a query. columns: names and types; format: what `FORMAT` says."""

    columns: list[tuple[str, str]]
    rows: list[list[Any]]
    format: str
    elapsed_ms: int
    rows_read: int


def run(
    connection: sqlite3.Connection,
    query: str,
    now_ms: int,
    parameters: Any = None,
    namespace: str = "",
) -> Result:
    """Return what a query finds. namespace: what names of datasets begin with: `"events."`.

    Raises InvalidQuery.
    """
    began = time.monotonic()
    tree = read(query, parameters)
    if isinstance(tree, Show):
        columns, rows = _shown(connection, tree.what)
        return Result(columns, rows, tree.format, 0, len(rows))
    counted = [0]

    def table(name: str) -> str:
        dataset = name.removeprefix(namespace)
        (count,) = connection.execute(
            "SELECT count(*) FROM points WHERE dataset = ?", (dataset,)
        ).fetchone()
        if not count or not name.startswith(namespace):
            raise InvalidQuery(_unknown(name, namespace))
        counted[0] += count
        return "dataset = '" + dataset.replace("'", "''") + "'"

    compiled = Compiler(table, now_ms // 1000).compiled(tree)
    found = _fetched(connection, compiled.sql, began)
    types = [type for _, type in compiled.columns]
    rows = [[_value(each, type) for each, type in zip(row, types, strict=True)] for row in found]
    elapsed_ms = round((time.monotonic() - began) * 1000)
    return Result(compiled.columns, rows, tree.format, elapsed_ms, counted[0])


def _unknown(name: str, namespace: str) -> str:
    if namespace and not name.startswith(namespace):
        return f"unknown dataset {name}; here are only {namespace}DATASET"
    return f"unknown table {name}; nothing has been written to it yet"


def _fetched(connection: sqlite3.Connection, sql: str, began: float) -> list[tuple[Any, ...]]:
    failures: list[InvalidQuery] = []
    _define(connection, failures)
    connection.set_progress_handler(lambda: time.monotonic() - began > QUERY_MAX_S, _STEPS)
    try:
        return connection.execute(sql).fetchmany(ROWS_MAX)
    except sqlite3.Error as error:
        if failures:
            raise failures[0] from None
        if "interrupted" in str(error):
            raise InvalidQuery(f"the query took longer than {QUERY_MAX_S:g} s") from None
        raise InvalidQuery(str(error)) from None
    finally:
        connection.set_progress_handler(None, 0)


def _define(connection: sqlite3.Connection, failures: list[InvalidQuery]) -> None:
    """Make the functions known to SQLite; what one raises is put into `failures`."""
    functions = {name: function.run for name, function in FUNCTIONS.items()} | OWN
    for name, function in functions.items():
        run = _guarded(function, failures, with_none=name == "floor_time")
        connection.create_function(f"{PREFIX}{name}", -1, run, deterministic=True)
    for name, aggregate in AGGREGATES.items():
        guarded = type(name, (aggregate,), {"step": _stepping(aggregate, failures)})
        connection.create_aggregate(f"{PREFIX}{name}", -1, guarded)


def _guarded(
    function: Callable[..., Any], failures: list[InvalidQuery], *, with_none: bool
) -> Callable[..., Any]:
    def run(*given: Any) -> Any:
        if None in given and not with_none:
            return None
        try:
            return function(*given)
        except InvalidQuery as error:
            failures.append(error)
            raise
        except (AttributeError, TypeError, ValueError, OverflowError, ArithmeticError) as error:
            failures.append(InvalidQuery(f"a function got a value that it cannot take: {error}"))
            raise

    return run


def _stepping(aggregate: Any, failures: list[InvalidQuery]) -> Callable[..., None]:
    def step(self: Any, *given: Any) -> None:
        try:
            aggregate.step(self, *given)
        except InvalidQuery as error:
            failures.append(error)
            raise
        except TypeError as error:
            failures.append(InvalidQuery(f"a function got a value that it cannot take: {error}"))
            raise

    return step


def _value(value: Any, type: str) -> Any:
    if value is None:
        return None
    if type == TIME:
        return times.shown(value)
    if type == DATE:
        return str(times.shown(value))[:10]
    return json.loads(value) if type == ARRAY else value


def _shown(connection: sqlite3.Connection, what: str) -> tuple[list[tuple[str, str]], list[Any]]:
    if what == "timezone":
        return [("timezone", TEXT)], [["Etc/UTC"]]
    if what == "timezones":
        return [("timezone", TEXT)], [[name] for name in sorted(zoneinfo.available_timezones())]
    rows = connection.execute("SELECT DISTINCT dataset FROM points ORDER BY dataset").fetchall()
    return [("dataset", TEXT), ("type", TEXT)], [[name, "dataset"] for (name,) in rows]
