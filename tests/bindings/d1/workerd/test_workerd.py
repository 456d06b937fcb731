"""Cloudflare's own D1 client, in the real workerd, on our database."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bindings.d1.database import D1
from bindings.d1.http import answer
from tests.bindings import workerd

pytestmark = pytest.mark.wrangler

SETUP = {"method": "exec", "sql": "CREATE TABLE t(id INTEGER PRIMARY KEY, a)"}
INSERT = "INSERT INTO t(a) VALUES (?)"


WORKER = Path(__file__).with_name("worker.mjs")


def ask_workerd(folder: Path, calls: list[dict[str, Any]]) -> list[Any]:
    """Return what a worker gets for `calls` on a database in `folder`."""
    database = D1(folder / "d.sqlite")
    try:
        return workerd.ask_workerd(folder, WORKER, "d1-api", partial(answer, database), calls)
    finally:
        asyncio.run(database.close())


def test_every_method_gives_what_production_s_client_makes_of_it(tmp_path: Path) -> None:
    calls: list[tuple[dict[str, Any], Any]] = [
        ({"method": "run", "sql": INSERT, "params": ["x"]}, []),
        ({"method": "run", "sql": "SELECT a FROM t"}, [{"a": "x"}]),
        ({"method": "all", "sql": "SELECT 1 a, 2 a"}, [{"a": 2}]),
    ]
    plain: list[tuple[dict[str, Any], Any]] = [
        ({"method": "first", "sql": "SELECT * FROM t"}, {"id": 1, "a": "x"}),
        ({"method": "first", "sql": "SELECT * FROM t", "column": "a"}, "x"),
        ({"method": "first", "sql": "SELECT 1 WHERE 0"}, None),
        ({"method": "raw", "sql": "SELECT 1 a, 2 a"}, [[1, 2]]),
        (
            {"method": "raw", "sql": "SELECT 1 a WHERE 0", "options": {"columnNames": True}},
            [["a"]],
        ),
        ({"method": "first", "sql": "SELECT ?", "odd": "floats"}, {"?": [1, 44, 255]}),
        ({"method": "first", "sql": "SELECT ?", "odd": "buffer"}, {"?": [1, 2]}),
        ({"method": "first", "sql": "SELECT ?", "odd": "nan"}, {"?": None}),
        ({"method": "first", "sql": "SELECT ?", "odd": "true"}, {"?": 1}),
    ]

    answers = ask_workerd(tmp_path, [SETUP, *(call for call, _ in calls + plain)])[1:]

    assert [found["ok"]["results"] for found in answers[: len(calls)]] == [r for _, r in calls]
    assert [found["ok"] for found in answers[len(calls) :]] == [result for _, result in plain]


def test_errors_arrive_with_their_prefix_and_their_cause(tmp_path: Path) -> None:
    syntax = 'near "nope": syntax error at offset 0: SQLITE_ERROR'
    expected: list[tuple[dict[str, Any], str, str]] = [
        ({"method": "all", "sql": "nope"}, "D1_ERROR: ", syntax),
        ({"method": "run", "sql": "nope"}, "D1_ERROR: ", syntax),
        ({"method": "batch", "queries": []}, "D1_ERROR: ", "No SQL statements detected."),
        (
            {"method": "batch", "queries": [{"sql": "DELETE FROM t"}, {"sql": "nope"}]},
            "D1_ERROR: ",
            syntax,
        ),
        (
            {"method": "exec", "sql": "SELECT 1\nnope"},
            "D1_EXEC_ERROR: ",
            f"Error in line 1: SELECT 1: {syntax}",
        ),
        (
            {"method": "all", "sql": "SELECT ?", "odd": "bigint"},
            "D1_TYPE_ERROR: ",
            "Type 'bigint' not supported for value '1'",
        ),
    ]

    answers = ask_workerd(tmp_path, [SETUP, *(call for call, _, _ in expected)])[1:]

    assert answers == [{"error": prefix + text, "cause": text} for _, prefix, text in expected]


def test_a_dump_is_refused_as_production_refuses_it(tmp_path: Path) -> None:
    (found,) = ask_workerd(tmp_path, [{"method": "dump"}])

    assert found == {"error": "D1_DUMP_ERROR: Status + 404", "cause": "Status 404"}


def test_a_session_follows_the_bookmarks_of_its_queries(tmp_path: Path) -> None:
    queries = [{"sql": INSERT, "params": [1]}, {"sql": "SELECT 1"}, {"sql": INSERT, "params": [2]}]
    future = "ffffffff-ffffffff-ffffffff-00000000000000000000000000000000"
    calls: list[dict[str, Any]] = [
        SETUP,
        {"method": "session", "start": "first-primary", "queries": queries},
        {"method": "session", "start": " ", "queries": queries[:1]},
        {"method": "session", "start": future, "queries": queries[:1]},
    ]

    primary, blank, ahead = (found["ok"] for found in ask_workerd(tmp_path, calls)[1:])

    before, first, read, second = primary
    assert before is None and first == read < second < blank[1]
    assert blank[0] is None and ahead == [future, future]
