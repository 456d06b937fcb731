"""Migration files: which exist, in which order, and how a new one is made.

Touches no database. Source: docs/platform/d1.md, "Migrations".
"""

from __future__ import annotations

import datetime
from pathlib import Path

from msgspec import Struct

from emulator.errors import UsageError


class Migrations(Struct, frozen=True):
    """Where the migrations of one database are, and the table that lists the applied ones.

    `pattern` is a glob relative to `directory`. A migration's name is its path in there, with `/`.
    """

    directory: Path
    table: str = "d1_migrations"
    pattern: str = "*.sql"


def migration_files(migrations: Migrations) -> list[str]:
    """Return the names of the migrations, in the order they are applied.

    In each folder numbered files come first, by number, then the others by name. Raises UsageError
    when the folder does not exist or the pattern is invalid.
    """
    directory = migrations.directory
    if not directory.is_dir():
        raise UsageError(
            f"No migrations present at {directory}.\n"
            '  Create one with `groundfog d1 migrations create NAME "message"`, or set '
            "migrations_dir."
        )
    try:
        names = [
            path.relative_to(directory).as_posix()
            for path in directory.glob(migrations.pattern)
            if path.is_file()
        ]
    except (ValueError, NotImplementedError) as error:  # such as "**x", "/x" and "../x"
        raise UsageError(f'migrations_pattern "{migrations.pattern}": {error}') from None
    return sorted((name for name in names if not _is_hidden(name)), key=_order)


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _order(name: str) -> list[tuple[bool, int, str]]:
    numbers = [(_number(part), part) for part in name.split("/")]
    return [(number is None, number or 0, part) for number, part in numbers]


def _number(name: str) -> int | None:
    digits = name[: len(name) - len(name.lstrip("0123456789"))]
    return int(digits) if digits.isascii() and digits else None


def create_migration(migrations: Migrations, message: str, now_ms: int) -> Path:
    """Write an empty migration with the next number and return its path.

    `"add users"` after `0001_init.sql` gives `0002_add_users.sql`. Raises UsageError when
    `message` is empty or has a path separator, when the pattern would not find the new file, or
    when it cannot be written.
    """
    if not message.strip() or "/" in message or "\\" in message:
        raise UsageError(
            f'migration message "{message}": expected words without "/" and "\\", '
            'such as "add users"'
        )
    directory = migrations.directory
    try:
        directory.mkdir(parents=True, exist_ok=True)
        number = max((_number(name) or 0 for name in migration_files(migrations)), default=0) + 1
        path = directory / f"{number:04}_{message.replace(' ', '_')}.sql"
        moment = datetime.datetime.fromtimestamp(now_ms / 1000, datetime.UTC)
        written = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with path.open("x", encoding="utf-8") as file:
            file.write(f"-- Migration number: {number:04} \t {written}\n")
        if path.name not in migration_files(migrations):
            path.unlink()
            raise UsageError(
                f'migrations_pattern is "{migrations.pattern}" in {directory}. It does not match a '
                f"new {path.name}.\n  Write this migration by hand."
            )
    except OSError as error:
        raise UsageError(f"{directory}: the migration cannot be written: {error}") from None
    return path
