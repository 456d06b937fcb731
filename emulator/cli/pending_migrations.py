"""Pending migrations when `groundfog dev` starts: shown, or applied with `--migrate`."""

from __future__ import annotations

from collections.abc import Callable

from bindings.d1.database import D1
from bindings.d1.migrations import apply_migration, unapplied_in_file
from emulator.config.model import Bound, Config
from emulator.errors import EmulatorError
from emulator.kinds.d1 import Database, pending_text
from emulator.state import State


def pending_warnings(config: Config, state: State) -> list[str]:
    """Return one text per database with pending migrations; nothing is changed."""
    warnings = []
    for bound in _once_each(config):
        database = bound.record
        try:
            names = unapplied_in_file(database.path(state), database.migrations)
        except EmulatorError as error:
            warnings.append(str(error))
            continue
        if names:
            warnings.append(pending_text(database.name, names, bound.name))
    return warnings


async def apply_pending(config: Config, state: State, told: Callable[[str], None]) -> None:
    """Apply all pending migrations in every database, in order, and tell each file's name.

    Raises MigrationFailed for the first that is refused; those before it stay applied.
    """
    for bound in _once_each(config):
        database = bound.record
        path, migrations = database.path(state), database.migrations
        names = unapplied_in_file(path, migrations)
        if not names:
            continue
        opened = D1(path, database.name)
        try:
            for name in names:
                await apply_migration(opened, migrations, name)
                told(f"applied migration {name} to {database.name}")
        finally:
            await opened.close()


def _once_each(config: Config) -> list[Bound[Database]]:
    # Two bindings may name one database.
    return list({bound.record.local_id: bound for bound in config.bound(Database)}.values())
