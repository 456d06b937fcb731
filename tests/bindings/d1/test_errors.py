"""Every text here was compared with workerd 1.20261117, which is the reference for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bindings.d1.database import D1
from bindings.sql.authorizer import TRANSACTION_REFUSED
from emulator.errors import WorkerError
from tests.bindings.d1.calls import message, with_d1

SCHEMA = (
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT);"
    "CREATE TABLE u(id INTEGER PRIMARY KEY, e TEXT UNIQUE, nn TEXT NOT NULL,"
    " ck INTEGER CHECK(ck>0), ref INTEGER REFERENCES t(id));"
    "CREATE VIEW v AS SELECT 1 a;"
    "INSERT INTO t VALUES (1, 'a');"
    "INSERT INTO u VALUES (1, 'a', 'b', 1, 1)"
)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("INSERTZ into t", 'near "INSERTZ": syntax error at offset 0: SQLITE_ERROR'),
        ("select * fromm t", 'near "fromm": syntax error at offset 9: SQLITE_ERROR'),
        ("select 'éé', x fromm t", 'near "t": syntax error at offset 23: SQLITE_ERROR'),
        ("select 1, 1 1", 'near "1": syntax error at offset 12: SQLITE_ERROR'),
        ("select 1;\nselect * fromm t", 'near "fromm": syntax error at offset 9: SQLITE_ERROR'),
        ("select * from t where", "incomplete input: SQLITE_ERROR"),
        ("select 'abc", 'unrecognized token: "\'abc" at offset 7: SQLITE_ERROR'),
        ("select 'a\0b'", 'unrecognized token: "\'a" at offset 7: SQLITE_ERROR'),
        ("select @", 'unrecognized token: "@" at offset 7: SQLITE_ERROR'),
        ("select * from nope", "no such table: nope: SQLITE_ERROR"),
        ("  select nope from t", "no such column: nope at offset 9: SQLITE_ERROR"),
        ("select t.nope from t", "no such column: t.nope at offset 7: SQLITE_ERROR"),
        ("update t set nope = 1", "no such column: nope: SQLITE_ERROR"),
        ("select nofn(1)", "no such function: nofn at offset 7: SQLITE_ERROR"),
        ("create table t(a)", "table t already exists at offset 13: SQLITE_ERROR"),
        ("insert into t(zz) values(1)", "table t has no column named zz: SQLITE_ERROR"),
        ("insert into v values(1)", "cannot modify v because it is a view: SQLITE_ERROR"),
        ("insert into t(id) values('x')", "datatype mismatch: SQLITE_MISMATCH"),
        ("select json_extract('{bad','$.a')", "malformed JSON: SQLITE_ERROR"),
        ("vacuum", "cannot VACUUM from within a transaction: SQLITE_ERROR"),
        (
            "insert into u values(1,'x','b',1,1)",
            "UNIQUE constraint failed: u.id: SQLITE_CONSTRAINT"
            " (extended: SQLITE_CONSTRAINT_PRIMARYKEY)",
        ),
        (
            "insert into u values(2,'a','b',1,1)",
            "UNIQUE constraint failed: u.e: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)",
        ),
        (
            "insert into u values(3,'c',null,1,1)",
            "NOT NULL constraint failed: u.nn: SQLITE_CONSTRAINT"
            " (extended: SQLITE_CONSTRAINT_NOTNULL)",
        ),
        (
            "insert into u values(3,'c','d',-1,1)",
            "CHECK constraint failed: ck>0: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_CHECK)",
        ),
        (
            "insert into u values(3,'c','d',1,99)",
            "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT"
            " (extended: SQLITE_CONSTRAINT_FOREIGNKEY)",
        ),
        ("select ?", "Wrong number of parameter bindings for SQL query."),
        ("", "No SQL statements detected."),
        ("  \n", "No SQL statements detected."),
        (" -- c", "No SQL statements detected."),
        ("-- c", "No SQL statements detected."),
        ("/* c */", "SQL code did not contain a statement."),
        ("select * from dbstat", "no such table: dbstat: SQLITE_ERROR"),
        (";", "SQL code did not contain a statement."),
        ("select 1;;", "SQL code did not contain a statement."),
        ("select 1\0; select 2", "SQL code did not contain a statement."),
        (
            "select percentile_cont(1, 2)",
            "no such function: percentile_cont at offset 7: SQLITE_ERROR",
        ),
        ("select 1; -- end", "SQL code did not contain a statement."),
    ],
)
def test_sql_that_fails_is_answered_in_workerd_s_words(
    tmp_path: Path, sql: str, expected: str
) -> None:
    assert message(tmp_path / "d.sqlite", [SCHEMA], [sql]) == expected


@pytest.mark.parametrize(
    "sql", ["BEGIN", "begin transaction", "COMMIT", "END", "ROLLBACK", "SAVEPOINT x", "RELEASE x"]
)
def test_a_transaction_of_the_worker_s_own_is_refused(tmp_path: Path, sql: str) -> None:
    assert message(tmp_path / "d.sqlite", ["select 1"], [sql]) == TRANSACTION_REFUSED


def test_too_few_or_too_many_parameters_are_refused(tmp_path: Path) -> None:
    expected = "Wrong number of parameter bindings for SQL query."

    assert message(tmp_path / "a.sqlite", [("select ?, ?", [1])]) == expected
    assert message(tmp_path / "b.sqlite", [("select ?", [1, 2])]) == expected


@pytest.mark.parametrize("params", [1, True, "text", {"a": 1}])
def test_parameters_that_are_not_list_are_refused(tmp_path: Path, params: Any) -> None:
    async def work(database: D1) -> str:
        with pytest.raises(WorkerError) as caught:
            await database.call("query", [[{"sql": "select ?", "params": params}]])
        return caught.value.message

    assert with_d1(tmp_path / "d.sqlite", work)


def test_only_the_last_of_several_statements_may_have_parameters(tmp_path: Path) -> None:
    assert message(tmp_path / "d.sqlite", [("select ?; select 2", [1])]) == (
        "When executing multiple SQL statements in a single call, only the last statement can have "
        "parameters."
    )


def test_the_place_is_that_of_the_first_of_several(tmp_path: Path) -> None:
    assert (
        message(tmp_path / "d.sqlite", ["select nope, nope from (select 1)"])
        == "no such column: nope at offset 7: SQLITE_ERROR"
    )
