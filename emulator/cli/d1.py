"""`groundfog d1`: SQL and migrations on the project's local databases.

The commands take wrangler's arguments and work on the files themselves, whether or not a server
is running: SQLite lets several processes use one database. They obey the rules a worker obeys.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click

from bindings.d1 import D1
from bindings.d1.limits import QUERY_TIMEOUT_MS
from bindings.d1.migrations import MigrationFailed, apply_migration, create_migration, unapplied
from bindings.d1.script import script_statements
from bindings.d1.session import Query, Result
from emulator.cli.options import ProjectOptions, load_project, project_options
from emulator.cli.table import draw_table
from emulator.clock import SystemClock
from emulator.config.model import Config, D1Config
from emulator.errors import EmulatorError, UsageError, WorkerError
from emulator.state import State

IMPORT_TIMEOUT_MS = 86_400_000


@click.group()
def d1() -> None:
    """Query and migrate the project's local D1 databases."""


def _takes_local(command: Callable[..., Any]) -> Callable[..., Any]:
    # Every database here is local; scripts written for wrangler say so.
    return click.option("--local", is_flag=True, expose_value=False, hidden=True)(command)


@d1.command()
@click.argument("name")
@click.option("--command", "sql", help="The SQL to run; several statements with ';' between.")
@click.option("--file", "file", type=click.Path(path_type=Path), help="A file of SQL to run.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option("--yes", "-y", is_flag=True, expose_value=False, hidden=True)
@_takes_local
@project_options
def execute(
    options: ProjectOptions, name: str, sql: str | None, file: Path | None, as_json: bool
) -> None:
    """Run SQL on the database NAME (its database_name or its binding), in one transaction."""
    config = load_project(options)
    found = _find_database(config, name)
    statements = script_statements(_read_sql(sql, file))
    if not statements:
        raise UsageError("No SQL statements detected.")

    # In production a file is imported and has no time limit; a command is a query and has one.
    timeout_ms = QUERY_TIMEOUT_MS if file is None else IMPORT_TIMEOUT_MS

    async def run() -> list[Result]:
        async with _opened(config, found, options, timeout_ms) as database:
            return await database.run([Query(text) for text in statements])

    if not as_json:
        click.echo(f"🌀 Executing on local database {_title(found)}:")
    try:
        results = asyncio.run(run())
    except WorkerError as error:
        raise EmulatorError(f"{found.database_name}: {error}") from None
    if as_json:
        click.echo(json.dumps([_as_object(result) for result in results], indent=2))
    else:
        _show_results(results)


def _read_sql(sql: str | None, file: Path | None) -> str:
    if (sql is None) == (file is None):
        raise UsageError("d1 execute needs --command SQL or --file FILE, one of the two.")
    if file is None:
        return sql or ""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: byte {error.start} is not UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None


def _as_object(result: Result) -> dict[str, Any]:
    columns = result["results"]["columns"]
    rows = [dict(zip(columns, row, strict=True)) for row in result["results"]["rows"]]
    return {"results": rows, "success": True, "meta": result["meta"]}


def _show_results(results: list[Result]) -> None:
    count = len(results)
    click.echo(f"🚣 {count} {'command' if count == 1 else 'commands'} executed successfully.")
    for result in results:
        if result["results"]["rows"]:
            click.echo(draw_table(result["results"]["columns"], result["results"]["rows"]))


@d1.group()
def migrations() -> None:
    """List, apply and create migrations."""


@migrations.command("list")
@click.argument("name")
@_takes_local
@project_options
def list_migrations(options: ProjectOptions, name: str) -> None:
    """Show the migrations that the database NAME has not seen."""
    config = load_project(options)
    found = _find_database(config, name)

    async def run() -> list[str]:
        async with _opened(config, found, options) as database:
            return await unapplied(database, found.migrations_dir, found.migrations_table)

    names = asyncio.run(run())
    if not names:
        click.echo("✅ No migrations to apply!")
        return
    click.echo("Migrations to be applied:")
    click.echo(draw_table(["Name"], [[name] for name in names]))


@migrations.command("apply")
@click.argument("name")
@_takes_local
@project_options
def apply_migrations(options: ProjectOptions, name: str) -> None:
    """Apply the migrations that the database NAME has not seen, in order."""
    config = load_project(options)
    asyncio.run(_apply(config, _find_database(config, name), options))


async def _apply(config: Config, found: D1Config, options: ProjectOptions) -> None:
    async with _opened(config, found, options) as database:
        names = await unapplied(database, found.migrations_dir, found.migrations_table)
        if not names:
            click.echo("✅ No migrations to apply!")
            return
        click.echo("Migrations to be applied:")
        click.echo(draw_table(["name"], [[name] for name in names]))
        if sys.stdin.isatty():
            click.confirm(f"About to apply {len(names)} migration(s), continue?", abort=True)
        click.echo(f"🌀 Executing on local database {_title(found)}:")
        done: list[tuple[str, str]] = []
        try:
            for name in names:
                await apply_migration(database, found.migrations_dir, found.migrations_table, name)
                done.append((name, "✅"))
        except MigrationFailed as failure:
            done.append((failure.name, "❌"))
            raise
        finally:
            click.echo(draw_table(["name", "status"], done))


@migrations.command("create")
@click.argument("name")
@click.argument("message")
@_takes_local
@project_options
def create(options: ProjectOptions, name: str, message: str) -> None:
    """Write an empty migration for the database NAME, named after MESSAGE."""
    found = _find_database(load_project(options), name)
    path = create_migration(found.migrations_dir, message, SystemClock().now_ms())
    click.echo(f"✅ Successfully created Migration '{path.name}'!\n")
    click.echo(f"The migration is available for editing here\n{path}")


def _find_database(config: Config, name: str) -> D1Config:
    # wrangler looks at names and bindings of each entry in turn.
    for database in config.d1_databases:
        if name in (database.database_name, database.binding):
            return database
    known = ", ".join(f"{entry.database_name} ({entry.binding})" for entry in config.d1_databases)
    raise UsageError(
        f"Couldn't find a D1 DB with the name or binding '{name}' in your {config.path.name} file."
        f"\n  It has: {known or 'no d1_databases'}."
    )


def _title(found: D1Config) -> str:
    return f"{found.database_name} ({found.local_id})"


@asynccontextmanager
async def _opened(
    config: Config,
    found: D1Config,
    options: ProjectOptions,
    timeout_ms: int = QUERY_TIMEOUT_MS,
) -> AsyncIterator[D1]:
    state = State.locate(config, options.persist_to)
    state.prepare()
    database = D1(state.d1_path(found.local_id), found.database_name, query_timeout_ms=timeout_ms)
    try:
        yield database
    finally:
        await database.close()
