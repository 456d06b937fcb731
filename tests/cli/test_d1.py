"""The `groundfog d1` commands as a person types them: real processes on a real project."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

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
ROOT = Path(__file__).parents[2]


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


def groundfog(project: Path, *args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "emulator", "d1", *args],
        cwd=project,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "PYTHONUTF8": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


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
