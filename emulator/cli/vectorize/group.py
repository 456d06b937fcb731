"""`groundfog vectorize`: the group and its commands' modules.

The commands take wrangler's arguments and work on the files. A server may be running: SQLite lets
several processes use one index, and each notices the changes of the others.
"""

from __future__ import annotations

import click

from emulator.cli.lazy import LazyGroup

_INDEXES = "emulator.cli.vectorize.indexes"
_VECTORS = "emulator.cli.vectorize.vectors"
_METADATA = "emulator.cli.vectorize.metadata"

COMMANDS = {
    "create": f"{_INDEXES}:create",
    "list": f"{_INDEXES}:list_indexes",
    "get": f"{_INDEXES}:get",
    "info": f"{_INDEXES}:info",
    "delete": f"{_INDEXES}:delete",
    "insert": f"{_VECTORS}:insert",
    "upsert": f"{_VECTORS}:upsert",
    "query": f"{_VECTORS}:query",
    "list-vectors": f"{_VECTORS}:list_vectors",
    "get-vectors": f"{_VECTORS}:get_vectors",
    "delete-vectors": f"{_VECTORS}:delete_vectors",
    "create-metadata-index": f"{_METADATA}:create_metadata_index",
    "list-metadata-index": f"{_METADATA}:list_metadata_index",
    "delete-metadata-index": f"{_METADATA}:delete_metadata_index",
}


@click.group(cls=LazyGroup, modules=COMMANDS)
def vectorize() -> None:
    """Create, fill and query the project's local Vectorize indexes."""
