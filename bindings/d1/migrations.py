"""Migrations: numbered SQL files, and the table that remembers which have been applied.

Owns the order, the names and the bookkeeping. A file and its row are one transaction, so a crash
leaves it applied or not applied. It prints nothing and asks nobody.
Source: workers-sdk packages/wrangler/src/d1/migrations/{helpers,apply,create}.ts.
"""

from __future__ import annotations

import datetime
from pathlib import Path

from bindings.d1.database import D1
from bindings.d1.script import script_statements
from bindings.d1.session import Query
from emulator.errors import EmulatorError, UsageError, WorkerError


class MigrationFailed(EmulatorError):
    """A migration was refused and undone; `name` is its file name, `applied` those before it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path}: {reason}\n"
            "  Nothing of this file was applied. Correct it and run the command again."
        )
        self.name = path.name


def migration_files(directory: Path) -> list[str]:
    """Return the names of the migrations in `directory`, in the order they are applied.

    Numbered files first, by number; then the others by name. Raises UsageError when there is no
    such folder.
    """
    if not directory.is_dir():
        raise UsageError(
            f"No migrations present at {directory}.\n"
            '  Create one with `groundfog d1 migrations create NAME "message"`, or set '
            "migrations_dir."
        )
    names = [
        path.name
        for path in directory.iterdir()
        if path.suffix == ".sql" and not path.name.startswith(".") and path.is_file()
    ]
    return sorted(names, key=_order)


def _order(name: str) -> tuple[bool, int, str]:
    number = _number(name)
    return (number is None, number or 0, name)


def _number(name: str) -> int | None:
    digits = name[: len(name) - len(name.lstrip("0123456789"))]
    return int(digits) if digits.isascii() and digits else None


async def unapplied(database: D1, directory: Path, table: str) -> list[str]:
    """Return the migrations of `directory` that `database` has not seen, in order.

    Creates the bookkeeping table `table` when it is missing. Raises UsageError, EmulatorError.
    """
    names = migration_files(directory)
    quoted = _quote(table, '"')
    try:
        results = await database.run(
            [
                Query(
                    f"CREATE TABLE IF NOT EXISTS {quoted}(\n"
                    "\t\tid         INTEGER PRIMARY KEY AUTOINCREMENT,\n"
                    "\t\tname       TEXT UNIQUE,\n"
                    "\t\tapplied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL\n"
                    ");"
                ),
                Query(f"SELECT name FROM {quoted} ORDER BY id"),
            ]
        )
    except WorkerError as error:
        raise EmulatorError(f'{database.name}: migrations table "{table}": {error}') from None
    applied = {row[0] for row in results[1]["results"]["rows"]}
    return [name for name in names if name not in applied]


async def apply_migration(database: D1, directory: Path, table: str, name: str) -> int:
    """Apply one file with its bookkeeping row, all or nothing; return its number of statements.

    Raises MigrationFailed, naming the file and what the database said.
    """
    path = directory / name
    try:
        statements = script_statements(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise MigrationFailed(path, f"byte {error.start} is not UTF-8 text") from None
    except OSError as error:
        raise MigrationFailed(path, error.strerror or str(error)) from None
    except UsageError as error:
        raise MigrationFailed(path, str(error)) from None
    row = f"INSERT INTO {_quote(table, chr(34))} (name) VALUES ({_quote(name, chr(39))})"
    try:
        await database.run([Query(text) for text in [*statements, row]])
    except WorkerError as error:
        raise MigrationFailed(path, str(error)) from None
    return len(statements)


def create_migration(directory: Path, message: str, now_ms: int) -> Path:
    """Write an empty migration with the next number and return its path.

    `"add users"` after `0001_init.sql` gives `0002_add_users.sql`. Raises UsageError when
    `message` is empty or holds a path separator, or the file cannot be written.
    """
    if not message.strip() or "/" in message or "\\" in message:
        raise UsageError(
            f'migration message "{message}": expected words without "/" and "\\", '
            'such as "add users"'
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        number = max((_number(name) or 0 for name in migration_files(directory)), default=0) + 1
        path = directory / f"{number:04}_{message.replace(' ', '_')}.sql"
        moment = datetime.datetime.fromtimestamp(now_ms / 1000, datetime.UTC)
        written = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with path.open("x", encoding="utf-8") as file:
            file.write(f"-- Migration number: {number:04} \t {written}\n")
    except OSError as error:
        raise UsageError(f"{directory}: the migration cannot be written: {error}") from None
    return path


def _quote(text: str, mark: str) -> str:
    return mark + text.replace(mark, mark * 2) + mark
