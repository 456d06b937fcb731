"""Journal entries as lines for the person at the terminal: what the workflows are doing."""

from __future__ import annotations

from collections.abc import Callable

from emulator.durations import format_duration
from emulator.engine.decide.retries import ROLLBACK_MISSING
from emulator.engine.journal.journal import Journal
from emulator.engine.model.instance import Entry, EntryKind
from emulator.engine.views.report import CUT_OFF_BY
from emulator.words import counted

NAMES_MAX = 10_000
_UNSHOWN = frozenset({EntryKind.STEP_START, EntryKind.ATTEMPT_START, EntryKind.ATTEMPT_SUCCESS})
MESSAGE_MAX = 300  # characters of an error; status() has the rest


class ProgressLines:
    """Shows committed entries through `show_line`, each with its workflow and instance."""

    def __init__(self, journal: Journal, show_line: Callable[[str], None]) -> None:
        self._journal = journal
        self._show_line = show_line
        self._names: dict[int, str] = {}

    def show(self, entries: list[Entry]) -> None:
        """Show what is worth a line, in order."""
        for entry in entries:
            text = None if entry.kind in _UNSHOWN else describe(entry)
            if text is not None:
                self._show_line(f"{self._name(entry.instance)}: {text}")

    def _name(self, key: int) -> str:
        name = self._names.get(key)
        if name is None:
            row = self._journal.row(key)
            name = f"{row.workflow} {row.id}" if row else f"instance {key}"
            if len(self._names) >= NAMES_MAX:
                self._names.clear()
            self._names[key] = name
        return name


def describe(entry: Entry) -> str | None:
    """Return what happened in words, or None for what is not worth a line.

    `ATTEMPT_FAILURE {"error": …, "retryDelayMs": 10000}` of step `do:1:charge`, attempt 1 ->
    `"charge failed (attempt 1): ValueError: no; again in 10 seconds"`.
    """
    data = entry.data or {}
    step = entry.step.split(":", 2)[2] if entry.step else ""
    if entry.kind is EntryKind.STEP_SUCCESS:  # most of what there is to tell
        return f"{step} done"
    match entry.kind:
        case EntryKind.WORKFLOW_QUEUED:
            return "restarted" if data.get("restarted") else "created"
        case EntryKind.WORKFLOW_RESTARTED:
            start = data["from"]
            return f"restarted from {start['name']} #{start['count']}"
        case EntryKind.WORKFLOW_SUCCESS:
            return "complete"
        case EntryKind.WORKFLOW_FAILURE:
            return f"errored: {_error(data)}"
        case EntryKind.WORKFLOW_TERMINATED:
            return "terminated"
        case EntryKind.WORKFLOW_PAUSED:
            return "paused"
        case EntryKind.WORKFLOW_RESUMED:
            if "fits" in data:
                return "the code fits again; it goes on"
            return "resumed"
        case EntryKind.STEP_RENAMED:
            return f"{data['from'].split(':', 2)[2]} is now {step}"
        case EntryKind.ATTEMPT_FAILURE:
            delay_ms = data.get("retryDelayMs")
            again = "" if delay_ms is None else f"; again in {format_duration(delay_ms)}"
            return f"{step} failed (attempt {entry.attempt}): {_error(data)}{again}"
        case EntryKind.RETRY_DELAYED:
            return f"{step}: again in {format_duration(data['retryDelayMs'])}"
        case EntryKind.ROLLBACK_START:
            count = data["totalSteps"]
            return f"rolling back {counted(count, 'step')}"
        case EntryKind.ROLLBACK_STEP_SUCCESS:
            return f"{step} rolled back"
        case EntryKind.ROLLBACK_ATTEMPT_FAILURE:
            delay_ms = data.get("retryDelayMs")
            again = "" if delay_ms is None else f"; again in {format_duration(delay_ms)}"
            return f"rollback of {step} failed (attempt {entry.attempt}): {_error(data)}{again}"
        case EntryKind.ROLLBACK_STEP_FAILURE if data["error"]["name"] == ROLLBACK_MISSING:
            return (
                f"{step} cannot be rolled back: run() has not given its handler again, which is no"
                " longer in the code or was given inside another step"
            )
        case EntryKind.ROLLBACK_FAILED:
            done, count = data["completedSteps"], data["totalSteps"]
            return f"rollback failed, {done} of {count} done: {_error(data)}"
        case EntryKind.ATTEMPT_INTERRUPTED:
            by = CUT_OFF_BY.get(data["reason"], data["reason"])
            return f"{step} was cut off by {by}, which costs it no retry"
        case EntryKind.SLEEP_START:
            return f"{step}: sleeping {format_duration(data['durationMs'])}"
        case EntryKind.TIMER_SKIPPED:
            return f"{step}: not waited for any longer"
        case EntryKind.SLEEP_COMPLETE:
            return f"{step}: awake"
        case EntryKind.WAIT_START:
            timeout = format_duration(data["timeoutMs"])
            return f'{step}: waiting for "{data["event"]}" (at most {timeout})'
        case EntryKind.WAIT_COMPLETE:
            return f"{step}: event received"
        case EntryKind.WAIT_TIMED_OUT:
            return f"{step}: no event came"
        case _:
            return None


def _error(data: dict[str, object]) -> str:
    error = data["error"]
    assert isinstance(error, dict)
    first, _, rest = f"{error['name']}: {error['message']}".partition("\n")
    if len(first) <= MESSAGE_MAX and not rest:
        return first
    return f"{first[:MESSAGE_MAX]} …"
