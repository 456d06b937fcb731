"""`groundfog state`: shows where a project's durable state is, and deletes it."""

from __future__ import annotations

import click

from emulator.cli.options import ProjectOptions, load_project, project_options
from emulator.cli.output import show
from emulator.kinds.registry import KINDS
from emulator.state import State


@click.group()
def state() -> None:
    """Show or delete the local state of a project."""


@state.command("path")
@project_options
def path(options: ProjectOptions) -> None:
    """Print the state directory."""
    show(str(_locate(options).directory))


@state.command("reset")
@project_options
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def reset(options: ProjectOptions, yes: bool) -> None:
    """Delete everything: workflow instances, D1 databases, Vectorize indexes."""
    state = _locate(options)
    if not yes:
        click.confirm(f"Delete all state in {state.directory}?", abort=True)
    removed = state.reset([name for kind in KINDS for name in kind.files])
    where = state.directory
    show(f"Deleted {', '.join(removed)} in {where}" if removed else f"{where} was empty")


def _locate(options: ProjectOptions) -> State:
    return State.locate(load_project(options), options.persist_to)
