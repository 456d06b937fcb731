"""The options of every workflow command, and the target that they select."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click
from msgspec import Struct

from emulator.cli.options import ProjectOptions, project_options


class Target(Struct, frozen=True):
    """Which project's workflows a command is about, and how it shows them.

    port: of another server on this machine than the one that runs the project.
    """

    project: ProjectOptions
    port: int | None
    as_json: bool


def workflow_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the project's options, --port and --json as `target`, and accept --local.

    Scripts for wrangler pass --local. Here everything is local.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
    @click.option("--local", is_flag=True, expose_value=False, hidden=True)
    @click.option(
        "--port",
        type=click.IntRange(1, 65535),
        help="Ask the server on this port [the one that runs the project].",
    )
    @project_options
    @functools.wraps(command)
    def with_target(
        *args: Any, options: ProjectOptions, port: int | None, as_json: bool, **rest: Any
    ) -> Any:
        return command(*args, target=Target(options, port, as_json), **rest)

    return with_target
