from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bindings.d1.database import D1
from bindings.d1.migration_files import Migrations, create_migration, migration_files
from bindings.d1.migrations import (
    MigrationFailed,
    apply_migration,
    unapplied,
    unapplied_in_file,
)
from emulator.errors import EmulatorError, UsageError
from tests.bindings.d1.calls import rows, with_d1

TABLE = "d1_migrations"
ROOT = Path(__file__).parents[3]


def write(directory: Path, **files: str) -> Path:
    directory.mkdir(exist_ok=True)
    for name, sql in files.items():
        (directory / f"{name.lstrip('_')}.sql").write_text(sql, encoding="utf-8")
    return directory


async def apply_all(database: D1, directory: Path, table: str = TABLE) -> list[str]:
    migrations = Migrations(directory, table)
    names = await unapplied(database, migrations)
    for name in names:
        await apply_migration(database, migrations, name)
    return names


def test_files_are_ordered_by_number_and_then_by_name(tmp_path: Path) -> None:
    for name in ("b.sql", "10_x.sql", "0002_y.sql", "a.sql", ".hidden.sql", "3.txt", "0002_a.sql"):
        (tmp_path / name).write_text("")

    assert migration_files(Migrations(tmp_path)) == [
        "0002_a.sql",
        "0002_y.sql",
        "10_x.sql",
        "a.sql",
        "b.sql",
    ]


def test_a_pattern_finds_migrations_in_folders_and_names_them_by_their_path(
    tmp_path: Path,
) -> None:
    for name in ("10_b", "0002_a", "x", ".hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "migration.sql").write_text(f"CREATE TABLE t{len(name)}(a)")
    (tmp_path / "0001_loose.sql").write_text("")
    migrations = Migrations(tmp_path, pattern="*/migration.sql")

    async def work(database: D1) -> Any:
        for name in await unapplied(database, migrations):
            await apply_migration(database, migrations, name)
        return await rows(database, "SELECT name FROM d1_migrations ORDER BY id")

    assert with_d1(tmp_path / "d.sqlite", work) == [
        ["0002_a/migration.sql"],
        ["10_b/migration.sql"],
        ["x/migration.sql"],
    ]


@pytest.mark.parametrize("pattern", ["/x.sql"])
def test_a_pattern_that_leads_nowhere_is_named(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "x.sql").write_text("")
    (tmp_path / "m").mkdir()

    with pytest.raises(UsageError, match="migrations_pattern"):
        migration_files(Migrations(tmp_path / "m", pattern=pattern))


def test_a_new_migration_that_the_pattern_would_miss_is_not_made(tmp_path: Path) -> None:
    migrations = Migrations(tmp_path, pattern="*/migration.sql")

    with pytest.raises(UsageError, match="does not match a new"):
        create_migration(migrations, "add users", 0)
    assert list(tmp_path.iterdir()) == []


def test_looking_for_what_is_pending_makes_and_changes_nothing(tmp_path: Path) -> None:
    directory = write(tmp_path / "m", _0001="CREATE TABLE a(x)", _0002="CREATE TABLE b(x)")
    migrations, path = Migrations(directory), tmp_path / "d.sqlite"

    assert unapplied_in_file(path, Migrations(tmp_path / "none")) == []
    assert unapplied_in_file(path, migrations) == ["0001.sql", "0002.sql"]
    assert not path.exists()
    with_d1(path, lambda database: rows(database, "SELECT 1"))
    assert unapplied_in_file(path, migrations) == ["0001.sql", "0002.sql"]
    (directory / "0002.sql").rename(tmp_path / "later.sql")
    with_d1(path, lambda database: apply_all(database, directory))
    (tmp_path / "later.sql").rename(directory / "0002.sql")
    before = path.read_bytes()
    assert unapplied_in_file(path, migrations) == ["0002.sql"]
    assert path.read_bytes() == before


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No migrations present at"):
        migration_files(Migrations(tmp_path / "migrations"))


def test_each_migration_is_applied_once(tmp_path: Path) -> None:
    directory = write(tmp_path / "m", _0001_a="CREATE TABLE a(x);", _0002_b="CREATE TABLE b(x)")

    async def work(database: D1) -> Any:
        first = await apply_all(database, directory)
        return first, await apply_all(database, directory)

    assert with_d1(tmp_path / "d.sqlite", work) == (["0001_a.sql", "0002_b.sql"], [])


def test_what_was_applied_is_recorded_as_wrangler_records_it(tmp_path: Path) -> None:
    directory = write(tmp_path / "m", _0001_a="SELECT 1", **{"it's": "SELECT 2 -- end"})

    async def work(database: D1) -> Any:
        await apply_all(database, directory, 'my "table"')
        return await rows(
            database, 'SELECT id, name, applied_at > 2000 FROM "my ""table""" ORDER BY id'
        )

    assert with_d1(tmp_path / "d.sqlite", work) == [[1, "0001_a.sql", 1], [2, "it's.sql", 1]]


def test_a_migration_with_triggers_strings_and_comments_is_applied_whole(tmp_path: Path) -> None:
    directory = write(
        tmp_path / "m",
        _0001="-- tables;\nCREATE TABLE t(a TEXT);\n"
        "CREATE TRIGGER tr AFTER INSERT ON t BEGIN\n"
        "  UPDATE t SET a = CASE WHEN a = ';' THEN 'semicolon' ELSE a END; SELECT 1;\nEND;\n"
        "INSERT INTO t VALUES (';'); -- the end",
    )

    async def work(database: D1) -> Any:
        await apply_all(database, directory)
        return await rows(database, "SELECT a FROM t")

    assert with_d1(tmp_path / "d.sqlite", work) == [["semicolon"]]


def test_a_failing_migration_is_named_undone_and_tried_again(tmp_path: Path) -> None:
    directory = write(tmp_path / "m", _0001="CREATE TABLE a(x);", _0002="CREATE TABLE b(x); OOPS;")

    async def work(database: D1) -> Any:
        with pytest.raises(MigrationFailed) as caught:
            await apply_all(database, directory)
        tables = await rows(database, "SELECT name FROM sqlite_schema WHERE name IN ('a', 'b')")
        write(directory, _0002="CREATE TABLE b(x);")
        return str(caught.value), tables, await apply_all(database, directory)

    text, tables, later = with_d1(tmp_path / "d.sqlite", work)

    assert text.startswith(
        f'{directory / "0002.sql"}: near "OOPS": syntax error at offset 0: SQLITE_ERROR'
    )
    assert (tables, later) == ([["a"]], ["0002.sql"])


def test_a_migration_that_is_not_text_is_named(tmp_path: Path) -> None:
    directory = write(tmp_path / "m")
    (directory / "0001.sql").write_bytes(b"SELECT \xff")

    with pytest.raises(MigrationFailed, match="byte 7 is not UTF-8 text"):
        with_d1(tmp_path / "d.sqlite", lambda database: apply_all(database, directory))


def test_a_table_that_is_not_a_migrations_table_is_named(tmp_path: Path) -> None:
    directory = write(tmp_path / "m")

    async def work(database: D1) -> None:
        await rows(database, "CREATE TABLE d1_migrations(other)")
        await unapplied(database, Migrations(directory))

    with pytest.raises(EmulatorError, match='migrations table "d1_migrations": no such column'):
        with_d1(tmp_path / "d.sqlite", work)


def test_a_new_migration_gets_the_next_number(tmp_path: Path) -> None:
    directory = write(tmp_path / "m", _0007_a="")

    path = create_migration(Migrations(directory), "add all users", 1_767_225_600_000)

    assert path.name == "0008_add_all_users.sql"
    assert path.read_text() == "-- Migration number: 0008 \t 2026-01-01T00:00:00.000Z\n"


@pytest.mark.parametrize("message", ["", "a/b", "..\\b"])
def test_a_message_that_is_not_a_file_name_is_refused(tmp_path: Path, message: str) -> None:
    with pytest.raises(UsageError, match="migration message"):
        create_migration(Migrations(tmp_path), message, 0)


# Applies one migration of many statements and says when it has begun.
APPLY = """
import asyncio, sys
from pathlib import Path
from bindings.d1.database import D1
from bindings.d1.migration_files import Migrations
from bindings.d1.migrations import apply_migration, unapplied

async def main():
    migrations = Migrations(Path(sys.argv[2]))
    database = D1(Path(sys.argv[1]), "db")
    (name,) = await unapplied(database, migrations)
    print("applying", flush=True)
    await apply_migration(database, migrations, name)
    print("applied", flush=True)
    await database.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("delay_s", [0.0, 0.01, 0.03, 0.1])
def test_a_kill_leaves_a_migration_applied_or_not_applied(tmp_path: Path, delay_s: float) -> None:
    """The process is killed some time after it began; the pause only chooses where, and what is
    found afterwards must be one of two states wherever it was."""
    directory = write(
        tmp_path / "m",
        _0001="CREATE TABLE t(a);" + "INSERT INTO t VALUES (hex(randomblob(500)));" * 2000,
    )
    path = tmp_path / "d.sqlite"
    process = subprocess.Popen(
        [sys.executable, "-c", APPLY, str(path), str(directory)], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == b"applying\n"
        try:
            process.wait(delay_s)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)

    async def work(database: D1) -> Any:
        waiting = await unapplied(database, Migrations(directory))
        tables = await rows(database, "SELECT name FROM sqlite_schema WHERE name = 't'")
        return waiting, tables and await rows(database, "SELECT count(*) FROM t")

    assert with_d1(path, work) in (([], [[2000]]), (["0001.sql"], []))
