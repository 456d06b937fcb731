"""`groundfog`: the top-level command, and how errors meet the person who typed it."""

from __future__ import annotations

import sys

import click

from emulator.cli.d1 import d1
from emulator.cli.dev import dev
from emulator.cli.state import state
from emulator.errors import EmulatorError


class _Commands(click.Group):
    """A group whose commands may raise EmulatorError: its message, exit code 1, no traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except EmulatorError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "-v", "--version", package_name="groundfog", prog_name="groundfog")
def cli() -> None:
    """Run Cloudflare Workers locally, with durable Workflows and bindings that work offline."""


cli.add_command(dev)
cli.add_command(d1)
cli.add_command(state)


def main() -> None:
    """Entry point of the `groundfog` command."""
    cli(prog_name="groundfog")
    sys.exit(0)
