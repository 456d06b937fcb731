from __future__ import annotations

from pathlib import Path

import pytest

from bindings.d1.database import D1
from bindings.sql.authorizer import TRANSACTION_REFUSED, is_pragma_allowed
from tests.bindings.d1.calls import message, query, refusal, rows, with_d1


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH ':memory:' AS x",
        "DETACH x",
        "CREATE TEMP TABLE z(a)",
        "CREATE TABLE _cf_x(a)",
        "CREATE TABLE _CF_X(a)",
        "CREATE INDEX _cf_i ON t(a)",
        "ALTER TABLE t RENAME TO _cf_y",
        'ALTER TABLE t RENAME TO "_cf_y"',
        "CREATE VIRTUAL TABLE f USING fts3(a)",
        "CREATE VIRTUAL TABLE f USING nomodule(a)",
        "PRAGMA user_version",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA cache_size",
        "PRAGMA integrity_check",
        "PRAGMA writable_schema = on",
        "PRAGMA foreign_keys = 2",
        "PRAGMA nothing_like_that",
        "SELECT name FROM pragma_function_list",
    ],
)
def test_what_d1_forbids_is_not_authorized(tmp_path: Path, sql: str) -> None:
    created = "CREATE TABLE t(a)"

    assert message(tmp_path / "d.sqlite", [created], [sql]) == "not authorized: SQLITE_AUTH"


@pytest.mark.parametrize("function", ["sqlite_version()", "sqlite_compileoption_used('x')"])
def test_a_forbidden_function_is_named_with_its_place(tmp_path: Path, function: str) -> None:
    name = function.partition("(")[0]

    assert message(tmp_path / "d.sqlite", [f"select {function}"]) == (
        f"not authorized to use function: {name} at offset 7: SQLITE_ERROR"
    )


def test_extensions_cannot_be_loaded(tmp_path: Path) -> None:
    assert message(tmp_path / "d.sqlite", ["select load_extension('x')"]) == (
        "not authorized: SQLITE_ERROR"
    )


def test_the_schema_table_cannot_be_written(tmp_path: Path) -> None:
    assert message(tmp_path / "d.sqlite", ["delete from sqlite_master"]) == (
        "table sqlite_master may not be modified: SQLITE_ERROR"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sql FROM sqlite_schema",
        "CREATE VIRTUAL TABLE f USING fts5(a)",
        "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)",
        "CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM t WHERE a < 0; SELECT 1; END",
        "CREATE VIEW v AS SELECT * FROM t",
        "ALTER TABLE t ADD COLUMN b",
        "ALTER TABLE t RENAME COLUMN a TO c",
        "ALTER TABLE t RENAME TO s",
        "CREATE INDEX i ON t(a)",
        "REINDEX",
        "ANALYZE",
        "PRAGMA table_info(t)",
        "PRAGMA foreign_keys = off",
        "PRAGMA optimize",
        "PRAGMA quick_check",
        "PRAGMA table_list",
        "SELECT name FROM pragma_table_info('t')",
        "SELECT row_number() OVER (), json_object('a', 1), date('now'), pow(2, 3)",
        "SELECT value FROM json_each('[1]')",
        "SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5",
        "DROP TABLE t",
    ],
)
def test_what_d1_offers_works(tmp_path: Path, sql: str) -> None:
    async def work(database: D1) -> None:
        await query(database, "CREATE TABLE t(a)", sql)

    with_d1(tmp_path / "d.sqlite", work)


def test_full_text_search_works_on_any_connection(tmp_path: Path) -> None:
    async def work(database: D1) -> object:
        await query(database, "CREATE VIRTUAL TABLE f USING fts5(a)")
        await query(database, "INSERT INTO f VALUES ('hello world'), ('goodbye')")
        return await rows(database, "SELECT highlight(f, 0, '<', '>') FROM f('hello')")

    assert with_d1(tmp_path / "d.sqlite", work) == [["<hello> world"]]


def test_a_refused_statement_is_refused_again_and_again(tmp_path: Path) -> None:
    async def work(database: D1) -> set[str]:
        return {await refusal(database, "PRAGMA page_count") for _ in range(3)}

    assert with_d1(tmp_path / "d.sqlite", work) == {"not authorized: SQLITE_AUTH"}


def test_foreign_keys_stay_on(tmp_path: Path) -> None:
    async def work(database: D1) -> object:
        await query(database, "PRAGMA foreign_keys = off")
        return await rows(database, "PRAGMA foreign_keys")

    assert with_d1(tmp_path / "d.sqlite", work) == [[1]]


def test_a_pragma_lasts_for_one_call(tmp_path: Path) -> None:
    async def work(database: D1) -> object:
        within = await query(database, "PRAGMA case_sensitive_like = on", "SELECT 'A' LIKE 'a'")
        later = await query(database, "PRAGMA table_list", "SELECT 'A' LIKE 'a'")
        return [within[1]["results"]["rows"], later[1]["results"]["rows"]]

    assert with_d1(tmp_path / "d.sqlite", work) == [[[0]], [[1]]]


def test_foreign_keys_can_be_deferred_to_the_end_of_the_call(tmp_path: Path) -> None:
    async def work(database: D1) -> object:
        await query(
            database,
            "CREATE TABLE p(id INTEGER PRIMARY KEY);CREATE TABLE c(p INTEGER REFERENCES p(id))",
        )
        await query(
            database,
            "PRAGMA defer_foreign_keys = on",
            "INSERT INTO c VALUES (1)",
            "INSERT INTO p VALUES (1)",
        )
        return await refusal(database, "PRAGMA defer_foreign_keys = on", "INSERT INTO c VALUES (2)")

    assert with_d1(tmp_path / "d.sqlite", work) == (
        "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)"
    )


def test_pragmas_take_only_the_arguments_they_document() -> None:
    assert is_pragma_allowed("recursive_triggers", "'yes'")
    assert is_pragma_allowed("optimize", "-1")
    assert not is_pragma_allowed("recursive_triggers", "3")
    assert not is_pragma_allowed("data_version", "1")
    assert not is_pragma_allowed("table_info", None)


@pytest.mark.parametrize("sql", ["COMMIT", "BEGIN IMMEDIATE", "ROLLBACK"])
def test_a_statement_the_binding_itself_uses_is_refused_anyway(tmp_path: Path, sql: str) -> None:
    async def work(database: D1) -> object:
        await query(database, "CREATE TABLE t(a)", "INSERT INTO t VALUES (1)")
        text = await refusal(database, "INSERT INTO t VALUES (2)", sql, "SELECT * FROM nope")
        return text == TRANSACTION_REFUSED, await rows(database, "SELECT a FROM t")

    assert with_d1(tmp_path / "d.sqlite", work) == (True, [[1]])
