"""The `groundfog d1` commands as a person types them: real processes on a real project."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from bindings.d1.database import D1
from bindings.d1.wrangler_state import wrangler_file
from tests.cli import in_process

WRANGLER = """
name = "shop"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]

[[d1_databases]]
binding = "DB"
database_name = "shop-db"
database_id = "1234"

[[env.staging.d1_databases]]
binding = "DB"
database_name = "staging-db"
database_id = "5678"
migrations_dir = "other"
migrations_table = "seen"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = tmp_path / "shop"
    (directory / "src").mkdir(parents=True)
    (directory / "src" / "entry.py").write_text("")
    (directory / "wrangler.toml").write_text(WRANGLER)
    (directory / "migrations").mkdir()
    (directory / "migrations" / "0001_init.sql").write_text(
        "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT);\n"
    )
    return directory


def groundfog(project: Path, *words: str, code: int = 0) -> Result:
    return in_process.groundfog(project, "d1", *words, code=code)


def test_migrations_are_listed_applied_and_then_done(project: Path) -> None:
    listed = groundfog(project, "migrations", "list", "shop-db", "--local")
    applied = groundfog(project, "migrations", "apply", "DB", "--local")
    again = groundfog(project, "migrations", "apply", "shop-db")

    assert "│ 0001_init.sql │" in listed.stdout
    assert "│ 0001_init.sql │ ✅" in applied.stdout
    assert again.stdout == "✅ No migrations to apply!\n"


def test_a_failing_migration_stops_the_rest_and_says_why(project: Path) -> None:
    (project / "migrations" / "0002_bad.sql").write_text("CREATE TABLE x(a); OOPS;")
    (project / "migrations" / "0003_next.sql").write_text("CREATE TABLE y(a);")

    done = groundfog(project, "migrations", "apply", "DB", code=1)

    assert "│ 0001_init.sql │ ✅" in done.stdout and "│ 0002_bad.sql  │ ❌" in done.stdout
    assert '0002_bad.sql: near "OOPS": syntax error at offset 0: SQLITE_ERROR' in done.stderr


def test_a_migration_is_created_with_the_next_number(project: Path) -> None:
    done = groundfog(project, "migrations", "create", "DB", "add users")

    assert "✅ Successfully created Migration '0002_add_users.sql'!" in done.stdout
    assert (project / "migrations" / "0002_add_users.sql").is_file()


def test_results_are_drawn_as_a_table(project: Path) -> None:
    done = groundfog(
        project, "execute", "DB", "--command", "SELECT 1 AS id, 'a\nb' AS name, NULL AS note"
    )

    assert done.stdout.splitlines() == [
        "🌀 Executing on local database shop-db (1234):",
        "🚣 1 command executed successfully.",
        "┌────┬──────┬──────┐",
        "│ id │ name │ note │",
        "├────┼──────┼──────┤",
        "│ 1  │ a\\nb │ null │",
        "└────┴──────┴──────┘",
    ]


def test_json_gives_one_result_per_statement(project: Path) -> None:
    done = groundfog(project, "execute", "DB", "--json", "--command", "SELECT 1 a; SELECT 2 b;")

    results = json.loads(done.stdout)
    assert [result["results"] for result in results] == [[{"a": 1}], [{"b": 2}]]
    assert all(result["success"] and "duration" in result["meta"] for result in results)


def test_a_file_is_run_whole_or_not_at_all(project: Path) -> None:
    file = project / "seed.sql"
    file.write_text("CREATE TABLE t(a);\nINSERT INTO t VALUES (1);\nINSERT INTO nope VALUES (1);\n")

    done = groundfog(project, "execute", "DB", "--file", "seed.sql", code=1)

    listing = groundfog(project, "execute", "DB", "--json", "--command", "PRAGMA table_list")
    assert done.stderr == "error: shop-db: no such table: nope: SQLITE_ERROR\n"
    assert '"t"' not in listing.stdout


def test_the_environment_chooses_database_folder_and_table(project: Path) -> None:
    (project / "other").mkdir()
    (project / "other" / "0001_x.sql").write_text("CREATE TABLE x(a);")

    groundfog(project, "migrations", "apply", "staging-db", "-e", "staging")

    connection = sqlite3.connect(project / ".groundfog" / "d1" / "5678.sqlite")
    try:
        assert connection.execute("SELECT name FROM seen").fetchall() == [("0001_x.sql",)]
    finally:
        connection.close()


def test_persist_to_chooses_the_state_folder(project: Path) -> None:
    groundfog(project, "execute", "DB", "--command", "SELECT 1", "--persist-to", "elsewhere")

    assert (project / "elsewhere" / "d1" / "1234.sqlite").is_file()
    assert not (project / ".groundfog").exists()


def test_an_unknown_database_is_answered_with_the_known_ones(project: Path) -> None:
    done = groundfog(project, "execute", "nope", "--command", "SELECT 1", code=1)

    assert (
        "Couldn't find a D1 DB with the name or binding 'nope' in your wrangler.toml file.\n"
        "  It has: shop-db (DB)." in done.stderr
    )


@pytest.mark.parametrize("args", [[], ["--command", "SELECT 1", "--file", "x.sql"]])
def test_execute_wants_a_command_or_a_file(project: Path, args: list[str]) -> None:
    done = groundfog(project, "execute", "DB", *args, code=1)

    assert "--command SQL or --file FILE" in done.stderr


def test_a_missing_file_is_named(project: Path) -> None:
    done = groundfog(project, "execute", "DB", "--file", "none.sql", code=1)

    assert "none.sql: cannot be read: No such file or directory" in done.stderr


def test_a_database_in_use_by_another_process_can_be_read_and_written(project: Path) -> None:
    groundfog(project, "migrations", "apply", "DB")
    connection = sqlite3.connect(project / ".groundfog" / "d1" / "1234.sqlite")
    try:
        connection.execute("SELECT * FROM items").fetchall()
        groundfog(project, "execute", "DB", "--command", "INSERT INTO items(name) VALUES ('a')")

        assert connection.execute("SELECT name FROM items").fetchall() == [("a",)]
    finally:
        connection.close()


def test_an_error_with_json_is_json_too(project: Path) -> None:
    done = groundfog(project, "execute", "DB", "--json", "--command", "SELECT * FROM nope", code=1)

    assert json.loads(done.stdout) == {"error": {"text": "no such table: nope: SQLITE_ERROR"}}


def test_an_export_is_a_file_that_makes_the_database_again(project: Path) -> None:
    groundfog(project, "migrations", "apply", "DB")
    groundfog(project, "execute", "DB", "--command", "INSERT INTO items(name) VALUES ('it''s')")

    done = groundfog(project, "export", "shop-db", "--local", "--output", "shop.sql")
    groundfog(project, "execute", "DB", "--file", "shop.sql", "--persist-to", "other")
    again = groundfog(
        project,
        "execute",
        "DB",
        "--persist-to",
        "other",
        "--json",
        "--command",
        "SELECT * FROM items",
    )

    assert done.stdout.endswith("🌀 Exporting SQL to shop.sql...\nDone!\n")
    assert json.loads(again.stdout)[0]["results"] == [{"id": 1, "name": "it's"}]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--no-schema", "--no-data"], "Cannot use --no-schema and --no-data together."),
        (["--compatibility", "sqlite3_cli_only", "--no-data"], "it takes no --table"),
        (["--table", "nope"], "there is no table nope"),
        (["--remote"], "For the one at Cloudflare, run the same command with `wrangler`."),
        (["--env", "staging"], "has no data yet"),
    ],
)
def test_an_export_that_cannot_be_made_leaves_the_old_file(
    project: Path, args: list[str], message: str
) -> None:
    groundfog(project, "migrations", "apply", "DB")
    (project / "out.sql").write_text("precious")

    done = groundfog(
        project,
        "export",
        "staging-db" if "staging" in args else "DB",
        "--output",
        "out.sql",
        *args,
        code=1,
    )

    assert message in done.stderr
    assert (project / "out.sql").read_text() == "precious"
    assert not list(project.glob(".out*"))


def test_sqlite_s_own_dump_has_the_virtual_tables(project: Path) -> None:
    groundfog(project, "execute", "DB", "--command", "CREATE VIRTUAL TABLE f USING fts5(a)")

    refused = groundfog(project, "export", "DB", "--output", "a.sql", code=1)
    groundfog(project, "export", "DB", "--output", "b.sql", "--compatibility", "sqlite3_cli_only")

    assert "cannot export databases with Virtual Tables (fts5)" in refused.stderr
    with sqlite3.connect(":memory:") as connection:
        connection.executescript((project / "b.sql").read_text())
    connection.close()


def test_the_path_is_a_file_that_sqlite_opens(project: Path) -> None:
    path = groundfog(project, "path", "DB").stdout.removesuffix("\n")
    groundfog(project, "migrations", "apply", "DB")

    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        assert connection.execute("SELECT count(*) FROM items").fetchall() == [(0,)]
    finally:
        connection.close()


def test_info_tells_size_tables_and_pending_migrations(project: Path) -> None:
    before = json.loads(groundfog(project, "info", "shop-db", "--json").stdout)
    groundfog(project, "migrations", "apply", "DB")
    after = json.loads(groundfog(project, "info", "shop-db", "--json").stdout)

    assert (before["created"], before["num_tables"], before["pending_migrations"]) == (False, 0, 1)
    assert (after["created"], after["num_tables"], after["pending_migrations"]) == (True, 2, 0)
    assert (after["uuid"], after["name"]) == ("1234", "shop-db")
    assert after["database_size"] >= 4096 and after["path"].endswith("/d1/1234.sqlite")
    assert "│ pending_migrations │ 0" in groundfog(project, "info", "DB").stdout


def wranglers(project: Path, sql: str = "CREATE TABLE w(a); INSERT INTO w VALUES (1)") -> Path:
    """Make the file in which wrangler would keep the database 1234."""
    path = wrangler_file(project / ".wrangler" / "state", "1234")
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.executescript(sql)
    connection.close()
    return path


def test_wranglers_databases_are_taken_over(project: Path) -> None:
    source = wranglers(project)

    done = groundfog(project, "import", "--from-wrangler")
    read = groundfog(project, "execute", "DB", "--json", "--command", "SELECT a FROM w")

    assert done.stdout == f"✅ shop-db (1234): 1 table taken over from {source}\n"
    assert json.loads(read.stdout)[0]["results"] == [{"a": 1}]


def test_a_database_with_tables_is_not_replaced_unless_told_to(project: Path) -> None:
    wranglers(project)
    groundfog(project, "migrations", "apply", "DB")

    refused = groundfog(project, "import", "DB", "--from-wrangler", code=1)
    kept = json.loads(groundfog(project, "info", "DB", "--json").stdout)["num_tables"]
    groundfog(project, "import", "DB", "--from-wrangler", "--yes")

    assert "already has 2 tables: d1_migrations, items" in refused.stderr
    assert kept == 2
    assert json.loads(groundfog(project, "info", "DB", "--json").stdout)["num_tables"] == 1


def test_an_import_of_nothing_says_where_it_looked(project: Path) -> None:
    done = groundfog(project, "import", "DB", "--from-wrangler", code=1)
    bare = groundfog(project, "import", "DB", code=1)

    assert str(wrangler_file(project / ".wrangler" / "state", "1234")) in done.stderr
    assert "needs --from-wrangler" in bare.stderr


def test_commands_work_while_a_server_has_the_database_open(project: Path) -> None:
    """A real D1 stays open in this process while other processes change its file."""
    wranglers(project)

    async def scenario() -> list[Any]:
        database = D1(project / ".groundfog" / "d1" / "1234.sqlite")
        try:
            await database.call("exec", [["CREATE TABLE seen(a)", "INSERT INTO seen VALUES (1)"]])
            for words in (
                ["migrations", "apply", "DB"],
                ["execute", "DB", "--command", "INSERT INTO seen VALUES (2)"],
                ["export", "DB", "--output", "out.sql"],
            ):
                await asyncio.to_thread(groundfog, project, *words)
            (seen,) = await database.call("query", [["SELECT count(*) FROM seen, items"]])
            (two,) = await database.call("query", [["SELECT count(*) FROM seen"]])
            await asyncio.to_thread(groundfog, project, "import", "DB", "--from-wrangler", "--yes")
            (taken,) = await database.call("query", [["SELECT a FROM w"]])
            return [result["results"]["rows"] for result in (seen, two, taken)]
        finally:
            await database.close()

    assert asyncio.run(scenario()) == [[[0]], [[2]], [[1]]]


def test_the_databases_are_listed_and_one_is_deleted(project: Path) -> None:
    groundfog(project, "execute", "DB", "--command", "CREATE TABLE t (x)")
    listed = json.loads(groundfog(project, "list", "--json").stdout)
    assert [(each["binding"], each["num_tables"]) for each in listed] == [("DB", 1)]
    assert "shop-db" in groundfog(project, "list").stdout

    deleted = groundfog(project, "delete", "DB", "--yes")

    assert "Deleted shop-db (1234)" in deleted.stdout
    assert json.loads(groundfog(project, "list", "--json").stdout)[0]["created"] is False
    assert "nothing to delete" in groundfog(project, "delete", "DB").stdout
