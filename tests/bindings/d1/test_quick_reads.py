"""Queries that are run where the caller is, and what happens to those that are too slow for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest

from bindings.binding import Encoded
from bindings.d1.database import D1
from bindings.d1.jobs import Query
from bindings.d1.quickness import CALLS_MAX, Quickness
from bindings.sql.errors import RESULT_TOO_LARGE
from bindings.sql.limits import RESULT_MAX_BYTES
from emulator.errors import WorkerError
from emulator.protocol.values import decode, encode
from tests.bindings.d1.calls import query, refusal, with_d1
from tests.watchdog import loop_watch

SLOW = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
    " SELECT count(*) AS c FROM n"
)


async def rows(database: D1, sql: str) -> list[list[Any]]:
    (result,) = await database.call("query", [[{"sql": sql, "params": None}]])
    found: list[list[Any]] = result["results"]["rows"]
    return found


async def proven(database: D1, sql: str, *params: Any) -> None:
    """Ask until `sql` was quick on a thread: on a busy machine the first time may not be."""
    while not database.is_quick(sql):
        await query(database, (sql, list(params)))


def test_a_query_that_was_quick_once_needs_no_thread(tmp_path: Path) -> None:
    async def work(database: D1) -> bool:
        for _ in range(50):  # on a busy machine the event loop may seem slow, too
            await proven(database, "SELECT 1")
            await database.close_idle_readers()
            assert await rows(database, "SELECT 1") == [[1]]
            if not database.idle_readers:
                return True
        return False

    assert with_d1(tmp_path / "d.sqlite", work)


def test_a_slow_query_never_runs_on_the_event_loop(tmp_path: Path) -> None:
    async def work(database: D1) -> None:
        for _ in range(3):
            assert await rows(database, SLOW) == [[300000]]
            assert not database.is_quick(SLOW)

    with_d1(tmp_path / "d.sqlite", work)


def test_a_query_that_becomes_slow_goes_back_to_a_thread(tmp_path: Path) -> None:
    sql = SLOW.replace("300000", "?")

    async def work(database: D1) -> list[Any]:
        found = []
        await proven(database, sql, 10)
        for most in (300_000, 10):
            (result,) = await query(database, (sql, [most]))
            found.append((result["results"]["rows"], database.is_quick(sql)))
        return found

    assert with_d1(tmp_path / "d.sqlite", work) == [([[300_000]], False), ([[10]], False)]


def test_long_text_is_read_on_a_thread(tmp_path: Path) -> None:
    async def work(database: D1) -> list[int]:
        await query(database, "CREATE TABLE t(a)")
        found = []
        await query(database, "INSERT INTO t VALUES ('x')")
        await proven(database, "SELECT a FROM t")
        for length in (10, 1_000_000):
            await query(database, "DELETE FROM t", ("INSERT INTO t VALUES (?)", ["x" * length]))
            found.append(
                len((await query(database, "SELECT a FROM t"))[0]["results"]["rows"][0][0])
            )
        return found

    assert with_d1(tmp_path / "d.sqlite", work) == [10, 1_000_000]


def test_an_error_on_the_event_loop_is_told_by_a_thread(tmp_path: Path) -> None:
    sql = "SELECT json_extract(?, '$.a')"

    async def work(database: D1) -> tuple[Any, str]:
        await proven(database, sql, '{"a": 1}')
        (result,) = await query(database, (sql, ['{"a": 1}']))
        return result["results"]["rows"], await refusal(database, (sql, ["{bad"]))

    assert with_d1(tmp_path / "d.sqlite", work) == ([[1]], "malformed JSON: SQLITE_ERROR")


# What each of these did to a server: 3 to 34 seconds without an answer, up to 4.3 GB.
HOSTILE = [
    ["SELECT printf('%.*c', 2000000000, 'x') IS NULL"],
    ["SELECT instr(zeroblob(200000), CAST(zeroblob(100000) || 'x' AS BLOB))"],
    ["SELECT length(trim(hex(zeroblob(30000)), hex(randomblob(2000)) || 'xyz'))"],
    ["SELECT length(replace(hex(zeroblob(500000)), '00', '0'))"],
    [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
        " SELECT i, 'row ' || i FROM n"
    ],
    ["\n" * 99_000],
    [";" * 99_000],
    [f"CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1{';' * 90_000} END;"],
    ["SELECT 1;" * 11_000],
    ["SELECT 1"] * 10_000,
]


@pytest.mark.parametrize("entries", HOSTILE, ids=lambda entries: entries[0][:30].strip())
def test_no_sql_holds_up_the_event_loop(tmp_path: Path, entries: Sequence[str]) -> None:
    async def work(database: D1) -> None:
        await query(database, "CREATE TABLE t(a)")
        call = [{"sql": sql, "params": None} for sql in entries]
        with loop_watch():
            for _ in range(2):
                try:
                    await database.call("query", [call])
                except WorkerError:
                    pass

    with_d1(tmp_path / "d.sqlite", work)


def test_a_large_result_is_encoded_off_the_event_loop(tmp_path: Path) -> None:
    sql = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)"
        " SELECT i, i / 3.0 AS part, 'é\"\n' || hex(zeroblob(200000)) AS t, zeroblob(300000) AS b,"
        " NULL AS n, 9007199254740993 AS big, CAST(x'ff' AS TEXT) AS bad FROM n"
    )

    async def work(database: D1) -> tuple[Any, Any]:
        with loop_watch():
            answer = await database.call("query", [[{"sql": sql, "params": None}], "first-primary"])
        assert isinstance(answer, Encoded)
        plain = await database.run([Query(sql)])
        return decode(answer.data), decode(encode(plain))

    found, plain = with_d1(tmp_path / "d.sqlite", work)

    assert found["results"][0]["results"] == plain[0]["results"]
    assert found["bookmark"] and found["results"][0]["success"] is True


def test_a_result_larger_than_the_memory_of_production_is_refused(tmp_path: Path) -> None:
    rows = RESULT_MAX_BYTES // 1_000_000 + 1
    sql = (
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
        " SELECT hex(zeroblob(500000)) FROM n"
    )

    async def work(database: D1) -> str:
        with loop_watch():
            return await refusal(database, sql)

    assert with_d1(tmp_path / "d.sqlite", work) == RESULT_TOO_LARGE


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
            other = apsw.Connection(str(path))
            other.execute("BEGIN IMMEDIATE")
            other.execute("INSERT INTO t VALUES (2)")
            assert await rows(database, "SELECT x FROM t") == [[1]]
            other.execute("COMMIT")
            other.close()
            assert await rows(database, "SELECT x FROM t") == [[1], [2]]
        finally:
            await database.close()

    asyncio.run(main())


def test_a_call_that_was_slow_must_be_quick_the_more_often_the_more_often_it_was_slow() -> None:
    quickness, call = Quickness(), ("SELECT 1",)
    proofs = []
    for _ in range(4):
        proofs.append(0)
        while not quickness.is_proven(call):
            quickness.was_quick(call)
            proofs[-1] += 1
        quickness.was_slow(call)

    assert proofs == [1, 4, 16, 64]


def test_a_call_that_was_slow_once_and_then_quick_begins_anew() -> None:
    quickness, call = Quickness(), ("SELECT 1",)
    quickness.was_quick(call)
    quickness.was_slow(call)
    for _ in range(4):
        quickness.was_quick(call)
    assert quickness.is_proven(call)
    quickness.was_quick(call)  # on the event loop

    quickness.was_slow(call)
    for _ in range(4):
        quickness.was_quick(call)

    assert quickness.is_proven(call)


def test_only_so_many_calls_are_remembered() -> None:
    quickness = Quickness()
    for n in range(CALLS_MAX + 1):
        quickness.was_quick((str(n),))

    assert not quickness.is_proven(("0",)) and quickness.is_proven((str(CALLS_MAX),))
