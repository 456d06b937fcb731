"""What commands on local data share: wrangler's options for where data is, and for its import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from emulator.cli.options import project_options
from emulator.config.model import Config
from emulator.errors import UsageError


def local_options(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the project's options, and wrangler's for where data is.

    what: what it works on, in the plural, for the refusal of --remote.
    """

    def refuse_remote(context: click.Context, option: click.Parameter, value: bool) -> None:
        if value:
            raise UsageError(
                f"--remote: Groundfog knows only the {what} on this machine.\n"
                "  For the one at Cloudflare, run the same command with `wrangler`."
            )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        hidden: dict[str, Any] = {"is_flag": True, "expose_value": False, "hidden": True}
        # Everything here is local; scripts for wrangler use these options.
        for option in (
            click.option("--local", **hidden),
            click.option("--preview", **hidden),
            click.option("--remote", callback=refuse_remote, **hidden),
        ):
            command = option(command)
        return project_options(command)

    return decorate


def import_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give an import command --from-wrangler, --wrangler-state and --yes."""
    for option in (
        click.option("--from-wrangler", is_flag=True, help="Copy what `wrangler dev` keeps."),
        click.option(
            "--wrangler-state",
            type=click.Path(path_type=Path),
            help="wrangler's state [.wrangler/state beside the configuration].",
        ),
        click.option("--yes", "-y", is_flag=True, help="Replace what is there without asking."),
    ):
        command = option(command)
    return command


def wrangler_folder(project: Config, given: Path | None) -> Path:
    """Return wrangler's state; its --persist-to names another folder than the usual one."""
    return given or project.path.parent / ".wrangler" / "state"
