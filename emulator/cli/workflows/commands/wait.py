"""`--wait`: waits until an instance has ended, with its progress on standard error.

It asks for the instance again and again, less often when an answer takes long. If the server
restarts in between, it is found again: the instance goes on, and so does the wait.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import click

from emulator.answers.workflows import InstanceDetail
from emulator.cli.output import show_json
from emulator.cli.workflows.api import Api, Unreachable
from emulator.cli.workflows.commands.describe import instance_detail
from emulator.cli.workflows.drawing.marks import ENDED
from emulator.cli.workflows.drawing.progress import LiveProgress, PlainProgress, Progress
from emulator.cli.workflows.options import Target
from emulator.errors import UsageError

_FIRST_PAUSE_S = 0.02
_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 2.0
_SHARE = 10  # a long history costs much time: at most a tenth of the time is spent on it
_GONE_S = 30.0  # how long a server may be away
_NOT_COMPLETE = 1  # exit code


def wait_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the option --wait as `wait`."""
    text = "Wait until the instance has ended; print its output. Exit code 1 if it is not complete."
    return click.option("--wait", is_flag=True, help=text)(command)


def refuse_to_wait(api: Api) -> None:
    """Raise UsageError when no server runs that would execute the instance."""
    if not api.live:
        raise UsageError(
            "--wait needs a running server, and no server runs this project.\n"
            "  Start one with `groundfog dev`; nothing was changed."
        )


def wait_for_end(
    target: Target, api: Api, workflow: str, instance: str, wanted: str = "complete"
) -> None:
    """Wait; then print the output, or all details as JSON.

    Ends the process with exit code 1 when the instance did not end with the status `wanted`.
    """
    with _progress(workflow, instance) as progress:
        detail = _ended(api, workflow, instance, progress)
    if target.as_json:
        show_json({"id": instance, **detail})
    elif detail["status"] == "complete":
        show_json(detail["output"])
    if detail["status"] != wanted:
        sys.exit(_NOT_COMPLETE)


def _progress(workflow: str, instance: str) -> Progress:
    kind = LiveProgress if sys.stderr.isatty() else PlainProgress
    return kind(workflow, instance)


def _ended(api: Api, workflow: str, instance: str, progress: Progress) -> InstanceDetail:
    pause_s = _FIRST_PAUSE_S
    while True:
        began = time.monotonic()
        detail, now_ms = _detail(api, workflow, instance, progress)
        progress.update(detail, now_ms)
        if detail["status"] in ENDED:
            return detail
        took_s = time.monotonic() - began
        time.sleep(max(pause_s, min(_SHARE * took_s, _LONGEST_PAUSE_S)))
        pause_s = min(pause_s * 2, _PAUSE_S)


def _detail(
    api: Api, workflow: str, instance: str, progress: Progress
) -> tuple[InstanceDetail, int]:
    """Ask for the instance; if the server restarts, wait for it."""
    gone_since: float | None = None
    while True:
        try:
            return instance_detail(api, workflow, instance)
        except Unreachable:
            if gone_since is None:
                gone_since = time.monotonic()
                progress.note("The server does not answer. Waiting for it to come back.")
            if time.monotonic() - gone_since > _GONE_S:
                progress.note(
                    "It did not. The instance continues at the next start of `groundfog dev`."
                )
                raise
            time.sleep(_PAUSE_S)
            api.find_again()
