from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindings.d1.database import D1
from bindings.d1.export import VIRTUAL_TABLE, dump_sql, reading
from bindings.d1.jobs import Query
from bindings.d1.script import script_statements
from emulator.errors import EmulatorError, UsageError
from tests.bindings.d1.calls import with_d1

SCHEMA = """
CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT, twice AS (id * 2));
CREATE TABLE child(id INTEGER PRIMARY KEY AUTOINCREMENT, parent REFERENCES parent(id));
CREATE TABLE "quoted ""name" (a, "b c");
CREATE INDEX by_name ON parent(name);
CREATE VIEW names AS SELECT name FROM parent;
CREATE TRIGGER tr AFTER INSERT ON parent BEGIN SELECT 1; END;
INSERT INTO parent(id, name) VALUES (1, 'it''s');
INSERT INTO child(parent) VALUES (1), (1);
DELETE FROM child WHERE id = 2;
INSERT INTO "quoted ""name" VALUES (NULL, x'00ff');
"""


def make(path: Path, schema: str = SCHEMA) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(schema)
    return path


def dumped(path: Path, **options: Any) -> list[str]:
    with reading(path) as connection:
        return list(dump_sql(connection, **options))


def restored(path: Path, lines: list[str]) -> Path:
    """Run an export in D1, as `d1 execute --file` does."""

    async def work(database: D1) -> None:
        statements = script_statements("\n".join(lines))
        await database.run([Query(text) for text in statements])

    with_d1(path, work)
    return path


def test_an_export_is_written_as_production_writes_it(tmp_path: Path) -> None:
    assert dumped(make(tmp_path / "d.sqlite")) == [
        "PRAGMA defer_foreign_keys=TRUE;",
        "CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT, twice AS (id * 2));",
        'INSERT INTO "parent" ("id","name") VALUES(1,\'it\'\'s\');',
        "CREATE TABLE child(id INTEGER PRIMARY KEY AUTOINCREMENT, parent REFERENCES parent(id));",
        'INSERT INTO "child" ("id","parent") VALUES(1,1);',
        'CREATE TABLE IF NOT EXISTS "quoted ""name" (a, "b c");',
        'INSERT INTO "quoted ""name" ("a","b c") VALUES(NULL,X\'00ff\');',
        "DELETE FROM sqlite_sequence;",
        'INSERT INTO "sqlite_sequence" ("name","seq") VALUES(\'child\',2);',
        "CREATE INDEX by_name ON parent(name);",
        "CREATE TRIGGER tr AFTER INSERT ON parent BEGIN SELECT 1; END;",
        "CREATE VIEW names AS SELECT name FROM parent;",
    ]


def test_an_export_makes_the_same_database_again(tmp_path: Path) -> None:
    lines = dumped(make(tmp_path / "a.sqlite"))

    assert dumped(restored(tmp_path / "b.sqlite", lines)) == lines


def test_tables_that_refer_to_each_other_are_made_before_their_rows(tmp_path: Path) -> None:
    schema = (
        "CREATE TABLE a(id INTEGER PRIMARY KEY, b REFERENCES b(id));"
        "CREATE TABLE b(id INTEGER PRIMARY KEY, a REFERENCES a(id));"
        "INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1);"
    )
    lines = dumped(make(tmp_path / "a.sqlite", schema))

    assert [line.split("(")[0] for line in lines[1:]] == [
        "CREATE TABLE a",
        "CREATE TABLE b",
        'INSERT INTO "a" ',
        'INSERT INTO "b" ',
    ]
    assert dumped(restored(tmp_path / "b.sqlite", lines)) == lines


texts = st.text() | st.text("\\nr\n\r'", max_size=8)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.none()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False)
        | st.binary()
        | texts,
        max_size=20,
    )
)
def test_every_value_keeps_its_exact_type_and_content(tmp_path: Path, values: list[Any]) -> None:
    source, target = tmp_path / "a.sqlite", tmp_path / "b.sqlite"
    for path in (source, target):
        path.unlink(missing_ok=True)
    encoded = [
        value.encode("utf-8", "ignore").decode() if isinstance(value, str) else value
        for value in values
    ]
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
        connection.executemany("INSERT INTO t(v) VALUES (?)", [[value] for value in encoded])

    restored(target, dumped(source))

    found = []
    for path in (source, target):
        with closing(sqlite3.connect(path)) as connection:
            found.append(connection.execute("SELECT typeof(v), v FROM t ORDER BY id").fetchall())
    assert found[0] == found[1]
    assert [value for _, value in found[1]] == encoded


def test_broken_text_survives(tmp_path: Path) -> None:
    source = make(
        tmp_path / "a.sqlite", "CREATE TABLE t(v); INSERT INTO t SELECT CAST(x'61ff00' AS TEXT);"
    )

    target = restored(tmp_path / "b.sqlite", dumped(source))

    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("SELECT typeof(v), hex(v) FROM t").fetchall() == [
            ("text", "61FF00")
        ]


def test_only_what_was_asked_for_is_exported(tmp_path: Path) -> None:
    path = make(tmp_path / "d.sqlite")

    assert dumped(path, tables=["parent"], data=False) == [
        "PRAGMA defer_foreign_keys=TRUE;",
        "CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT, twice AS (id * 2));",
        "CREATE INDEX by_name ON parent(name);",
        "CREATE TRIGGER tr AFTER INSERT ON parent BEGIN SELECT 1; END;",
    ]
    assert dumped(path, tables=["child"], schema=False) == [
        "PRAGMA defer_foreign_keys=TRUE;",
        'INSERT INTO "child" ("id","parent") VALUES(1,1);',
    ]


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no table nope"):
        dumped(make(tmp_path / "d.sqlite"), tables=["nope"])


def test_a_virtual_table_is_refused_as_production_refuses_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        dumped(make(tmp_path / "d.sqlite", "CREATE VIRTUAL TABLE f USING fts5(a);"))
    assert str(caught.value) == VIRTUAL_TABLE


def test_a_file_that_is_not_a_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "d.sqlite").write_bytes(b"not a database" * 100)

    with pytest.raises(EmulatorError, match="d.sqlite: file is not a database"):
        dumped(tmp_path / "d.sqlite")


def test_one_state_is_exported_while_another_process_writes(tmp_path: Path) -> None:
    path = make(
        tmp_path / "d.sqlite", "CREATE TABLE a(x); CREATE TABLE b(x); PRAGMA journal_mode=WAL;"
    )

    with closing(apsw.Connection(str(path))) as writer, reading(path) as connection:
        lines = dump_sql(connection)
        before = [next(lines), next(lines)]
        with writer:
            writer.execute("INSERT INTO a VALUES (1)")
            writer.execute("INSERT INTO b VALUES (1)")
        assert [*before, *lines] == [
            "PRAGMA defer_foreign_keys=TRUE;",
            "CREATE TABLE a(x);",
            "CREATE TABLE b(x);",
        ]
