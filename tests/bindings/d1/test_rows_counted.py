"""`rows_read` and `rows_written` beside what workerd 1.20261117 counted for the same statements."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from bindings.d1.database import D1
from bindings.sql.footprint import Footprint, Scan, rows_read
from tests.bindings.d1.calls import query, refusal, with_d1

SETUP = [
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, n INTEGER)",
    "CREATE INDEX ti ON t(n)",
    "INSERT INTO t(a, n) VALUES ('x', 1), ('y', 2), ('z', 2)",
    "CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID",
    "INSERT INTO w VALUES ('a', 1), ('b', 2)",
    "CREATE VIRTUAL TABLE f USING fts5(x)",
    "INSERT INTO f VALUES ('hello world'), ('foo')",
]

# Each of these has exactly workerd's numbers.
AS_WORKERD = [
    ("INSERT INTO t(a, n) VALUES ('x', 1), ('y', 2), ('z', 2)", 0, 6),
    ("INSERT INTO w VALUES ('c', 1), ('d', 2)", 0, 2),
    ("INSERT INTO f VALUES ('hello'), ('bar')", 0, 2),
    ("SELECT * FROM t", 3, 0),
    ("SELECT * FROM t WHERE id = 1", 1, 0),
    ("SELECT * FROM t WHERE id = 99", 1, 0),
    ("SELECT * FROM t WHERE n = 2", 2, 0),
    ("SELECT * FROM t WHERE a = 'x'", 3, 0),
    ("SELECT * FROM t ORDER BY a", 6, 0),
    ("SELECT * FROM t ORDER BY n", 3, 0),
    ("SELECT * FROM t LIMIT 1", 1, 0),
    ("SELECT count(*) FROM t", 3, 0),
    ("SELECT max(id) FROM t", 1, 0),
    ("SELECT 1", 0, 0),
    ("SELECT * FROM t x, t y", 12, 0),
    ("SELECT n, count(*) FROM t GROUP BY n", 3, 0),
    ("SELECT a, count(*) FROM t GROUP BY a", 6, 0),
    ("SELECT DISTINCT a FROM t", 3, 0),
    ("SELECT * FROM t UNION ALL SELECT * FROM t", 6, 0),
    ("SELECT (SELECT count(*) FROM t)", 3, 0),
    ("SELECT * FROM t WHERE exists(SELECT 1 FROM t y WHERE y.n = t.n)", 6, 0),
    ("SELECT value FROM json_each('[1,2,3]')", 3, 0),
    ("SELECT * FROM w", 2, 0),
    ("SELECT * FROM w WHERE k = 'a'", 1, 0),
    ("SELECT * FROM f WHERE f MATCH 'hello'", 1, 0),
    ("SELECT * FROM f", 2, 0),
    ("UPDATE t SET a = 'q' WHERE id = 1", 1, 1),
    ("UPDATE t SET n = 7 WHERE id = 1", 1, 2),
    ("UPDATE t SET n = 8", 3, 6),
    ("DELETE FROM t WHERE id = 1", 1, 1),
    ("DELETE FROM t", 0, 3),
    ("INSERT INTO t(a) SELECT a FROM t", 6, 6),
    ("INSERT OR REPLACE INTO t(id, a, n) VALUES (5, 'w', 1)", 1, 2),
    ("CREATE TABLE new(a)", 1, 2),
    ("PRAGMA table_info(t)", 0, 0),
    ("EXPLAIN SELECT * FROM t", 0, 0),
]


def counted(path: Path, *entries: str) -> list[tuple[int, int]]:
    """Return rows read and written by each of `entries`, after SETUP."""

    async def work(database: D1) -> list[tuple[int, int]]:
        await query(database, *SETUP)
        metas = [(await query(database, entry))[0]["meta"] for entry in entries]
        return [(meta["rows_read"], meta["rows_written"]) for meta in metas]

    return with_d1(path, work, synchronous="NORMAL")


@pytest.mark.parametrize(("sql", "read", "written"), AS_WORKERD)
def test_rows_are_counted_as_workerd_counts_them(
    tmp_path: Path, sql: str, read: int, written: int
) -> None:
    assert counted(tmp_path / "d.sqlite", sql) == [(read, written)]


def test_the_count_follows_the_table_and_its_indexes(tmp_path: Path) -> None:
    insert, scan = "INSERT INTO t(a) VALUES ('new')", "SELECT * FROM t WHERE a = 'new'"

    found = counted(
        tmp_path / "d.sqlite",
        *(scan, insert, scan, "CREATE INDEX ta ON t(a)", scan, insert, scan.replace("new", "x")),
    )

    reads, writes = [read for read, _ in found], [written for _, written in found]
    assert reads == [3, 0, 4, 1, 1, 0, 1]
    assert writes == [0, 2, 0, 2, 0, 3, 0]


def test_several_statements_of_one_text_are_added_up(tmp_path: Path) -> None:
    sql = "UPDATE t SET n = 8; SELECT * FROM t"

    assert counted(tmp_path / "d.sqlite", sql) == [(6, 6)]


def test_a_scan_inside_another_is_done_for_each_of_its_rows() -> None:
    touched = Footprint(scans=(Scan(("a",)), Scan(("a", "b"))))

    assert rows_read(touched, {"a": 10, "b": 5}.__getitem__, 50) == 60


@pytest.mark.parametrize(
    ("scan", "values", "found", "expected"),
    [
        (Scan(("t",), limit=10), (), 10, 10),
        (Scan(("t",), limit=10), (), 3, 1_000),
        (Scan(("t",), limit=-1), (), 1_000, 1_000),
        (Scan(("t",), limit_parameter=2), ("x", 5.0), 5, 5),
        (Scan(("t",), limit_parameter=2), ("x", 5.0), 4, 1_000),
        (Scan(("t",), limit_parameter=2), ("x", None), 4, 1_000),
    ],
)
def test_a_scan_that_reached_its_limit_counts_what_it_returned(
    scan: Scan, values: tuple[object, ...], found: int, expected: int
) -> None:
    assert rows_read(Footprint(scans=(scan,)), lambda _: 1_000, found, values) == expected


def test_a_limit_that_was_not_reached_is_a_whole_scan(tmp_path: Path) -> None:
    scan = "SELECT * FROM t WHERE a >= 'x' LIMIT {}"

    found = counted(tmp_path / "d.sqlite", *(scan.format(n) for n in (1, 2, 3, 4, 100)))

    assert [read for read, _ in found] == [1, 2, 3, 3, 3]


def test_a_limit_may_be_a_parameter(tmp_path: Path) -> None:
    async def work(database: D1) -> list[int]:
        await query(database, *SETUP)
        sql = "SELECT * FROM t WHERE a > ? LIMIT ?"
        results = [await query(database, (sql, ["x", limit])) for limit in (1, 5)]
        return [result[0]["meta"]["rows_read"] for result in results]

    assert with_d1(tmp_path / "d.sqlite", work) == [1, 3]


def test_what_was_undone_does_not_count(tmp_path: Path) -> None:
    async def work(database: D1) -> list[int]:
        await query(database, *SETUP)
        await refusal(database, "INSERT INTO t(a) VALUES ('x')", "UPDATE t SET a = 1", "nope")
        metas = [(await query(database, sql))[0]["meta"] for sql in ("UPDATE t SET a = 2",) * 2]
        return [meta["rows_read"] for meta in metas]

    assert with_d1(tmp_path / "d.sqlite", work) == [3, 3]


def test_what_another_process_wrote_counts(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"

    async def work(database: D1) -> list[int]:
        await query(database, *SETUP)
        found = []
        for sql in ("SELECT 1 AS a", "INSERT INTO t(a) VALUES ('x')", "CREATE INDEX ta ON t(a)"):
            with closing(apsw.Connection(str(path))) as other:
                other.execute(sql)
            for scan in ("SELECT * FROM t WHERE a = 'x'", "UPDATE t SET n = 1 WHERE a = 'x'"):
                found.append((await query(database, scan))[0]["meta"]["rows_read"])
        return found

    assert with_d1(path, work) == [3, 3, 4, 4, 2, 2]
