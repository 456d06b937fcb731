"""`groundfog vectorize create|list|delete-metadata-index`: the properties for filters."""

from __future__ import annotations

import click

from bindings.vectorize.settings import METADATA_TYPES
from emulator.cli.options import ProjectOptions, project_options
from emulator.cli.output import show, show_json
from emulator.cli.table import draw_table
from emulator.cli.vectorize.opening import opened, takes_json

_PROPERTY = click.option(
    "--property-name", "--propertyName", "name", required=True, help="The property, a.b if nested."
)


@click.command("create-metadata-index")
@click.argument("index_name", metavar="NAME")
@_PROPERTY
@click.option("--type", "type_", type=click.Choice(METADATA_TYPES), required=True)
@project_options
def create_metadata_index(options: ProjectOptions, index_name: str, name: str, type_: str) -> None:
    """Let queries filter on a property of vectors that are added to the index NAME from now on."""
    with opened(options, index_name) as index:
        reply = index.create_metadata_index(name, type_)
        older = index.describe()["vectorCount"]
    show(
        f"✅ Successfully enqueued metadata index creation request. Mutation changeset identifier: "
        f"{reply['mutationId']}."
    )
    if older:
        what = "The existing vector is" if older == 1 else f"The {older} existing vectors are"
        show(f"{what} in it after the next upsert.")


@click.command("list-metadata-index")
@click.argument("index_name", metavar="NAME")
@takes_json
@project_options
def list_metadata_index(options: ProjectOptions, index_name: str, as_json: bool) -> None:
    """Show the properties that queries on the index NAME can filter on."""
    with opened(options, index_name) as index:
        found = index.metadata_indexes()
    if as_json:
        show_json(found)
    elif not found:
        show(f"The index '{index_name}' has no metadata indexes.")
    else:
        rows = [[item["propertyName"], item["indexType"]] for item in found]
        show(draw_table(["propertyName", "type"], rows))


@click.command("delete-metadata-index")
@click.argument("index_name", metavar="NAME")
@_PROPERTY
@project_options
def delete_metadata_index(options: ProjectOptions, index_name: str, name: str) -> None:
    """Let queries on the index NAME no longer filter on a property."""
    with opened(options, index_name) as index:
        reply = index.delete_metadata_index(name)
    show(
        f"✅ Successfully enqueued metadata index deletion request. Mutation changeset identifier: "
        f"{reply['mutationId']}."
    )
