"""`groundfog kv namespace list`."""

from __future__ import annotations

import click

from emulator.cli.kv.opening import namespaces
from emulator.cli.local_options import local_options
from emulator.cli.options import ProjectOptions
from emulator.cli.output import show_json


@click.command("list")
@click.option("--json", is_flag=True, expose_value=False, hidden=True)
@local_options("namespaces")
def list_namespaces(options: ProjectOptions) -> None:
    """Print the namespaces of the configuration as JSON."""
    found = {each.namespace.id: each.name for each in namespaces(options)}
    show_json([{"id": id_, "title": name} for id_, name in found.items()])
