"""`groundfog workflows trigger`: create an instance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from emulator.answers.workflows import CreatedInstance
from emulator.cli.output import say, show, show_json
from emulator.cli.workflows.access import opened
from emulator.cli.workflows.api import Refused
from emulator.cli.workflows.commands.wait import refuse_to_wait, wait_for_end, wait_option
from emulator.cli.workflows.naming import explained
from emulator.cli.workflows.options import Target, workflow_options
from emulator.cli.workflows.payload import read_payload
from emulator.errors import UsageError


@click.command()
@click.argument("name")
@click.argument("params", default="")
@click.option("--id", help="The instance's id [a random UUID].")
@wait_option
@workflow_options
def trigger(target: Target, name: str, params: str, id: str | None, wait: bool) -> None:
    """Create an instance of a workflow and print its id.

    PARAMS is JSON, or `-` to read JSON from standard input. With --wait, the output is printed.
    """
    body = {"id": id, "params": read_payload(params, "PARAMS") if params else None}
    given = {key: value for key, value in body.items() if value is not None}
    with opened(target, changes=True) as api:
        if wait:
            refuse_to_wait(api)
        with explained(api, name), _id_explained(id):
            created: CreatedInstance = api.ask("POST", name, "instances", body=given).result
        if wait:
            wait_for_end(target, api, name, created["id"])
            return
        if target.as_json:
            show_json(created)
            return
        later = "" if api.live else "; it starts with the next `groundfog dev`"
        say(f'🚀 Workflow "{name}" has been triggered successfully{later}')
        show(created["id"])


@contextmanager
def _id_explained(id: str | None) -> Iterator[None]:
    """Add to the platform's message which characters an id may have."""
    try:
        yield
    except Refused as error:
        if "invalid id" not in str(error):
            raise
        from emulator.engine.decide.checks import INSTANCE_ID_MAX_CHARS

        raise UsageError(
            f'{error}: "{id}"\n  Expected 1 to {INSTANCE_ID_MAX_CHARS} letters, digits, "-" and'
            ' "_", and no "-" at the beginning.'
        ) from None
