"""Journal entries as lines for the terminal: what the workflows do."""

from __future__ import annotations

import functools
from collections.abc import Callable

from emulator.durations import format_duration
from emulator.engine.decide.retries import ROLLBACK_MISSING
from emulator.engine.journal.journal import Journal
from emulator.engine.model.entries import Entry, data_of
from emulator.engine.model.failure import ErrorInfo, Failure, TracedFailure
from emulator.engine.model.instance_entries import (
    Queued,
    RestartPoint,
    Resumption,
    RollbackEnd,
    RollbackStart,
)
from emulator.engine.model.kinds import EntryKind
from emulator.engine.model.step_entries import (
    AttemptFailure,
    Interruption,
    Renaming,
    RetryDelay,
    SleepStart,
    WaitStart,
)
from emulator.engine.model.step_key import StepKey
from emulator.engine.views.report import CUT_OFF_BY
from emulator.words import counted

NAMES_MAX = 10_000
_UNSHOWN = frozenset({EntryKind.STEP_START, EntryKind.ATTEMPT_START, EntryKind.ATTEMPT_SUCCESS})
MESSAGE_MAX = 300  # characters of an error; status() has all of it


class ProgressLines:
    """Shows committed entries through `show_line`, each with its workflow and instance."""

    def __init__(self, journal: Journal, show_line: Callable[[str], None]) -> None:
        self._journal = journal
        self._show_line = show_line
        self._names: dict[int, str] = {}

    def show(self, entries: list[Entry]) -> None:
        """Show the entries that deserve a line, in order."""
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
    """Return in words what happened, or None if the entry deserves no line.

    `ATTEMPT_FAILURE {"error": …, "retryDelayMs": 10000}` of step `do:1:charge`, attempt 1 ->
    `"charge failed (attempt 1): ValueError: no; again in 10 seconds"`.
    """
    if not entry.step:
        return _OF_INSTANCE.get(entry.kind) or _describe_instance(entry)
    step = _step_name(entry.step)
    if entry.kind in _OF_STEP:
        return f"{step}{_OF_STEP[entry.kind]}"
    return _describe_step(entry, step) or _describe_rollback(entry, step)


_OF_INSTANCE = {
    EntryKind.WORKFLOW_SUCCESS: "complete",
    EntryKind.WORKFLOW_TERMINATED: "terminated",
    EntryKind.WORKFLOW_PAUSED: "paused",
}
_OF_STEP = {  # after the name of the step
    EntryKind.STEP_SUCCESS: " done",
    EntryKind.ROLLBACK_STEP_SUCCESS: " rolled back",
    EntryKind.TIMER_SKIPPED: ": not waited for any longer",
    EntryKind.SLEEP_COMPLETE: ": awake",
    EntryKind.WAIT_COMPLETE: ": event received",
    EntryKind.WAIT_TIMED_OUT: ": no event came",
}


def _describe_instance(entry: Entry) -> str | None:
    match entry.kind:
        case EntryKind.WORKFLOW_QUEUED:
            return "restarted" if data_of(entry, Queued).restarted else "created"
        case EntryKind.WORKFLOW_RESTARTED:
            start = data_of(entry, RestartPoint)
            return f"restarted from {start.name} #{start.count}"
        case EntryKind.WORKFLOW_FAILURE:
            return f"errored: {_shown(data_of(entry, TracedFailure).error)}"
        case EntryKind.WORKFLOW_RESUMED:
            fits = data_of(entry, Resumption).fits is not None
            return "the code fits again; it goes on" if fits else "resumed"
        case EntryKind.ROLLBACK_START:
            return f"rolling back {counted(data_of(entry, RollbackStart).steps, 'step')}"
        case EntryKind.ROLLBACK_FAILED:
            end = data_of(entry, RollbackEnd)
            why = "" if end.error is None else f": {_shown(end.error)}"
            return f"rollback failed, {end.completed} of {end.steps} done{why}"
        case _:
            return None


def _describe_step(entry: Entry, step: str) -> str | None:
    match entry.kind:
        case EntryKind.STEP_RENAMED:
            return f"{_step_name(data_of(entry, Renaming).old)} is now {step}"
        case EntryKind.ATTEMPT_FAILURE:
            return f"{step} failed (attempt {entry.attempt}): {_failure(entry)}"
        case EntryKind.RETRY_DELAYED:
            delay_ms = data_of(entry, RetryDelay).retry_delay_ms
            return f"{step}: again in {format_duration(delay_ms)}"
        case EntryKind.ATTEMPT_INTERRUPTED:
            reason = data_of(entry, Interruption).reason
            by = CUT_OFF_BY.get(reason, reason)
            return f"{step} was cut off by {by}, which costs it no retry"
        case EntryKind.SLEEP_START:
            return f"{step}: sleeping {format_duration(data_of(entry, SleepStart).duration_ms)}"
        case EntryKind.WAIT_START:
            wait = data_of(entry, WaitStart)
            timeout = format_duration(wait.timeout_ms)
            return f'{step}: waiting for "{wait.event}" (at most {timeout})'
        case _:
            return None


def _describe_rollback(entry: Entry, step: str) -> str | None:
    match entry.kind:
        case EntryKind.ROLLBACK_ATTEMPT_FAILURE:
            return f"rollback of {step} failed (attempt {entry.attempt}): {_failure(entry)}"
        case EntryKind.ROLLBACK_STEP_FAILURE:
            if data_of(entry, Failure).error.name != ROLLBACK_MISSING:
                return None
            return (
                f"{step} cannot be rolled back: run() has not given its handler again, which is no"
                " longer in the code or was given inside another step"
            )
        case _:
            return None


@functools.lru_cache(maxsize=1024)  # all instances of a workflow have the same few keys
def _step_name(key: str) -> str:
    """Return the name of a step, quoted where nothing would be seen of it."""
    name = StepKey.of(key).name
    return name if name.strip() else f'"{name}"'


def _failure(entry: Entry) -> str:
    failure = data_of(entry, AttemptFailure)
    shown = _shown(failure.error)
    if failure.retry_delay_ms is None:
        return shown
    return f"{shown}; again in {format_duration(failure.retry_delay_ms)}"


def _shown(error: ErrorInfo) -> str:
    first, _, rest = f"{error.name}: {error.message}".partition("\n")
    if len(first) <= MESSAGE_MAX and not rest:
        return first
    return f"{first[:MESSAGE_MAX]} …"
