"""For all commands on databases: which one is meant, and how it is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from bindings.d1.database import D1
from bindings.d1.migration_files import Migrations
from bindings.sql.limits import QUERY_TIMEOUT_MS
from emulator.cli.local_options import local_options
from emulator.cli.options import ProjectOptions, load_project
from emulator.config.model import Bound, Config
from emulator.errors import UsageError
from emulator.kinds.d1 import Database
from emulator.state import State


class Chosen(Struct, frozen=True):
    """One database of the project, and where its file is."""

    project: Config
    binding: str
    database: Database
    state: State

    @property
    def path(self) -> Path:
        """Its SQLite file, which may not exist yet."""
        return self.database.path(self.state)

    @property
    def migrations(self) -> Migrations:
        """Where its migrations are."""
        return self.database.migrations

    @property
    def title(self) -> str:
        """Its name and id, as wrangler shows them."""
        return f"{self.database.name} ({self.database.local_id})"

    @asynccontextmanager
    async def opened(self, timeout_ms: int = QUERY_TIMEOUT_MS) -> AsyncIterator[D1]:
        """Open it, creating state directory and file when they are missing."""
        self.state.prepare()
        database = D1(self.path, self.database.name, query_timeout_ms=timeout_ms)
        try:
            yield database
        finally:
            await database.close()


database_options = local_options("databases")


def choose(options: ProjectOptions, name: str) -> Chosen:
    """Return the database with this database_name or binding. Raises UsageError."""
    project = load_project(options)
    found = _find(project, name)
    state = State.locate(project, options.persist_to)
    return Chosen(project, found.name, found.record, state)


def choose_all(options: ProjectOptions) -> list[Chosen]:
    """Return every database of the project."""
    project = load_project(options)
    state = State.locate(project, options.persist_to)
    return [Chosen(project, bound.name, bound.record, state) for bound in project.bound(Database)]


def _find(project: Config, name: str) -> Bound[Database]:
    # wrangler compares both the name and the binding of each entry, in order.
    databases = project.bound(Database)
    for bound in databases:
        if name in (bound.record.name, bound.name):
            return bound
    known = ", ".join(f"{bound.record.name} ({bound.name})" for bound in databases)
    raise UsageError(
        f"Couldn't find a D1 DB with the name or binding '{name}' in your {project.path.name} file."
        f"\n  It has: {known or 'no d1_databases'}."
    )
