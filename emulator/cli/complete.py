"""`groundfog complete SHELL`: the script with which a shell completes this command."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from emulator.cli.output import show

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def complete(ctx: click.Context, shell: str) -> None:
    """Print a script that completes commands and options in SHELL."""
    found = get_completion_class(shell)
    assert found is not None
    show(found(ctx.find_root().command, {}, "groundfog", "_GROUNDFOG_COMPLETE").source())
