"""What D1's SQL can and cannot do; every answer was compared with workerd 1.20261117."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bindings.d1.database import D1
from tests.bindings.d1.calls import message, query, rows, with_d1

SETUP = (
    "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT);"
    "CREATE TABLE c(id INTEGER PRIMARY KEY, pid INTEGER NOT NULL REFERENCES p(id));"
    "INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO c VALUES (1, 1);"
    "CREATE VIRTUAL TABLE z USING fts5(a); INSERT INTO z VALUES ('hello world')"
)


def answer(tmp_path: Path, *statements: str) -> Any:
    """Return the rows of the last of `statements`, sent one by one after SETUP."""

    async def work(database: D1) -> Any:
        await query(database, SETUP)
        for statement in statements[:-1]:
            await query(database, statement)
        return await rows(database, statements[-1])

    return with_d1(tmp_path / "d.sqlite", work, synchronous="NORMAL")


@pytest.mark.parametrize(
    "statements",
    [
        ["ALTER TABLE p ADD COLUMN extra DEFAULT 5", "ALTER TABLE p DROP COLUMN extra"],
        ["ALTER TABLE p ADD COLUMN extra", "ALTER TABLE p RENAME COLUMN extra TO more"],
        ["ALTER TABLE p RENAME TO p2", "SELECT * FROM p2"],
        ["CREATE TABLE g(a, b AS (a * 2) STORED)", "INSERT INTO g(a) VALUES (1)"],
        ["CREATE TABLE st(a INT) STRICT", "CREATE TABLE wr(a PRIMARY KEY) WITHOUT ROWID"],
        ["CREATE INDEX ei ON p(lower(name))", "REINDEX p", "ANALYZE p", "DROP INDEX ei"],
        ["CREATE VIRTUAL TABLE r USING rtree(id, a, b)", "SELECT rtreecheck('r')"],
        ["CREATE VIRTUAL TABLE v USING fts5vocab(z, 'row')", "SELECT * FROM v"],
        ["INSERT INTO z(z) VALUES ('optimize')", "DELETE FROM z", "DROP TABLE z"],
        ["SELECT highlight(z, 0, '<', '>'), bm25(z), snippet(z, 0, '', '', '', 3) FROM z('world')"],
        ["PRAGMA optimize(0x10002)", "PRAGMA foreign_keys = onx", "PRAGMA quick_check(p)"],
        ["SELECT * FROM pragma_table_info('p')", "SELECT * FROM pragma_index_list('p')"],
        ["INSERT INTO p VALUES (1, 'x') ON CONFLICT(id) DO UPDATE SET name = 'u' RETURNING *"],
        ["; SELECT 1", "SELECT 1;;; SELECT 2", ";;/* c */; SELECT 1"],
        [f"SELECT 1 IN ({','.join(map(str, range(10_000)))})"],
        ["SELECT count(*) FROM z_data", "SELECT * FROM sqlite_schema"],
    ],
)
def test_what_production_allows_is_allowed(tmp_path: Path, statements: list[str]) -> None:
    answer(tmp_path, *statements)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("INSERT INTO z_data VALUES (9, x'00')", "table z_data may not be modified: SQLITE_ERROR"),
        ("delete from main.z_content", "table z_content may not be modified: SQLITE_ERROR"),
        ('UPDATE OR IGNORE "z_config" SET v = 1', "table z_config may not be modified"),
        ("DROP TABLE IF EXISTS z_data", "table z_data may not be dropped: SQLITE_ERROR"),
        ("SELECT ?101", "variable number must be between ?1 and ?100 at offset 7: SQLITE_ERROR"),
        ("SELECT ?0", "variable number must be between ?1 and ?100 at offset 7: SQLITE_ERROR"),
        ("SELECT id FROM p JOIN c", "ambiguous column name: id at offset 7: SQLITE_ERROR"),
        ("SELECT ceiling(1)", "not authorized to use function: ceiling at offset 7: SQLITE_ERROR"),
        ("SELECT log10(1)", "not authorized to use function: log10 at offset 7: SQLITE_ERROR"),
        ("SELECT power(1, 1)", "not authorized to use function: power at offset 7: SQLITE_ERROR"),
        ("SELECT soundex('a')", "no such function: soundex at offset 7: SQLITE_ERROR"),
        ("PRAGMA foreign_keys = maybe", "not authorized: SQLITE_AUTH"),
        ("ALTER TABLE _cf_x ADD COLUMN a", "no such table: _cf_x: SQLITE_ERROR"),
        ("SELECT 1;;", "SQL code did not contain a statement."),
        ("VACUUM INTO 'x.db'", "cannot VACUUM from within a transaction: SQLITE_ERROR"),
        ("ATTACH 'x.db' AS y", "not authorized: SQLITE_AUTH"),
        ("DELETE FROM sqlite_master", "table sqlite_master may not be modified: SQLITE_ERROR"),
        ("SELECT load_extension('x')", "not authorized"),
    ],
)
def test_what_production_refuses_is_refused_in_its_words(
    tmp_path: Path, sql: str, expected: str
) -> None:
    assert message(tmp_path / "d.sqlite", [SETUP], [sql]).startswith(expected)


def test_a_strict_column_names_its_constraint(tmp_path: Path) -> None:
    text = message(
        tmp_path / "d.sqlite", ["CREATE TABLE st(a INT) STRICT"], ["INSERT INTO st VALUES ('x')"]
    )

    assert text == (
        "cannot store TEXT value in INT column st.a: SQLITE_CONSTRAINT"
        " (extended: SQLITE_CONSTRAINT_DATATYPE)"
    )


def test_triggers_may_nest_ten_deep(tmp_path: Path) -> None:
    trigger = (
        "CREATE TABLE tr(n);"
        "CREATE TRIGGER rt AFTER INSERT ON tr WHEN new.n > 0 BEGIN"
        " INSERT INTO tr VALUES (new.n - 1); END"
    )
    insert = "PRAGMA recursive_triggers = on; INSERT INTO tr VALUES ({})"

    assert answer(tmp_path, trigger, insert.format(9), "SELECT count(*) FROM tr") == [[10]]
    text = message(tmp_path / "e.sqlite", [trigger], [insert.format(30)])
    assert text == "triggers nested too deep: SQLITE_ERROR"


def test_deferred_foreign_keys_hold_at_the_end_of_the_call(tmp_path: Path) -> None:
    replace = "PRAGMA defer_foreign_keys = on; DELETE FROM p WHERE id = 1;"

    found = answer(tmp_path, f"{replace} INSERT INTO p VALUES (1, 'new')", "SELECT count(*) FROM p")
    assert found == [[2]]
    text = message(tmp_path / "e.sqlite", [SETUP], [replace])
    assert text.startswith("FOREIGN KEY constraint failed: SQLITE_CONSTRAINT")
    # The PRAGMA is over with its call.
    refused = message(
        tmp_path / "f.sqlite",
        [SETUP],
        ["PRAGMA defer_foreign_keys = on"],
        ["DELETE FROM p WHERE id = 1"],
    )
    assert refused.startswith("FOREIGN KEY constraint failed")


def test_foreign_keys_cannot_be_turned_off(tmp_path: Path) -> None:
    text = message(
        tmp_path / "d.sqlite", [SETUP], ["PRAGMA foreign_keys = off", "INSERT INTO c VALUES (9, 9)"]
    )

    assert text.startswith("FOREIGN KEY constraint failed")


def test_the_size_is_that_of_the_pages_in_use(tmp_path: Path) -> None:
    async def work(database: D1) -> list[tuple[int, bool]]:
        await query(database, "CREATE TABLE a(x)", "CREATE TABLE b(x)")
        metas = [
            (await query(database, sql))[0]["meta"]
            for sql in ("SELECT 1", "DROP TABLE b", "SELECT 1", "CREATE TABLE c(x)", "SELECT 1")
        ]
        return [(meta["size_after"], meta["changed_db"]) for meta in metas]

    page = 4096
    assert with_d1(tmp_path / "d.sqlite", work) == [
        (3 * page, False),
        (2 * page, True),
        (2 * page, False),
        (3 * page, True),
        (3 * page, False),
    ]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("concat('a', 1, NULL, 2.0)", "a12.0"),
        ("concat_ws('-', 1, NULL, 2)", "1-2"),
        ("octet_length('é')", 2),
        ("unhex('41ff')", [65, 255]),
        ("unhex('4')", None),
        ("unhex('41 42', ' ')", [65, 66]),
        ("string_agg(name, '-') FROM p", "a-b"),
        ("string_agg(name, '-') FROM p WHERE 0", None),
        ("ceil(1.2) + floor(1.7) + sqrt(4) + pow(2, 3) + log(2, 8) + mod(7, 3)", 17),
        ("json_extract('{\"a\": [1, 2]}', '$.a[1]')", 2),
        ("'{\"a\": 1}' ->> 'a'", 1),
        # All of these are newer than the SQLite of many a Python.
        ("datetime('now', 'subsec') IS NULL", 0),
        ("typeof(unixepoch('subsec'))", "real"),
        ("datetime(1767225600, 'auto')", "2026-01-01 00:00:00"),
        ("date('2026-01-31', '+1 month', 'floor')", "2026-02-28"),
        (
            "strftime('%F %T %R %u %G-W%V %I%p %e', '2026-01-02 15:04:05')",
            "2026-01-02 15:04:05 15:04 5 2026-W01 03PM  2",
        ),
        ("timediff('2026-03-01', '2026-01-15 12:00')", "+0000-01-13 12:00:00.000"),
        (
            "(SELECT group_concat(v, ',' ORDER BY v DESC) FROM (SELECT 1 AS v UNION SELECT 2))",
            "2,1",
        ),
        ("json('{a: 1,}')", '{"a":1}'),
        ("json(jsonb('[1]'))", "[1]"),
        ("iif(1, 'a')", "a"),
        ("1_000", 1000),
        ("string_agg(name, '-') OVER () FROM p LIMIT 1", "a-b"),
    ],
)
def test_functions_answer_as_in_production(tmp_path: Path, sql: str, value: Any) -> None:
    assert answer(tmp_path, f"SELECT {sql}") == [[value]]
