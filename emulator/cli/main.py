"""`groundfog`: the top-level command, and how errors meet the person who typed it.

A command's module is imported when the command is used: starting the server should not wait for
what only other commands need.
"""

from __future__ import annotations

from pathlib import Path

import click

from emulator.cli.lazy import LazyGroup
from emulator.cli.output import say
from emulator.errors import EmulatorError

COMMANDS = {
    "dev": "emulator.cli.dev:dev",
    "d1": "emulator.cli.d1:d1",
    "vectorize": "emulator.cli.vectorize.group:vectorize",
    "ai": "emulator.cli.ai:ai",
    "workflows": "emulator.cli.workflows.group:workflows",
    "clock": "emulator.cli.clock:clock",
    "state": "emulator.cli.state:state",
}


class _Commands(LazyGroup):
    """A group whose commands may raise EmulatorError, and OSError when the disk refuses.

    Such an error is shown as its message, with exit code 1 and no traceback.
    """

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except EmulatorError as error:
            say(f"error: {error}")
            ctx.exit(1)
        except OSError as error:
            from emulator.disk import Trouble, refusal, trouble_of

            where = Path(error.filename or Path.cwd())
            if trouble_of(where, error) is Trouble.OTHER:
                raise
            say(f"error: {refusal(where, 'cannot be used', error)}")
            ctx.exit(1)


@click.group(
    cls=_Commands,
    modules=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(None, "-v", "--version", package_name="groundfog", prog_name="groundfog")
def cli() -> None:
    """Run Cloudflare Workers locally, with durable Workflows and bindings that work offline."""


def main() -> None:
    """Entry point of the `groundfog` command."""
    cli(prog_name="groundfog")
