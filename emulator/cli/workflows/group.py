"""The commands of `groundfog workflows` by name, and the handling of interrupts."""

from __future__ import annotations

import sys

import click

from emulator.cli.lazy import LazyGroup

_HERE = "emulator.cli.workflows"
_INTERRUPTED = 130  # the exit code in a shell for a program that SIGINT ended


class _Workflows(LazyGroup):
    """Ends quietly when interrupted; escapes characters that the terminal's encoding lacks."""

    def invoke(self, ctx: click.Context) -> object:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(_INTERRUPTED)


@click.group(
    cls=_Workflows,
    modules={
        "list": f"{_HERE}.commands.lists:list_workflows",
        "describe": f"{_HERE}.commands.lists:describe_workflow",
        "trigger": f"{_HERE}.commands.trigger:trigger",
        "delete": f"{_HERE}.commands.delete:delete_workflow",
        "check": f"{_HERE}.commands.check:check_command",
        "fuzz": f"{_HERE}.commands.fuzz:fuzz",
        "size": f"{_HERE}.commands.prune:size",
        "instances": f"{_HERE}.group:instances",
    },
)
def workflows() -> None:
    """List, trigger and delete workflows and their instances."""


@click.group(
    cls=LazyGroup,
    modules={
        "list": f"{_HERE}.commands.lists:list_instances",
        "describe": f"{_HERE}.commands.describe:describe_instance",
        "pause": f"{_HERE}.commands.change:pause",
        "resume": f"{_HERE}.commands.change:resume",
        "restart": f"{_HERE}.commands.change:restart",
        "terminate": f"{_HERE}.commands.change:terminate",
        "skip": f"{_HERE}.commands.change:skip",
        "send-event": f"{_HERE}.commands.change:send_event",
        "delete": f"{_HERE}.commands.delete:delete_instances",
        "export": f"{_HERE}.commands.export:export_command",
        "fork": f"{_HERE}.commands.fork:fork",
        "diff": f"{_HERE}.commands.fork:diff",
        "prune": f"{_HERE}.commands.prune:prune",
    },
)
def instances() -> None:
    """Watch and control the instances of a workflow."""
