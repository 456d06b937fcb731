"""`groundfog workflows instances describe`: shows everything about one instance."""

from __future__ import annotations

import sys

import click

from emulator.answers.workflows import InstanceDetail
from emulator.cli.ink import Ink
from emulator.cli.output import show_drawn, show_json, size_of
from emulator.cli.workflows.access import opened
from emulator.cli.workflows.api import Api
from emulator.cli.workflows.drawing.card import instance_page
from emulator.cli.workflows.drawing.spans import parse_iso
from emulator.cli.workflows.drawing.timeline import Page
from emulator.cli.workflows.naming import LATEST, explained, find_instance
from emulator.cli.workflows.options import Target, workflow_options


@click.command("describe")
@click.argument("name")
@click.argument("id", default=LATEST)
@click.option(
    "--step-output/--no-step-output", default=True, help="Show or hide what steps returned."
)
@click.option(
    "--truncate-output-limit",
    "output_limit",
    type=click.IntRange(0),
    help="Show this many characters of each value [as many as one line holds].",
)
@click.option("--follow", "-f", "follows", is_flag=True, help="Print its events as they happen.")
@workflow_options
def describe_instance(
    target: Target,
    name: str,
    id: str,
    step_output: bool,
    output_limit: int | None,
    follows: bool,
) -> None:
    """Draw an instance: its steps, attempts, waits and errors.

    ID may be `latest`, which is the default. With --follow, its event log is printed until it ends.
    """
    with opened(target) as api:
        instance = find_instance(api, name, id)
        if follows:
            from emulator.cli.workflows.commands.follow import follow

            follow(api, name, instance, target.as_json)
            return
        detail, now_ms = instance_detail(api, name, instance)
        if target.as_json:
            show_json({"id": instance, **detail})
            return
        page = Page(
            size_of(sys.stdout).columns, Ink.on(sys.stdout), now_ms, step_output, output_limit
        )
        show_drawn(instance_page(name, instance, detail, page, api.live))


def instance_detail(api: Api, workflow: str, instance: str) -> tuple[InstanceDetail, int]:
    """Return the API's details of an instance, and the server's time in epoch milliseconds.

    Raises UsageError when the instance does not exist.
    """
    with explained(api, workflow, instance):
        answer = api.ask("GET", workflow, "instances", instance)
    return answer.result, parse_iso(answer.info["now"])
