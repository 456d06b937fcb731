"""Migrations of a database: which are applied, and how the others are applied.

Owns the table of applied migrations. A file and its row are one transaction, so after a crash it is
applied or not applied. It prints nothing and asks nobody.
Source: docs/platform/d1.md, "Migrations".
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw

from bindings.d1.database import D1
from bindings.d1.jobs import Query
from bindings.d1.migration_files import Migrations, migration_files
from bindings.d1.script import read_script, script_statements
from bindings.sql.opening import open_read_only
from emulator.errors import EmulatorError, UsageError, WorkerError


class MigrationFailed(EmulatorError):
    """A migration was refused and undone; `name` is its name in the folder of migrations."""

    def __init__(self, path: Path, name: str, reason: str) -> None:
        super().__init__(
            f"{path}: {reason}\n"
            "  Nothing of this file was applied. Correct it and run the command again."
        )
        self.name = name


async def unapplied(database: D1, migrations: Migrations) -> list[str]:
    """Return the migrations that are not applied to `database`, in order.

    Creates the bookkeeping table when it is missing. Raises UsageError, EmulatorError.
    """
    names = migration_files(migrations)
    table = _quote(migrations.table, '"')
    try:
        results = await database.run(
            [_create_table(migrations), Query(f"SELECT name FROM {table} ORDER BY id")]
        )
    except WorkerError as error:
        text = f'{database.name}: migrations table "{migrations.table}": {error}'
        raise EmulatorError(text) from None
    applied = {row[0] for row in results[1]["results"]["rows"]}
    return [name for name in names if name not in applied]


def _create_table(migrations: Migrations) -> Query:
    return Query(
        f"CREATE TABLE IF NOT EXISTS {_quote(migrations.table, chr(34))}(\n"
        "\t\tid         INTEGER PRIMARY KEY AUTOINCREMENT,\n"
        "\t\tname       TEXT UNIQUE,\n"
        "\t\tapplied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL\n"
        ");"
    )


def unapplied_in_file(path: Path, migrations: Migrations) -> list[str]:
    """Return the migrations not applied to the database in `path`; it is only read, never created.

    If the folder of migrations does not exist, the list is empty. Raises EmulatorError when the
    file is not a database.
    """
    if not migrations.directory.is_dir():
        return []
    names = migration_files(migrations)
    if not names or not path.is_file():
        return names
    try:
        with closing(open_read_only(path)) as connection:
            known = connection.execute(
                "SELECT count(*) FROM sqlite_schema WHERE name = ?", [migrations.table]
            ).get
            table = _quote(migrations.table, '"')
            rows = connection.execute(f"SELECT name FROM {table}").fetchall() if known else []
    except apsw.Error as error:
        raise EmulatorError(f"{path}: {error}") from None
    applied = {name for (name,) in rows}
    return [name for name in names if name not in applied]


async def apply_migration(database: D1, migrations: Migrations, name: str) -> int:
    """Apply one file and record it, all or nothing; return its number of statements.

    Creates the bookkeeping table when it is missing.
    Raises MigrationFailed, naming the file and what the database said.
    """
    path = migrations.directory / name
    try:
        statements = script_statements(read_script(path))
    except UsageError as error:
        raise MigrationFailed(path, name, str(error).removeprefix(f"{path}: ")) from None
    table = _quote(migrations.table, '"')
    row = f"INSERT INTO {table} (name) VALUES ({_quote(name, chr(39))})"
    try:
        await database.run(
            [_create_table(migrations), *(Query(text) for text in [*statements, row])]
        )
    except WorkerError as error:
        raise MigrationFailed(path, name, str(error)) from None
    return len(statements)


def _quote(text: str, mark: str) -> str:
    return mark + text.replace(mark, mark * 2) + mark
