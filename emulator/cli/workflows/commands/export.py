"""`groundfog workflows instances export`: prints a history for `workflows check --history`."""

from __future__ import annotations

import click

from emulator.answers.workflows import HistoryDocument
from emulator.cli.options import ProjectOptions, project_options
from emulator.cli.output import show_json
from emulator.cli.workflows.access import opened
from emulator.cli.workflows.api import OWN
from emulator.cli.workflows.naming import explained, find_instance
from emulator.cli.workflows.options import Target


@click.command("export")
@click.argument("name")
@click.argument("id")
@project_options
def export_command(options: ProjectOptions, name: str, id: str) -> None:
    """Print the history of the instance ID, to check code against it later."""
    with opened(Target(options, None, True)) as api:
        instance = find_instance(api, name, id)
        with explained(api, name, instance):
            path = (name, "instances", instance, "export")
            document: HistoryDocument = api.ask("GET", *path, base=OWN).result
    show_json(document)
