from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from bindings.d1.database import D1
from bindings.sql.errors import TIMED_OUT
from tests.bindings.d1.calls import message, query, refusal, rows, with_d1

RUNAWAY = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (f"select {','.join('?' * 101)}", "too many SQL variables at offset 207: SQLITE_ERROR"),
        (f"select '{'x' * 100_001}'", "statement too long: SQLITE_TOOBIG"),
        ("select length(randomblob(2000001))", "string or blob too big: SQLITE_TOOBIG"),
        (
            f"create table wide({','.join(f'c{i}' for i in range(101))})",
            "too many columns on wide: SQLITE_ERROR",
        ),
        (
            f"select 1 where 'a' like '{'x' * 51}'",
            "LIKE or GLOB pattern too complex: SQLITE_ERROR",
        ),
        (
            " union ".join(f"select {i}" for i in range(6)),
            "too many terms in compound SELECT: SQLITE_ERROR",
        ),
        (
            f"select {'+'.join('1' * 120)}",
            "Expression tree is too large (maximum depth 100): SQLITE_ERROR",
        ),
        (
            f"select max({','.join('1' * 33)})",
            "too many arguments on function max at offset 7: SQLITE_ERROR",
        ),
    ],
)
def test_a_limit_is_enforced_in_workerd_s_words(tmp_path: Path, sql: str, expected: str) -> None:
    assert message(tmp_path / "d.sqlite", [sql]) == expected


def test_a_parameter_over_two_million_bytes_is_refused(tmp_path: Path) -> None:
    text = "string or blob too big: SQLITE_TOOBIG"

    assert message(tmp_path / "a.sqlite", [("select ?", ["x" * 2_000_001])]) == text
    assert message(tmp_path / "b.sqlite", [("select ?", [bytes(2_000_001)])]) == text


@pytest.mark.parametrize("sql", [RUNAWAY, f"CREATE TABLE t AS {RUNAWAY}"])
def test_a_runaway_query_is_stopped_and_undone(tmp_path: Path, sql: str) -> None:
    async def work(database: D1) -> tuple[str, object]:
        text = await refusal(database, "CREATE TABLE before(a)", sql)
        return text, await rows(database, "SELECT name FROM sqlite_schema")

    assert with_d1(tmp_path / "d.sqlite", work, query_timeout_ms=200) == (TIMED_OUT, [])


def test_many_short_statements_share_one_time_limit(tmp_path: Path) -> None:
    async def work(database: D1) -> str:
        return await refusal(database, *["SELECT 1"] * 100_000)

    assert with_d1(tmp_path / "d.sqlite", work, query_timeout_ms=50) == TIMED_OUT


def test_closing_stops_a_runaway_query(tmp_path: Path) -> None:
    async def work(database: D1) -> tuple[str, bool]:
        await query(database, "SELECT 1")
        running = asyncio.create_task(refusal(database, RUNAWAY))
        await asyncio.sleep(0)
        started = time.monotonic()
        await database.close()
        return await running, time.monotonic() - started < 10

    assert with_d1(tmp_path / "d.sqlite", work) == ("Network connection lost.", True)


def test_a_cancelled_call_frees_its_connection(tmp_path: Path) -> None:
    async def work(database: D1) -> object:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(query(database, RUNAWAY), 0.05)
        return await asyncio.wait_for(rows(database, "SELECT 1"), 10)

    assert with_d1(tmp_path / "d.sqlite", work) == [[1]]
