"""`groundfog state`: where a project's durable state is; deletes, saves, loads, compares it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
from msgspec.structs import asdict

from emulator.cli.asking import confirm
from emulator.cli.cells import printable
from emulator.cli.contents import differences, whole
from emulator.cli.lazy import Group
from emulator.cli.options import ProjectOptions, load_project, project_options
from emulator.cli.output import show, show_json
from emulator.cli.saved_states import Saved, SavedStates, copy_of
from emulator.cli.table import draw_table
from emulator.kinds.registry import KINDS
from emulator.state import State
from emulator.words import counted


@click.group(cls=Group)
def state() -> None:
    """Show, delete, save, load, compare or pass on the local state of a project."""


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
        confirm(f"Delete all state in {state.directory}?")
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
        confirm(f"Replace all state in {state.directory}?")
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


@state.command("export")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@project_options
def export(name: str, file: Path, options: ProjectOptions) -> None:
    """Write the saved state NAME as one FILE, to pass on. It holds whatever the state holds."""
    saved = SavedStates.of(load_project(options)).export(name, file)
    show(f"Exported {saved.name} to {file}: {_told(saved)}")


@state.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("name", required=False)
@project_options
def import_(file: Path, name: str | None, options: ProjectOptions) -> None:
    """Save what is in FILE as NAME [the file's name], for `load` and `groundfog exec --state`.

    Everything is checked first, so that the file may come from a stranger.
    """
    saved = SavedStates.of(load_project(options)).take_in(file, name or file.name.split(".")[0])
    show(f"Imported {saved.name}: {_told(saved)}")


@state.command("diff")
@click.argument("one")
@click.argument("other", required=False)
@project_options
def diff(one: str, other: str | None, options: ProjectOptions) -> None:
    """Show what is different in the saved states ONE and OTHER [the present state].

    Instances, rows of D1, entries of KV, objects of R2. The exit code is 1 if anything is.
    """
    config = load_project(options)
    states, present = SavedStates.of(config), State.locate(config, options.persist_to)
    with tempfile.TemporaryDirectory() as folder:  # to look at a database changes its files
        first = states.copy(one, Path(folder) / "one")
        second = (
            states.copy(other, Path(folder) / "other")
            if other is not None
            else copy_of(present, Path(folder) / "other")
        )
        lines = list(differences(whole(config, first), whole(config, second)))
    for line in lines or ["Nothing is different."]:
        show(printable(line))
    if lines:
        raise SystemExit(1)


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
