"""`groundfog vectorize create|list|get|info|delete`: commands about whole indexes."""

from __future__ import annotations

import sys

import click

from bindings.vectorize.index import Index
from bindings.vectorize.settings import DIMENSIONS_MAX, PRESETS
from bindings.vectorize.vectors import NAME_MAX_BYTES
from emulator.answers.vectorize import IndexDefinition, IndexShape
from emulator.cli.asking import confirm
from emulator.cli.options import ProjectOptions, load_project, project_options
from emulator.cli.output import show, show_json
from emulator.cli.table import draw_table
from emulator.cli.vectorize.opening import index_names, opened, takes_json
from emulator.errors import UsageError
from emulator.state import State
from emulator.words import counted

METRICS = ("cosine", "euclidean", "dot-product")


@click.command()
@click.argument("name")
@click.option("--dimensions", type=click.IntRange(1, DIMENSIONS_MAX), help="Length of a vector.")
@click.option("--metric", type=click.Choice(METRICS), help="How vectors are compared.")
@click.option("--preset", type=click.Choice(list(PRESETS)), help="The model that makes them.")
@click.option("--description", help="What the index is for.")
@takes_json
@project_options
def create(
    options: ProjectOptions,
    name: str,
    dimensions: int | None,
    metric: str | None,
    preset: str | None,
    description: str | None,
    as_json: bool,
) -> None:
    """Create the index NAME with --dimensions and --metric, or with a --preset."""
    size = len(name.encode())
    if not 0 < size <= NAME_MAX_BYTES:
        raise UsageError(f"The name is {size} bytes; expected 1 to {NAME_MAX_BYTES}.")
    if preset is not None:
        if dimensions is not None or metric is not None:
            raise UsageError(
                "--preset sets dimensions and metric; leave --dimensions/--metric out."
            )
        dimensions, metric = PRESETS[preset], "cosine"
    if dimensions is None or metric is None:
        raise UsageError("vectorize create needs --dimensions and --metric, or --preset.")
    with opened(options, name, new=True) as index:
        index.create(dimensions, metric, description)
        made = index.definition()
    if as_json:
        show_json(made)
        return
    show(f"✅ Successfully created a new Vectorize index: '{name}'")
    show("📋 To use it in a worker, add this to its configuration:\n")
    show(f'[[vectorize]]\nbinding = "VECTORIZE"\nindex_name = "{name}"')


@click.command("list")
@takes_json
@project_options
def list_indexes(options: ProjectOptions, as_json: bool) -> None:
    """Show the indexes of the project."""
    config = load_project(options)
    state = State.locate(config, options.persist_to)
    found: list[IndexDefinition] = []
    for name, path in index_names(config, state).items():
        if path.exists():
            with opened(options, name) as index:
                found.append(index.definition())
        else:
            unmade = IndexShape(dimensions=None, metric=None)
            found.append({"name": name, "created_on": None, "config": unmade})
    if as_json:
        show_json(found)
    elif not found:
        show("There are no Vectorize indexes: neither in the configuration nor on disk.")
    else:
        header = ["name", "dimensions", "metric", "created", "modified"]
        show(draw_table(header, [_row(definition) for definition in found]))


def _row(definition: IndexDefinition) -> list[object]:
    config = definition["config"]
    return [
        definition["name"],
        config["dimensions"] or "from the first insert",
        config["metric"] or "",
        definition["created_on"] or "not yet",
        definition.get("modified_on") or "",
    ]


@click.command()
@click.argument("name")
@takes_json
@project_options
def get(options: ProjectOptions, name: str, as_json: bool) -> None:
    """Show the definition of the index NAME."""
    with opened(options, name) as index:
        definition = index.definition()
    if as_json:
        show_json(definition)
    else:
        header = ["name", "dimensions", "metric", "created", "modified"]
        show(draw_table(header, [_row(definition)]))


@click.command()
@click.argument("name")
@takes_json
@project_options
def info(options: ProjectOptions, name: str, as_json: bool) -> None:
    """Show how many vectors the index NAME holds, and the last mutation it has processed."""
    with opened(options, name) as index:
        described = index.describe()
    if as_json:
        show_json(described)
    else:
        show(draw_table(list(described), [list(described.values())]))


@click.command()
@click.argument("name")
@click.option("--force", "-y", "--yes", is_flag=True, help="Do not ask.")
@project_options
def delete(options: ProjectOptions, name: str, force: bool) -> None:
    """Delete the index NAME with all its vectors."""
    with opened(options, name) as index:
        if not index.path.exists() or index.definition()["created_on"] is None:
            raise UsageError(
                f'The index "{name}" does not exist yet, so there is nothing to delete.'
            )
        if not force and sys.stdin.isatty():
            count = counted(index.describe()["vectorCount"], "vector")
            confirm(f"Delete the index '{name}' with {count}?")
        _erase(index, options)
    show(f"✅ Deleted Vectorize index '{name}'")


def _erase(index: Index, options: ProjectOptions) -> None:
    """Empty the index if a server has it open, else remove its file."""
    index.erase()
    index.close()
    state = State.locate(load_project(options), options.persist_to)
    if state.running_server() is None:
        for suffix in ("", "-wal", "-shm"):
            index.path.with_name(index.path.name + suffix).unlink(missing_ok=True)
