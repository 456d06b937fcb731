"""`describe --follow`: prints the event log of an instance as it happens."""

from __future__ import annotations

import sys
import time

from emulator.answers.workflows import LogEventDetail
from emulator.cli.ink import Ink
from emulator.cli.output import say, show_drawn, show_json, size_of
from emulator.cli.workflows.api import Api, Unreachable
from emulator.cli.workflows.drawing.event_lines import event_lines
from emulator.cli.workflows.naming import explained

_LAST = frozenset({"workflow_completed", "workflow_errored", "workflow_terminated"})
_GONE_S = 30.0  # how long a server may be away
_LOOK_S = 0.2


def follow(api: Api, workflow: str, instance: str, as_json: bool) -> None:
    """Print every event until the instance ends; as JSON, one event on each line.

    If the server restarts in between, it is found again, and no event is printed twice. Raises
    UsageError when the instance does not exist, Unreachable when the server stays away.
    """
    printer = _Printer(as_json)
    while not printer.ended:
        try:
            with explained(api, workflow, instance):
                for event in api.events(workflow, instance, printer.last_id):
                    printer.show(event)
        except Unreachable:
            if printer.gone_for_long():
                raise
        if printer.ended:
            return
        if not api.live:
            say("No server is running, so this is all that has happened.")
            return
        time.sleep(_LOOK_S)
        api.find_again()


class _Printer:
    """Prints events, and remembers the last one when a connection ends."""

    def __init__(self, as_json: bool) -> None:
        self.last_id = 0
        self.ended = False
        self._as_json = as_json
        self._zero_ms: int | None = None
        self._ink = Ink.on(sys.stdout)
        self._gone_since: float | None = None

    def show(self, event: LogEventDetail) -> None:
        self._gone_since = None
        self.last_id = event["eventId"]
        self.ended = event["type"] in _LAST
        if self._as_json:
            show_json(event, indent=None)
        else:
            if self._zero_ms is None:
                self._zero_ms = event["timestamp"]
            width = size_of(sys.stdout).columns
            for line in event_lines(event, self._zero_ms, width, self._ink):
                show_drawn(line)
        sys.stdout.flush()

    def gone_for_long(self) -> bool:
        """Whether the server has been away for too long; the first time, it prints a message."""
        if self._gone_since is None:
            self._gone_since = time.monotonic()
            say("The server does not answer. Waiting for it to come back.")
        return time.monotonic() - self._gone_since > _GONE_S
