"""Fresh state for workers under test: made once, with migrations applied, and copied for each.

To create a journal and to apply migrations takes longer than most tests.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

from emulator.cli.pending_migrations import apply_pending
from emulator.config.model import Config
from emulator.engine.journal.journal import Journal
from emulator.errors import EmulatorError
from emulator.kinds.d1 import Database
from emulator.kinds.open_bindings import synchronous
from emulator.state import State
from emulator.testing.refusals import LoadRefused


class States:
    """The states that were made."""

    def __init__(self) -> None:
        self._made: dict[Any, State] = {}
        self._making = asyncio.Lock()

    async def fill(self, state: State, config: Config, folder: Path, *, migrate: bool) -> None:
        """Give a state directory that is not there yet what a fresh one has.

        folder: where the one to copy is kept. Raises LoadRefused for a migration that is refused.
        """
        async with self._making:
            key = _key(config, migrate)
            made = self._made.get(key)
            if made is None or not made.directory.exists():
                made = State(folder / f"fresh-{len(self._made) + 1}")
                await _make(made, config, migrate)
                self._made[key] = made
        shutil.copytree(made.directory, state.directory)

    def remove(self) -> None:
        """Delete what was made."""
        for state in self._made.values():
            shutil.rmtree(state.directory, ignore_errors=True)


async def _make(state: State, config: Config, migrate: bool) -> None:
    try:
        with state.locked():
            Journal.open(state.journal, synchronous(config)).close()
            if migrate:
                await apply_pending(config, state, lambda text: None)
    except EmulatorError as error:
        raise LoadRefused(str(error)) from None


def _key(config: Config, migrate: bool) -> Any:
    """Return what is equal where fresh state is."""
    files = []
    for bound in config.bound(Database) if migrate else ():
        for path in sorted(bound.record.migrations.directory.rglob("*")):
            found = path.stat()
            files.append((str(path), found.st_mtime_ns, found.st_size))
    return config.path, config.environment, synchronous(config), repr(config.bindings), tuple(files)
