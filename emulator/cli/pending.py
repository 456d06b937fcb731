"""Pending migrations when `groundfog dev` starts: shown, or applied with `--migrate`."""

from __future__ import annotations

from collections.abc import Callable

from bindings.d1 import D1
from bindings.d1.migration_files import Migrations
from bindings.d1.migrations import apply_migration, unapplied_in_file
from emulator.config.model import Config, D1Config
from emulator.errors import EmulatorError
from emulator.state import State
from emulator.words import counted

NAMES_SHOWN = 3


def migrations_of(database: D1Config) -> Migrations:
    """Return where the migrations of a configured database are."""
    return Migrations(
        database.migrations_dir, database.migrations_table, database.migrations_pattern
    )


def pending_warnings(config: Config, state: State) -> list[str]:
    """Return one text per database with pending migrations; nothing is changed."""
    warnings = []
    for database in _once_each(config):
        try:
            names = unapplied_in_file(state.d1_path(database.local_id), migrations_of(database))
        except EmulatorError as error:
            warnings.append(str(error))
            continue
        if names:
            warnings.append(_pending(database, names))
    return warnings


def _pending(database: D1Config, names: list[str]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN])
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    what = counted(len(names), "migration is", "migrations are")
    return (
        f"{what} pending for {database.database_name}: {shown}{more}.\n"
        f"  Run `groundfog d1 migrations apply {database.binding}`, or start with --migrate."
    )


async def apply_pending(config: Config, state: State, told: Callable[[str], None]) -> None:
    """Apply all pending migrations in every database, in order, and tell each file's name.

    Raises MigrationFailed for the first that is refused; those before it stay applied.
    """
    for database in _once_each(config):
        path, migrations = state.d1_path(database.local_id), migrations_of(database)
        names = unapplied_in_file(path, migrations)
        if not names:
            continue
        opened = D1(path, database.database_name)
        try:
            for name in names:
                await apply_migration(opened, migrations, name)
                told(f"applied migration {name} to {database.database_name}")
        finally:
            await opened.close()


def _once_each(config: Config) -> list[D1Config]:
    # Two bindings may name one database.
    return list({database.local_id: database for database in config.d1_databases}.values())
