"""`groundfog workflows instances fork|diff`: another future for an instance, and what differs."""

from __future__ import annotations

from typing import Any

import click

from emulator.answers.workflows import Comparison, Difference, ForkedInstance
from emulator.cli.cells import printable, shorten
from emulator.cli.output import say, show, show_json, spaced_json
from emulator.cli.workflows.access import opened
from emulator.cli.workflows.api import OWN
from emulator.cli.workflows.naming import explained, find_instance, step_explained
from emulator.cli.workflows.options import Target, workflow_options
from emulator.cli.workflows.payload import read_payload

_VALUE_COLUMNS = 60


@click.command()
@click.argument("name")
@click.argument("id")
@click.option("--from", "step", required=True, help="The step that the new instance begins with.")
@click.option("--count", type=click.IntRange(1), default=1, help="Which of the steps of this name.")
@click.option(
    "--type", "kind", type=click.Choice(("do", "sleep", "waitForEvent")), default="do", help="[do]"
)
@click.option("--id", "new_id", help="The new instance's id [a random UUID].")
@click.option("--params", help="JSON: other params for it.")
@click.option("--output", help="JSON: what the step has returned; it is not executed then.")
@workflow_options
def fork(
    target: Target,
    name: str,
    id: str,
    step: str,
    count: int,
    kind: str,
    new_id: str | None,
    params: str | None,
    output: str | None,
) -> None:
    """Create an instance that shares what ID had done before a step, and print its id."""
    body: dict[str, Any] = {"from": {"name": step, "count": count, "type": kind}}
    if new_id is not None:
        body["id"] = new_id
    for key, text in (("params", params), ("output", output)):
        if text is not None:
            body[key] = read_payload(text, f"--{key}")
    with opened(target, changes=True) as api:
        instance = find_instance(api, name, id)
        with explained(api, name, instance), step_explained(api, name, instance, step):
            path = (name, "instances", instance, "fork")
            forked: ForkedInstance = api.ask("POST", *path, body=body, base=OWN).result
        if target.as_json:
            show_json(forked)
            return
        later = "" if api.live else "; it starts with the next `groundfog dev`"
        say(f'{name} / {instance} was forked at "{step}"{later}')
        show(forked["id"])


@click.command()
@click.argument("name")
@click.argument("one")
@click.argument("other")
@workflow_options
def diff(target: Target, name: str, one: str, other: str) -> None:
    """Show what is different in two instances; the exit code is 1 if anything is."""
    with opened(target) as api:
        first, second = find_instance(api, name, one), find_instance(api, name, other)
        with explained(api, name, first):
            path = (name, "instances", first, "diff")
            query = {"with": second}
            comparison: Comparison = api.ask("GET", *path, query=query, base=OWN).result
    found = comparison["differences"]
    if target.as_json:
        show_json(comparison)
    elif not found:
        show("Nothing is different.")
    for each in () if target.as_json else found:
        show(_drawn(each))
    if found:
        raise SystemExit(1)


def _drawn(difference: Difference) -> str:
    one, other = (
        shorten(printable(spaced_json(value)), _VALUE_COLUMNS)
        for value in (difference["one"], difference["other"])
    )
    return f"{printable(difference['where'])}\n  - {one}\n  + {other}"
