"""Queries that are run where the caller is, and what happens to those that are too slow for it."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from bindings.d1 import D1
from bindings.d1.slowness import CALLS_MAX, Slowness

SLOW = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
    " SELECT count(*) AS c FROM n"
)


async def rows(database: D1, sql: str) -> list[list[Any]]:
    (result,) = await database.call("query", [[{"sql": sql, "params": None}]])
    found: list[list[Any]] = result["results"]["rows"]
    return found


def test_a_short_query_starts_no_reader_thread(tmp_path: Path) -> None:
    async def main() -> None:
        database = D1(tmp_path / "d.sqlite")
        try:
            assert await rows(database, "SELECT 1") == [[1]]
            assert database._idle_readers == []
        finally:
            await database.close()

    asyncio.run(main())


def test_a_slow_query_is_given_to_a_thread_and_remembered(tmp_path: Path) -> None:
    async def main() -> None:
        database = D1(tmp_path / "d.sqlite")
        try:
            assert await rows(database, SLOW) == [[300000]]
            assert len(database._idle_readers) == 1
            assert not database._slowness.may_be_quick((SLOW,))
            assert await rows(database, SLOW) == [[300000]]
        finally:
            await database.close()

    asyncio.run(main())


def test_the_event_loop_goes_on_while_a_slow_query_runs(tmp_path: Path) -> None:
    async def main() -> None:
        database = D1(tmp_path / "d.sqlite")
        try:
            query = asyncio.create_task(rows(database, SLOW.replace("300000", "3000000")))
            turns = 0
            while not query.done():
                await asyncio.sleep(0)
                turns += 1
            assert await query == [[3000000]]
            assert turns > 50
        finally:
            await database.close()

    asyncio.run(main())


def test_a_query_sees_what_was_written_before_it_and_no_writer_holds_it_up(
    tmp_path: Path,
) -> None:
    path = tmp_path / "d.sqlite"

    async def main() -> None:
        database = D1(path)
        try:
            await database.call("exec", [["CREATE TABLE t (x)", "INSERT INTO t VALUES (1)"]])
            assert await rows(database, "SELECT x FROM t") == [[1]]
            other = sqlite3.connect(path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            other.execute("INSERT INTO t VALUES (2)")
            assert await rows(database, "SELECT x FROM t") == [[1]]
            other.execute("COMMIT")
            other.close()
            assert await rows(database, "SELECT x FROM t") == [[1], [2]]
        finally:
            await database.close()

    asyncio.run(main())


def test_a_call_that_was_slow_is_tried_again_less_and_less_often() -> None:
    slowness, call = Slowness(), ("SELECT 1",)
    waits = []
    for _ in range(4):
        slowness.was_slow(call)
        waits.append(0)
        while not slowness.may_be_quick(call):
            waits[-1] += 1

    assert waits == [3, 15, 63, 255]


def test_a_call_that_was_slow_once_and_then_quick_begins_anew() -> None:
    slowness, call = Slowness(), ("SELECT 1",)

    slowness.was_slow(call)
    slowness.was_quick(call)
    slowness.was_slow(call)

    assert [slowness.may_be_quick(call) for _ in range(4)] == [False, False, False, True]


def test_only_so_many_slow_calls_are_remembered() -> None:
    slowness = Slowness()
    for n in range(CALLS_MAX + 1):
        slowness.was_slow((str(n),))

    assert slowness.may_be_quick(("0",)) and not slowness.may_be_quick((str(CALLS_MAX),))
