"""`groundfog`: the top-level command, and how errors meet the person who typed it.

A command's module is imported when the command is used: starting the server should not wait for
what only other commands need.
"""

from __future__ import annotations

import importlib

import click

from emulator.errors import EmulatorError

# command -> the module in emulator.cli that defines it under the same name
COMMANDS = ("dev", "d1", "state")


class _Commands(click.Group):
    """A group that imports late, and whose commands may raise EmulatorError.

    Such an error is shown as its message, with exit code 1 and no traceback.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"emulator.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

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


def main() -> None:
    """Entry point of the `groundfog` command."""
    cli(prog_name="groundfog")
