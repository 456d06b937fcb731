"""`groundfog d1 export`: a database as a file of SQL."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click

from bindings.d1.export import dump_for_sqlite3, dump_sql, reading
from emulator.cli.d1.databases import choose, database_options
from emulator.cli.options import ProjectOptions
from emulator.cli.output import show
from emulator.errors import EmulatorError, UsageError

_D1, _SQLITE3 = "d1", "sqlite3_cli_only"


@click.command()
@click.argument("name")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="The file to write.")
@click.option("--table", "tables", multiple=True, help="Only this table; may be repeated.")
@click.option("--no-schema", is_flag=True, help="Only the rows.")
@click.option("--no-data", is_flag=True, help="Only the schema.")
@click.option(
    "--compatibility",
    type=click.Choice([_D1, _SQLITE3]),
    default=_D1,
    help="sqlite3_cli_only is what `sqlite3 .dump` writes, virtual tables included.",
)
@click.option("--skip-confirmation", "-y", is_flag=True, expose_value=False, hidden=True)
@database_options
def export(
    options: ProjectOptions,
    name: str,
    output: Path,
    tables: tuple[str, ...],
    no_schema: bool,
    no_data: bool,
    compatibility: str,
) -> None:
    """Write the database NAME as SQL to a file, which is replaced when the SQL is complete."""
    if no_schema and no_data:
        raise UsageError(
            "Cannot use --no-schema and --no-data together. At least one of schema or data must be "
            "included in the export. Remove one of the flags."
        )
    if compatibility == _SQLITE3 and (tables or no_schema or no_data):
        raise UsageError(
            f"--compatibility {_SQLITE3} writes the whole database; it takes no --table, "
            "--no-schema or --no-data."
        )
    found = choose(options, name)
    if not found.path.is_file():
        raise UsageError(
            f"{found.title} has no data yet: {found.path} does not exist.\n"
            "  It is created by its first query, or by `groundfog d1 migrations apply`."
        )
    show(f"🌀 Exporting local database {found.title}:")
    show(f"🌀 Exporting SQL to {output}...")
    with reading(found.path) as connection, _replacing(output) as file:
        lines: Iterator[str] = (
            dump_for_sqlite3(connection)
            if compatibility == _SQLITE3
            else dump_sql(connection, tables=tables, schema=not no_schema, data=not no_data)
        )
        for line in lines:
            file.write(line + "\n")
    show("Done!")


@contextlib.contextmanager
def _replacing(output: Path) -> Iterator[TextIO]:
    """Open a new file that replaces `output` at the end; after an error the old one stays."""
    # A pipe or a device, such as /dev/stdout, cannot be replaced.
    if output.exists() and not output.is_file():
        target = output
    else:
        target = output.with_name(f".{output.name}.{secrets.token_hex(4)}")
    try:
        with target.open("w", encoding="utf-8", newline="") as file:
            yield file
        if target != output:
            os.replace(target, output)
    except OSError as error:
        raise EmulatorError(f"{output}: cannot be written: {error.strerror or error}") from None
    finally:
        if target != output:
            target.unlink(missing_ok=True)
