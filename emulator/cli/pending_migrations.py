"""Pending migrations of `groundfog dev`: shown, or applied with `--migrate`.

A migration that is added while the server runs is told too. What opens databases is imported when
there is one to open: a server looks for migrations from its start on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bindings.d1.migration_files import migration_files
from emulator.config.model import Bound, Config
from emulator.errors import EmulatorError, UsageError
from emulator.kinds.d1 import Database, pending_text
from emulator.state import State

LOOK_EVERY_S = 1.0


def pending_warnings(config: Config, state: State) -> list[str]:
    """Return one text per database with pending migrations; nothing is changed."""
    from bindings.d1.migrations import unapplied_in_file

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


async def tell_added(
    config: Callable[[], Config], state: State, told: Callable[[str], None]
) -> None:
    """Look for new migrations until it is cancelled, and tell each database that has some.

    config: returns the configuration as it is now. The folders are listed again and again. To watch
    them would need a thread for the sake of a few files.
    """
    known = _files(config())
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        now = _files(config())
        if any(names - known.get(database, names) for database, names in now.items()):
            for warning in pending_warnings(config(), state):
                told(warning)
        known = now


def _files(config: Config) -> dict[str, frozenset[str]]:
    found = {}
    for bound in _once_each(config):
        try:
            found[bound.record.local_id] = frozenset(migration_files(bound.record.migrations))
        except UsageError:  # there is no such folder yet
            found[bound.record.local_id] = frozenset()
    return found


async def apply_pending(config: Config, state: State, told: Callable[[str], None]) -> None:
    """Apply all pending migrations in every database, in order, and tell each file's name.

    Raises MigrationFailed for the first that is refused; those before it stay applied.
    """
    from bindings.d1.database import D1
    from bindings.d1.migrations import apply_migration, unapplied_in_file

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
