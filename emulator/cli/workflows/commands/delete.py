"""`groundfog workflows delete` and `… instances delete`: delete instances."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from emulator.answers.workflows import BatchDeletion, CountedWorkflow
from emulator.cli.asking import confirm
from emulator.cli.output import say, show_json
from emulator.cli.workflows.access import opened
from emulator.cli.workflows.naming import LATEST, explained, find_instance
from emulator.cli.workflows.options import Target, workflow_options
from emulator.errors import EmulatorError, UsageError
from emulator.words import counted

IDS_MAX = 100  # as in wrangler and in the API


@click.command("delete")
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@workflow_options
def delete_workflow(target: Target, name: str, yes: bool) -> None:
    """Delete all instances of the workflow NAME; it stays configured."""
    with opened(target, changes=True) as api:
        with explained(api, name):
            found: CountedWorkflow = api.ask("GET", name).result
            count = sum(found["instances"].values())
        if count and not yes and sys.stdin.isatty():
            question = f"Delete {counted(count, 'instance')} of {name}?"
            confirm(question, err=True)
        result = api.ask("DELETE", name).result
    if target.as_json:
        show_json(result)
    else:
        say(f"Deleted {counted(count, 'instance')} of {name}")


@click.command("delete")
@click.argument("name")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option(
    "--filename", type=click.Path(path_type=Path), help="A file with a JSON array of ids."
)
@workflow_options
def delete_instances(
    target: Target, name: str, ids: tuple[str, ...], filename: Path | None
) -> None:
    """Delete instances, also running ones. ID may be `latest`."""
    asked = [*ids, *(_ids_in(filename) if filename else [])]
    if not asked:
        raise UsageError("Name at least one instance: its id, `latest`, or a --filename with ids.")
    if len(asked) > IDS_MAX:
        raise UsageError(f"{len(asked)} instances; at most {IDS_MAX} can be deleted at a time.")
    with opened(target, changes=True) as api:
        if LATEST in asked:
            latest = find_instance(api, name, LATEST)
            asked = [latest if instance == LATEST else instance for instance in asked]
        with explained(api, name):
            path = (name, "instances", "batch", "delete")
            result: BatchDeletion = api.ask("POST", *path, body={"instances": asked}).result
    if target.as_json:
        show_json(result)
    elif result["deleted"]:
        say(f"Deleted {', '.join(entry['id'] for entry in result['deleted'])}")
    if result["errors"]:
        problems = "".join(f"\n  {entry['id']}: {entry['message']}" for entry in result["errors"])
        raise EmulatorError(f"{counted(len(result['errors']), 'instance')} not deleted:{problems}")


def _ids_in(file: Path) -> list[str]:
    """Return the ids in a JSON file. Raises UsageError."""
    try:
        ids = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise UsageError(f"{file}:{error.lineno}: not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file}: not JSON: {error}") from None
    if not isinstance(ids, list) or not all(isinstance(instance, str) for instance in ids):
        raise UsageError(f'{file}: expected an array of ids, for example ["order-1", "order-2"].')
    return ids
