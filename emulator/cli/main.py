"""`groundfog`: the top-level command, and how errors are shown to the person who typed it.

A command's module is imported when the command is used. So the start of a server does not wait for
modules that only other commands need.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from emulator.cli.lazy import LazyGroup, load_command
from emulator.cli.output import say, show
from emulator.errors import EmulatorError

BEGIN = 2  # so many of these come first, then those of kinds of bindings
COMMANDS = {
    "dev": "emulator.cli.dev:dev",
    "init": "emulator.cli.init:init",
    "workflows": "emulator.cli.workflows.group:workflows",
    "clock": "emulator.cli.clock:clock",
    "state": "emulator.cli.state:state",
    "exec": "emulator.cli.exec:exec_",
    "check": "emulator.cli.check:check",
    "sync": "emulator.cli.sync:sync",
    "types": "emulator.cli.types:types",
    "test": "emulator.cli.test:test",
    "doctor": "emulator.cli.doctor:doctor",
    "complete": "emulator.cli.complete:complete",
}


class _Commands(LazyGroup):
    """The commands above, and between them those of kinds of bindings.

    A command may raise EmulatorError, and OSError when the disk refuses.

    Such an error is shown as its message, with exit code 1 and no traceback.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        begin, own = list(COMMANDS)[:BEGIN], list(COMMANDS)[BEGIN:]
        return [*begin, *_commands_of_kinds(), *own]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:  # the start of a server needs no list of kinds
            return super().get_command(ctx, cmd_name)
        command = load_command(_commands_of_kinds().get(cmd_name))
        return self.with_examples(ctx, cmd_name, command)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command line; the exit code is 0, or 1: failed, 2: wrong line, 130: Ctrl-C."""
        run: Callable[..., Any] = super().main
        if not options.pop("standalone_mode", True):
            return run(*args, standalone_mode=False, **options)
        try:
            code = run(*args, standalone_mode=False, **options)
            sys.exit(code if isinstance(code, int) else 0)
        except click.exceptions.NoArgsIsHelpError as error:
            show(error.format_message())
            sys.exit(0)
        except click.UsageError as error:
            if error.ctx is not None:
                say(f"{error.ctx.get_usage()}\nTry '{error.ctx.command_path} --help' for help.\n")
            say(f"error: {error.format_message()}")
            sys.exit(2)
        except click.ClickException as error:
            say(f"error: {error.format_message()}")
            sys.exit(error.exit_code)
        except click.Abort as error:
            interrupted = isinstance(error.__cause__, KeyboardInterrupt)
            say("" if interrupted else "error: nothing was done")
            sys.exit(130 if interrupted else 1)

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


def _commands_of_kinds() -> dict[str, str]:
    from emulator.kinds.registry import commands

    return commands()


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
