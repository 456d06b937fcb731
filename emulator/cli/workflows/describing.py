"""`groundfog workflows instances describe`: everything about one instance."""

from __future__ import annotations

import shutil
import sys
from typing import Any

import click

from emulator.cli.ink import Ink
from emulator.cli.workflows.access import Api, opened
from emulator.cli.workflows.card import instance_page
from emulator.cli.workflows.naming import LATEST, explained, find_instance
from emulator.cli.workflows.options import Target, workflow_options
from emulator.cli.workflows.output import show, show_json
from emulator.cli.workflows.timeline import Page
from emulator.clock import SystemClock

Json = Any

PIPE_COLUMNS = 120  # drawn for when nobody says how wide the terminal is


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
@workflow_options
def describe_instance(
    target: Target, name: str, id: str, step_output: bool, output_limit: int | None
) -> None:
    """Draw the instance ID of the workflow NAME: its steps, attempts, waits and errors.

    ID may be `latest`, and is so by default.
    """
    with opened(target) as api:
        instance = find_instance(api, name, id)
        detail = instance_detail(api, name, instance)
        if target.as_json:
            show_json({"id": instance, **detail})
            return
        page = page_on_stdout(step_output, output_limit)
        show(instance_page(name, instance, detail, page, api.live))


def instance_detail(api: Api, workflow: str, instance: str) -> dict[str, Json]:
    """Return what the API tells of an instance. Raises UsageError when there is none."""
    with explained(api, workflow, instance):
        detail = api.ask("GET", workflow, "instances", instance).result
    assert isinstance(detail, dict)
    return detail


def page_on_stdout(with_output: bool = True, output_limit: int | None = None) -> Page:
    """Return how to draw on standard output as it is now."""
    width = shutil.get_terminal_size((PIPE_COLUMNS, 24)).columns
    return Page(width, Ink.on(sys.stdout), SystemClock().now_ms(), with_output, output_limit)
