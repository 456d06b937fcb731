"""`groundfog d1 execute`: SQL from the command line or a file, in one transaction."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from bindings.d1.http import with_row_objects
from bindings.d1.jobs import Query
from bindings.d1.script import read_script, script_statements
from bindings.sql.limits import QUERY_TIMEOUT_MS
from bindings.sql.values import with_lists
from emulator.answers.d1 import Result
from emulator.cli.d1.databases import choose, database_options
from emulator.cli.options import ProjectOptions
from emulator.cli.output import show, show_json
from emulator.cli.table import draw_table
from emulator.errors import EmulatorError, UsageError, WorkerError
from emulator.words import counted

IMPORT_TIMEOUT_MS = 86_400_000


@click.command()
@click.argument("name")
@click.option("--command", "sql", help="The SQL to run; several statements with ';' between.")
@click.option("--file", "file", type=click.Path(path_type=Path), help="A file of SQL to run.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option("--yes", "-y", is_flag=True, expose_value=False, hidden=True)
@database_options
def execute(
    options: ProjectOptions, name: str, sql: str | None, file: Path | None, as_json: bool
) -> None:
    """Run SQL on the database NAME (its database_name or its binding), in one transaction."""
    found = choose(options, name)
    statements = script_statements(_read_sql(sql, file))
    if not statements:
        raise UsageError("No SQL statements detected.")

    # In production, a file is imported without a time limit; a command is a query with one.
    timeout_ms = QUERY_TIMEOUT_MS if file is None else IMPORT_TIMEOUT_MS

    async def run() -> list[Result]:
        async with found.opened(timeout_ms) as database:
            return await database.run([Query(text) for text in statements])

    if not as_json:
        show(f"🌀 Executing on local database {found.title}:")
    try:
        results = asyncio.run(run())
    except WorkerError as error:
        if as_json:
            show_json({"error": {"text": str(error)}})
            raise click.exceptions.Exit(1) from None
        raise EmulatorError(f"{found.database.name}: {error}") from None
    if as_json:
        show_json([with_row_objects(result) for result in results])
    else:
        _show_results(results)


def _read_sql(sql: str | None, file: Path | None) -> str:
    if (sql is None) == (file is None):
        raise UsageError("d1 execute needs either --command SQL or --file FILE.")
    if file is not None:
        return read_script(file)
    try:
        (sql or "").encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"--command: character {error.start + 1} is not UTF-8 text") from None
    return sql or ""


def _show_results(results: list[Result]) -> None:
    show(f"🚣 {counted(len(results), 'command')} executed successfully.")
    for result in results:
        if result["results"]["rows"]:
            rows = with_lists(result["results"]["rows"])
            show(draw_table(result["results"]["columns"], rows))
