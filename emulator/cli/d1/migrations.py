"""`groundfog d1 migrations`: list, apply and create."""

from __future__ import annotations

import asyncio
import sys

import click

from bindings.d1.migration_files import create_migration
from bindings.d1.migrations import MigrationFailed, apply_migration, unapplied
from emulator.cli.asking import confirm
from emulator.cli.d1.databases import Chosen, choose, database_options
from emulator.cli.lazy import Group
from emulator.cli.options import ProjectOptions
from emulator.cli.output import show, show_json
from emulator.cli.table import draw_table
from emulator.clock import SystemClock
from emulator.words import counted

NOTHING_TO_APPLY = "✅ No migrations to apply!"


@click.group(cls=Group)
def migrations() -> None:
    """List, apply and create migrations."""


@migrations.command("list")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@database_options
def list_migrations(options: ProjectOptions, name: str, as_json: bool) -> None:
    """Show the migrations that are not applied to the database NAME."""
    found = choose(options, name)

    async def run() -> list[str]:
        async with found.opened() as database:
            return await unapplied(database, found.migrations)

    names = asyncio.run(run())
    if as_json:
        show_json([{"name": name} for name in names])
        return
    if not names:
        show(NOTHING_TO_APPLY)
        return
    show("Migrations to be applied:")
    show(draw_table(["Name"], [[name] for name in names]))


@migrations.command("apply")
@click.argument("name")
@database_options
def apply_migrations(options: ProjectOptions, name: str) -> None:
    """Apply the migrations that are not applied to the database NAME, in order."""
    asyncio.run(_apply(choose(options, name)))


async def _apply(found: Chosen) -> None:
    async with found.opened() as database:
        names = await unapplied(database, found.migrations)
        if not names:
            show(NOTHING_TO_APPLY)
            return
        show("Migrations to be applied:")
        show(draw_table(["name"], [[name] for name in names]))
        if sys.stdin.isatty():
            count = counted(len(names), "migration")
            confirm(f"About to apply {count}, continue?", default=True)
        show(f"🌀 Executing on local database {found.title}:")
        statuses = dict.fromkeys(names, "🕒️")
        try:
            for name in names:
                await apply_migration(database, found.migrations, name)
                statuses[name] = "✅"
        except MigrationFailed as failure:
            statuses[failure.name] = "❌"
            raise
        finally:
            show(draw_table(["name", "status"], list(statuses.items())))


@migrations.command("create")
@click.argument("name")
@click.argument("message")
@database_options
def create(options: ProjectOptions, name: str, message: str) -> None:
    """Write an empty migration for the database NAME, named after MESSAGE."""
    found = choose(options, name)
    path = create_migration(found.migrations, message, SystemClock().now_ms())
    show(f"✅ Successfully created Migration '{path.name}'!\n")
    show(f"The migration is available for editing here\n{path}")
