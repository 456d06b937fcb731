"""`groundfog d1 import`: copies the databases of `wrangler dev`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bindings.d1.wrangler_state import take_over, user_tables, wrangler_file
from emulator.cli.asking import confirm
from emulator.cli.d1.databases import Chosen, choose, choose_all, database_options
from emulator.cli.local_options import import_options, wrangler_folder
from emulator.cli.options import ProjectOptions
from emulator.cli.output import show
from emulator.errors import UsageError
from emulator.words import counted


@click.command("import")
@click.argument("name", required=False)
@import_options
@database_options
def import_database(
    options: ProjectOptions,
    name: str | None,
    from_wrangler: bool,
    wrangler_state: Path | None,
    yes: bool,
) -> None:
    """Copy the database NAME, or all, from wrangler's local state, which stays unchanged."""
    if not from_wrangler:
        raise UsageError(
            "d1 import needs --from-wrangler.\n"
            "  A file of SQL is run with `groundfog d1 execute NAME --file FILE`."
        )
    wanted = [choose(options, name)] if name is not None else choose_all(options)
    sources = {found.database.local_id: _source(found, wrangler_state) for found in wanted}
    missing = [found for found in wanted if not sources[found.database.local_id].is_file()]
    if len(missing) == len(wanted):
        looked = [str(sources[found.database.local_id]) for found in missing]
        raise UsageError(_nothing_found(looked))
    for found in missing:
        show(f"{found.title}: wrangler has no such local database")
    for found in wanted:
        if found not in missing:
            _import(found, sources[found.database.local_id], yes)


def _source(found: Chosen, wrangler_state: Path | None) -> Path:
    state = wrangler_folder(found.project, wrangler_state)
    return wrangler_file(state, found.database.local_id)


def _nothing_found(places: list[str]) -> str:
    looked = "".join(f"\n  looked for {place}" for place in places) or "\n  no d1_databases"
    return (
        f"wrangler has no local data of this project's databases.{looked}\n"
        "  If wrangler uses another folder, name it with --wrangler-state DIR."
    )


def _import(found: Chosen, source: Path, yes: bool) -> None:
    there = user_tables(found.path)
    if there and not yes:
        text = f"{found.title} already has {counted(len(there), 'table')}: {', '.join(there[:5])}"
        if not sys.stdin.isatty():
            raise UsageError(f"{text}.\n  To replace all of it, run the command with --yes.")
        confirm(f"{text}. Replace all of it?")
    found.state.prepare()
    tables = take_over(source, found.path)
    show(f"✅ {found.title}: {counted(len(tables), 'table')} taken over from {source}")
