"""`groundfog state`: where a project's durable state is; deletes, saves and loads it."""

from __future__ import annotations

import click
from msgspec.structs import asdict

from emulator.cli.lazy import Group
from emulator.cli.options import ProjectOptions, load_project, project_options
from emulator.cli.output import show, show_json
from emulator.cli.saved_states import Saved, SavedStates
from emulator.cli.table import draw_table
from emulator.kinds.registry import KINDS
from emulator.state import State
from emulator.words import counted


@click.group(cls=Group)
def state() -> None:
    """Show, delete, save or load the local state of a project."""


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


@state.command("save")
@click.argument("name")
@project_options
def save(name: str, options: ProjectOptions) -> None:
    """Save the state as NAME, for `load` and `groundfog exec --state`.

    Stop the server first. A saved state of this name is replaced.
    """
    config = load_project(options)
    saved = SavedStates.of(config).save(State.locate(config, options.persist_to), name)
    show(f"Saved {saved.name}: {_told(saved)}")


@state.command("load")
@click.argument("name")
@project_options
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def load(name: str, options: ProjectOptions, yes: bool) -> None:
    """Put the saved state NAME in the place of the present one, which is deleted."""
    config = load_project(options)
    states, state = SavedStates.of(config), State.locate(config, options.persist_to)
    states.get(name)
    if not yes and state.directory.is_dir():
        click.confirm(f"Replace all state in {state.directory}?", abort=True)
    saved = states.load(name, state)
    show(f"Loaded {saved.name}: {_told(saved)}")


@state.command("list")
@project_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(options: ProjectOptions, as_json: bool) -> None:
    """List the saved states."""
    found = SavedStates.of(load_project(options)).list()
    if as_json:
        show_json([asdict(saved) for saved in found])
    elif not found:
        show("No state was saved. Save one: groundfog state save NAME")
    else:
        rows = [(each.name, each.files, f"{each.size / 1024:,.0f} KiB", each.at) for each in found]
        show(draw_table(("name", "files", "size", "saved"), rows))


@state.command("delete")
@click.argument("name")
@project_options
def delete(name: str, options: ProjectOptions) -> None:
    """Delete the saved state NAME."""
    SavedStates.of(load_project(options)).delete(name)
    show(f"Deleted {name}")


def _told(saved: Saved) -> str:
    return f"{counted(saved.files, 'file')}, {saved.size / 1024:,.0f} KiB"


def _locate(options: ProjectOptions) -> State:
    return State.locate(load_project(options), options.persist_to)
