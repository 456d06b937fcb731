"""`groundfog d1 info`, `list`, `path` and `delete`: facts about databases, and their files."""

from __future__ import annotations

import asyncio

import apsw
import click

from bindings.d1.jobs import Query
from bindings.d1.migrations import unapplied_in_file
from bindings.d1.wrangler_state import user_tables
from emulator.answers.d1 import DatabaseInfo
from emulator.cli.asking import confirm
from emulator.cli.d1.databases import Chosen, choose, choose_all, database_options
from emulator.cli.options import ProjectOptions
from emulator.cli.output import show, show_json
from emulator.cli.table import draw_table
from emulator.errors import EmulatorError, WorkerError


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@database_options
def info(options: ProjectOptions, name: str, as_json: bool) -> None:
    """Show the database NAME: its id, file, size, tables and pending migrations."""
    facts = _facts(choose(options, name))
    if as_json:
        show_json(facts)
    else:
        show(draw_table(["", facts["name"]], list(facts.items())))


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@database_options
def list_databases(options: ProjectOptions, as_json: bool) -> None:
    """List the databases of the configuration, with their size and pending migrations."""
    found = [_facts(each) for each in choose_all(options)]
    if as_json:
        show_json(found)
    elif not found:
        show("The configuration has no d1_databases.")
    else:
        columns = ("binding", "name", "uuid", "num_tables", "database_size", "pending_migrations")
        show(draw_table(columns, [[dict(each)[name] for name in columns] for each in found]))


def _facts(found: Chosen) -> DatabaseInfo:
    return {
        "uuid": found.database.local_id,
        "name": found.database.name,
        "binding": found.binding,
        "path": str(found.path),
        "created": found.path.is_file(),
        "num_tables": len(user_tables(found.path)),
        "database_size": _size_bytes(found),
        "pending_migrations": len(unapplied_in_file(found.path, found.migrations)),
        "sqlite_version": apsw.sqlite_lib_version(),
    }


def _size_bytes(found: Chosen) -> int:
    files = [found.path, found.path.with_name(f"{found.path.name}-wal")]
    return sum(file.stat().st_size for file in files if file.is_file())


@click.command()
@click.argument("name")
@database_options
def path(options: ProjectOptions, name: str) -> None:
    """Print the SQLite file of the database NAME; it is created if it is missing."""
    found = choose(options, name)

    async def create() -> None:
        async with found.opened() as database:
            await database.run([Query("SELECT 1")])

    try:
        asyncio.run(create())
    except WorkerError as error:
        raise EmulatorError(str(error)) from None
    show(str(found.path))


@click.command()
@click.argument("name")
@click.option("--yes", "-y", "--skip-confirmation", is_flag=True, help="Do not ask.")
@database_options
def delete(options: ProjectOptions, name: str, yes: bool) -> None:
    """Delete the database NAME with all its rows; it stays configured, and is empty then."""
    found = choose(options, name)
    if not found.path.is_file():
        show(f"{found.title} has no file, so there is nothing to delete.")
        return
    if not yes:
        confirm(f"Delete {found.title}, {found.path}?")
    with found.state.locked():
        for ending in ("-wal", "-shm", ""):
            found.path.with_name(found.path.name + ending).unlink(missing_ok=True)
    show(f"Deleted {found.title}")
