"""Groups of commands: whole help texts with examples, and modules imported only when used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class Group(click.Group):
    """A group whose help has the first sentence of each command, not cut, and examples."""

    group_class = type  # of groups in groups

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        return self.with_examples(ctx, cmd_name, command)

    def with_examples(
        self, ctx: click.Context, name: str, command: click.Command | None
    ) -> click.Command | None:
        """Return a command with its examples; for one that is wrangler's alone, what says so."""
        path = f"{ctx.command_path} {name}".split(" ", 1)[1]
        if command is None:
            from emulator.cli.wrangler_only import stand_in

            return stand_in(path)
        if not command.epilog:
            from emulator.cli.examples import EXAMPLES

            lines = EXAMPLES.get(path, "").strip("\n")
            command.epilog = f"\b\nExamples:\n{lines}" if lines else None
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [
            (name, _first_sentence(command.help or ""))
            for name, command in commands
            if command is not None and not command.hidden
        ]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def _first_sentence(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split()).rstrip(".")


class LazyGroup(Group):
    """Commands by name, each as `"module:attribute"`, imported only when it is used."""

    def __init__(self, *args: Any, modules: Mapping[str, str], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self.with_examples(ctx, cmd_name, load_command(self._modules.get(cmd_name)))


def load_command(path: str | None) -> click.Command | None:
    """Return the command that `"module:attribute"` names, its module imported now."""
    if path is None:
        return None
    module, _, attribute = path.partition(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    return command
