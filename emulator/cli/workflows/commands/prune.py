"""`groundfog workflows size` and `… instances prune`: the size of history, and its deletion."""

from __future__ import annotations

import sys

import click

from emulator.answers.workflows import JournalSizes, Pruned
from emulator.cli.asking import confirm
from emulator.cli.cells import printable
from emulator.cli.ink import Colour, Ink
from emulator.cli.output import say, show_drawn, show_json
from emulator.cli.workflows.access import opened
from emulator.cli.workflows.api import Api
from emulator.cli.workflows.commands.lists import show_table
from emulator.cli.workflows.naming import explained
from emulator.cli.workflows.options import Target, workflow_options
from emulator.durations import InvalidDuration, parse_duration_ms
from emulator.errors import UsageError
from emulator.json_types import Json
from emulator.words import counted

JOURNAL = "/cdn-cgi/groundfog/journal"
_ENDED = ("complete", "errored", "terminated")
_UNIT_BYTES = 1_024


@click.command()
@click.option("--largest", type=click.IntRange(1, 1_000), default=5, show_default=True)
@workflow_options
def size(target: Target, largest: int) -> None:
    """Show how much space the history of workflows takes on disk."""
    with opened(target) as api:
        sizes: JournalSizes = api.ask("GET", query={"largest": str(largest)}, base=JOURNAL).result
    if target.as_json:
        show_json(sizes)
        return
    ink = Ink.on(sys.stdout)
    total = size_text(sizes["file_bytes"] + sizes["log_bytes"])
    free = f", {size_text(sizes['free_bytes'])} of it free" if sizes["free_bytes"] else ""
    show_drawn(f"{printable(sizes['path'])}  {ink(Colour.BOLD, total)}{free}")
    if sizes["workflows"]:
        rows = [
            (entry["name"], size_text(entry["bytes"]), entry["instances"], entry["entries"])
            for entry in sizes["workflows"]
        ]
        show_table(("Workflow", "History", "Instances", "Entries"), rows)
    if sizes["largest_instances"]:
        instances = [
            (entry["id"], size_text(entry["bytes"]), entry["entries"], entry["workflow"])
            for entry in sizes["largest_instances"]
        ]
        show_table(("Largest instances", "History", "Entries", "Workflow"), instances)


@click.command()
@click.argument("name", required=False)
@click.option(
    "--status",
    "statuses",
    type=click.Choice(_ENDED),
    multiple=True,
    help="Only those with this status; may be repeated.",
)
@click.option("--older-than", help='Only those that ended longer ago: "7 days", "12 hours".')
@click.option("--dry-run", is_flag=True, help="Only say how many there are.")
@click.option(
    "--compact", is_flag=True, help="Give the space back to the disk, even if it takes long."
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@workflow_options
def prune(
    target: Target,
    name: str | None,
    statuses: tuple[str, ...],
    older_than: str | None,
    dry_run: bool,
    compact: bool,
    yes: bool,
) -> None:
    """Delete instances that have ended: of the workflow NAME, or of all workflows.

    Instances that have not ended are never deleted.
    """
    wanted: dict[str, Json] = {
        "workflow": name,
        "status": [*statuses],
        "older_than": _span(older_than),
    }
    body: dict[str, Json] = {key: value for key, value in wanted.items() if value}
    with opened(target, changes=not dry_run) as api:
        if dry_run or (not yes and sys.stdin.isatty()):
            found = _prune(api, name, {**body, "dry_run": True})
            if dry_run:
                _tell(target, found, "would be deleted")
                return
            if found["pruned"]:
                question = f"Delete {counted(found['pruned'], 'instance')}?"
                confirm(question, err=True)
        result = _prune(api, name, body | ({"compact": True} if compact else {}))
    _tell(target, result, "deleted")


def _prune(api: Api, name: str | None, body: dict[str, Json]) -> Pruned:
    with explained(api, name or ""):
        result: Pruned = api.ask("POST", "prune", body=body, base=JOURNAL).result
    return result


def _tell(target: Target, result: Pruned, what: str) -> None:
    if target.as_json:
        show_json(result)
        return
    freed = f", {size_text(result['freed_bytes'])} given back" if result["freed_bytes"] else ""
    say(f"{counted(result['pruned'], 'instance')} {what}{freed}")


def _span(text: str | None) -> int | None:
    """Return `--older-than` in milliseconds. Raises UsageError."""
    if text is None:
        return None
    try:
        return parse_duration_ms(text)
    except InvalidDuration as error:
        raise UsageError(f"--older-than is {error}") from None


def size_text(size_bytes: int) -> str:
    """Return a size for people: 512 -> `"512 B"`, 1600000 -> `"1.5 MB"`."""
    size = float(size_bytes)
    for unit in ("B", "KB", "MB"):
        if size < _UNIT_BYTES:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= _UNIT_BYTES
    return f"{size:.1f} GB"
