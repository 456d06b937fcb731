"""`groundfog d1` and the list of its commands.

They take wrangler's arguments and work on the files; a server may be running, as SQLite lets
several processes use one database. The same rules hold as for a worker.
"""

from __future__ import annotations

import click

from emulator.cli.d1.execute import execute
from emulator.cli.d1.export import export
from emulator.cli.d1.importing import import_database
from emulator.cli.d1.info import delete, info, list_databases, path
from emulator.cli.d1.migrations import migrations
from emulator.cli.lazy import Group


@click.group(cls=Group)
def d1() -> None:
    """Query and migrate the project's local D1 databases."""


for command in (list_databases, execute, migrations, export, import_database, info, path, delete):
    d1.add_command(command)
