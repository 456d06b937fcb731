"""D1: `[[d1_databases]]`, and the database of each.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from bindings.d1.migration_files import Migrations
from emulator.config.model import Bound
from emulator.config.problems import quoted
from emulator.config.table import Table
from emulator.errors import EmulatorError
from emulator.kinds.kind import Kind, Section
from emulator.state import State
from emulator.words import counted

if TYPE_CHECKING:
    from bindings.binding import Binding
    from emulator.kinds.places import Places
    from emulator.runner.workerd.capnp import Value

NAME = "d1"
PENDING_SHOWN = 3  # migrations by name
LOOK_AGAIN_S = 1.0  # for pending migrations, when queries name tables that do not exist
# Wrangler's keys of a database; some, such as `jurisdiction`, mean nothing on one machine.
KEYS = frozenset(
    """
    binding database_id database_internal_env database_name jurisdiction migrations_dir
    migrations_pattern migrations_table preview_database_id remote
    """.split()
)
_EXAMPLE = 'with binding = "DB" and database_name = "my-db" below it.'


class Database(Struct, frozen=True):
    """One `[[d1_databases]]` entry. `local_id` names the file: preview id, id, or the binding."""

    local_id: str
    name: str
    migrations: Migrations

    def path(self, state: State) -> Path:
        """Return its SQLite file; it may not exist yet."""
        return state.database("d1", self.local_id)


def _read(section: Section) -> list[Bound[Database]]:
    """Return the D1 databases; `local_id` is preview id, id or binding, whichever comes first.

    Source: https://github.com/cloudflare/workers-sdk/blob/main/packages/wrangler/src/dev/miniflare/index.ts.
    """
    databases = []
    for item in section.items(_EXAMPLE):
        binding = section.name(item, "DB")
        database_name = item.string("database_name")
        database_id = item.string("database_id")
        preview_id = item.string("preview_database_id")
        folder = item.string("migrations_dir") or "migrations"
        table = item.string("migrations_table") or "d1_migrations"
        directory = Path(os.path.abspath(section.config_dir / folder))
        migrations = Migrations(directory, table, _read_pattern(item))
        if binding:
            local_id = preview_id or database_id or binding
            database = Database(local_id, database_name or binding, migrations)
            databases.append(Bound(binding, NAME, database))
    return databases


def _read_pattern(item: Table) -> str:
    """Return `migrations_pattern` without the folder it must begin with.

    `"migrations/*/migration.sql"` -> `"*/migration.sql"`.
    Source: docs/platform/d1.md, "Migrations".
    """
    pattern = item.string("migrations_pattern")
    if not pattern:
        return "*.sql"
    folder = item.data.get("migrations_dir")
    if not isinstance(folder, str) or not folder:
        item.error(
            "migrations_pattern",
            f"{item.name('migrations_pattern')} is given without migrations_dir",
            "Add migrations_dir, the folder that the pattern begins with.",
        )
        return "*.sql"
    prefix = f"{folder.rstrip('/')}/"
    if not pattern.startswith(prefix) or pattern == prefix:
        found = f"{item.name('migrations_pattern')} is {quoted(pattern)}"
        expected = f'expected one that begins with migrations_dir, such as "{prefix}*.sql"'
        item.error("migrations_pattern", f"{found}; {expected}")
        return "*.sql"
    return pattern[len(prefix) :]


def _open(database: Database, places: Places) -> Binding:
    from bindings.d1.database import D1

    path = database.path(places.state)
    told: set[str] = set()
    looked_s = -LOOK_AGAIN_S

    def tell_pending() -> None:
        """Say which migrations are pending, as they may make the table; the same ones once."""
        nonlocal looked_s
        now_s = asyncio.get_running_loop().time()
        if now_s - looked_s < LOOK_AGAIN_S:
            return
        looked_s = now_s
        names = _unapplied(path, database)
        text = pending_text(database.name, names) if names else ""
        if text not in told:
            told.add(text)
            if text:
                places.announce(f"a query names a table that does not exist, and {text}")

    return D1(path, database.name, synchronous=places.synchronous, table_missing=tell_pending)


def pending_text(name: str, migrations: list[str], binding: str = "") -> str:
    """Return that these migrations of a database are pending, and the command that applies them."""
    shown = ", ".join(migrations[:PENDING_SHOWN])
    hidden = len(migrations) - PENDING_SHOWN
    more = f" and {hidden} more" if hidden > 0 else ""
    what = counted(len(migrations), "migration is", "migrations are")
    return (
        f"{what} pending for {name}: {shown}{more}.\n"
        f"  Run `groundfog d1 migrations apply {binding or name}`, or start with --migrate."
    )


def _unapplied(path: Path, database: Database) -> list[str]:
    from bindings.d1.migrations import unapplied_in_file

    try:
        return unapplied_in_file(path, database.migrations)
    except EmulatorError:  # the command that applies them tells it
        return []


def _identity(database: Database, places: Places) -> Hashable:
    return database.local_id, places.synchronous


def _in_workerd(database: Database, service: str) -> dict[str, Value]:
    from emulator.runner.workerd.member import wrapped

    return wrapped("d1-api", [{"name": "fetcher", "service": service}])


KIND = Kind(
    name=NAME,
    typed="D1Database",
    section="d1_databases",
    friendly="D1 Database",
    keys=KEYS,
    read=_read,
    open=_open,
    shown=lambda database: database.name,
    identity=_identity,
    files=("d1",),
    commands="emulator.cli.d1.group:d1",
    routes="emulator.server.api.d1:routes",
    workerd=_in_workerd,
    http="bindings.d1.http:answer",
    line=1,
)
