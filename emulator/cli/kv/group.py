"""`groundfog kv` and the list of its commands, with wrangler's names and arguments.

They work on the files; a server may be running, as SQLite lets several processes use one file.
"""

from __future__ import annotations

import click

from emulator.cli.kv import bulk, keys, namespaces
from emulator.cli.kv.importing import import_namespaces
from emulator.cli.lazy import Group


@click.group(cls=Group)
def kv() -> None:
    """Read and change the project's local KV namespaces."""


@click.group(cls=Group)
def key() -> None:
    """Read and change single keys."""


@click.group("bulk", cls=Group)
def in_bulk() -> None:
    """Read and change many keys."""


@click.group(cls=Group)
def namespace() -> None:
    """List the namespaces."""


for command in (keys.get, keys.put, keys.list_keys, keys.delete):
    key.add_command(command)
for command in (bulk.get, bulk.put, bulk.delete):
    in_bulk.add_command(command)
namespace.add_command(namespaces.list_namespaces)
for group in (key, in_bulk, namespace, import_namespaces):
    kv.add_command(group)
