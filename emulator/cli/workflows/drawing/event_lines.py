"""Log events of an instance -> lines for a person: when, which step, what happened. Pure.

They are the events of the REST API's `subscribe`, with Groundfog's own additions (docs/rest.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from emulator.answers.workflows import LogEventDetail
from emulator.cli.cells import columns, pad, printable, wrap
from emulator.cli.ink import Colour, Ink
from emulator.cli.workflows.drawing.marks import mark
from emulator.cli.workflows.drawing.spans import span
from emulator.cli.workflows.drawing.steps import error_text
from emulator.cli.workflows.drawing.tracebacks import raised_at

_NAME = 22
_MISFIT = "its code does not fit what was done"
_INDENT = 12 + 2 + 9 + 2  # columns of the time and the offset
_TEXT_MIN = 20

# The text of each status event, and the status whose sign it has.
_STATUS = {
    "workflow_queued": ("queued", "queued"),
    "workflow_running": ("running", "running"),
    "workflow_waiting": ("waiting", "waiting"),
    "workflow_paused": ("paused", "paused"),
    "workflow_waiting_for_pause": ("pauses once its attempts in flight have ended", "paused"),
    "workflow_started": ("started", "running"),
    "workflow_completed": ("complete", "complete"),
    "workflow_errored": ("errored", "errored"),
    "workflow_terminated": ("terminated", "terminated"),
    "rollback_started": ("rolling back", "rollingBack"),
    "rollback_completed": ("rolled back", "complete"),
    "rollback_errored": ("rollback failed", "errored"),
    "local_event_received": ("event received", "running"),
    "local_code_changed": ("goes on with other code", "running"),
    "local_workflow_diverged": (f"goes on, although {_MISFIT}", "errored"),
}
# The events of a step; those of rollback steps have the same names.
_STEP = {
    "step_started": ("begins", "running"),
    "step_completed": ("done", "complete"),
    "step_errored": ("failed", "errored"),
    "attempt_started": ("attempt {attempt} begins", "running"),
    "attempt_completed": ("attempt {attempt} succeeded", "complete"),
    "attempt_errored": ("attempt {attempt} failed", "errored"),
    "sleep_started": ("sleeps", "waiting"),
    "sleep_completed": ("awake", "complete"),
    "wait_started": ("waits", "waiting"),
    "wait_completed": ("event received", "complete"),
    "wait_timed_out": ("no event came in time", "errored"),
    "local_timer_skipped": ("skipped", "waiting"),
    "local_retry_delayed": ("its delay function has answered", "waiting"),
    "local_step_renamed": ("renamed", "running"),
    "local_step_found": ("asked for again", "running"),
}


def event_lines(event: LogEventDetail, zero_ms: int, width: int, ink: Ink) -> Iterator[str]:
    """Yield the lines for an event; its offset counts from `zero_ms`. Some events need no line.

    The first attempt begins with its step, and a step ends with its last attempt.
    """
    kind = event["type"]
    if kind.endswith("attempt_completed") or (
        kind.endswith("attempt_started") and event["attempt"] == 1
    ):
        return
    sign, colour, text = _told(event)
    at_ms = event["timestamp"]
    when = datetime.fromtimestamp(at_ms / 1000).strftime("%H:%M:%S.%f")[:-3]
    head = ink(Colour.DIM, f"{when}  {f'+{span(at_ms - zero_ms)}':>9}")
    name = f"{pad(printable(_name(event)), _NAME)}  " if "stepName" in event else ""
    room = max(width - _INDENT - 2 - columns(name), _TEXT_MIN)
    texts = [part for line in text.splitlines() for part in wrap(printable(line), room)]
    behind = printable(str(event.get("local", {}).get("line", ""))) if "_started" in kind else ""
    if len(texts) == 1 and columns(texts[0]) + 2 + columns(behind) <= room and behind:
        texts[0] += "  " + ink(Colour.DIM, behind)
    yield f"{head}  {ink(colour, sign)} {name}{texts[0]}"
    for more in texts[1:]:
        yield " " * (_INDENT + 2 + columns(name)) + more


def _told(event: LogEventDetail) -> tuple[str, Colour, str]:
    """Return the sign of an event, its colour, and what it says."""
    kind = event["type"]
    undoing = "stepName" in event and kind.startswith("rollback_")
    known = _STEP.get(kind.removeprefix("rollback_")) if "stepName" in event else _STATUS.get(kind)
    said, status = known or (kind.removeprefix("local_").replace("_", " "), "queued")
    text = ("rollback: " if undoing else "") + said.format(attempt=event.get("attempt", ""))
    return *mark(status), text + _details(event)


def _details(event: LogEventDetail) -> str:
    """Return the details of an event, apart from its type."""
    text = ""
    if "eventType" in event:
        text += (
            f' for "{event["eventType"]}"'
            if event["type"] == "wait_started"
            else (f': "{event["eventType"]}"')
        )
    if event["type"] == "sleep_started":
        text += f" for {span(event['durationMs'])}"
    if "error" in event:
        text += f": {error_text(event['error'])}"
    if event.get("retryDelayMs") is not None:
        text += f"; again in {span(event['retryDelayMs'])}" if event["retryDelayMs"] else ""
    if "oldName" in event:
        text += f" from {event['oldName']}"
    if event["type"] == "workflow_paused" and "action" in event.get("local", {}):
        text += f": {_MISFIT}"
    if raised := raised_at(event.get("local", {}).get("traceback", "")):
        text += f"\n{raised}"
    took_ms = event.get("local", {}).get("durationMs")
    if took_ms is not None and event["type"].endswith("_completed"):
        waited = event["type"] in ("sleep_completed", "wait_completed")
        text += f" {'after' if waited else 'in'} {span(took_ms)}"
    return text


def _name(event: LogEventDetail) -> str:
    """Return `"charge"` for `"charge-1"`, `"charge #2"` for `"charge-2"`."""
    base, _, count = str(event["stepName"]).rpartition("-")
    return base if count == "1" else f"{base} #{count}"
