"""Journal entries as lines for the terminal: they show what workflows do."""

from __future__ import annotations

import functools
from typing import Protocol

from emulator.cli.long_attempts import RunningAttempts
from emulator.cli.names import InstanceName, named_error
from emulator.cli.workflows.drawing.spans import span
from emulator.durations import format_duration
from emulator.engine.decide.retries import ROLLBACK_MISSING
from emulator.engine.journal.journal import Journal
from emulator.engine.model.entries import Entry, data_of, origin_of
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.failure import ErrorInfo, Failure, TracedFailure
from emulator.engine.model.instance_entries import (
    Queued,
    RestartPoint,
    Resumption,
    RollbackEnd,
    RollbackStart,
)
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
MESSAGE_MAX = 300  # characters of an error; status() has all of it


# What an entry means for attempts in progress. Plain numbers: members of an Enum cost more.
_QUIET, _BEGINS, _DONE, _ENDS, _OVER = range(5)
_ROLES = {
    EntryKind.STEP_START: _QUIET,
    EntryKind.ATTEMPT_SUCCESS: _QUIET,
    EntryKind.ATTEMPT_START: _BEGINS,
    EntryKind.ROLLBACK_ATTEMPT_START: _BEGINS,
    EntryKind.STEP_SUCCESS: _DONE,
    EntryKind.ATTEMPT_FAILURE: _ENDS,
    EntryKind.ATTEMPT_INTERRUPTED: _ENDS,
    EntryKind.ROLLBACK_STEP_SUCCESS: _ENDS,
    EntryKind.ROLLBACK_ATTEMPT_FAILURE: _ENDS,
    EntryKind.WORKFLOW_SUCCESS: _OVER,
    EntryKind.WORKFLOW_FAILURE: _OVER,
    EntryKind.WORKFLOW_TERMINATED: _OVER,
    EntryKind.WORKFLOW_QUEUED: _OVER,
    EntryKind.WORKFLOW_RESTARTED: _OVER,
}


class Shows(Protocol):
    """A terminal that shows what workflows do."""

    def progress(
        self, of: InstanceName, text: str, entry: Entry, took_ms: int | None = None
    ) -> None: ...


class ProgressLines:
    """Shows committed entries with their workflow and instance. whole: also beginnings."""

    def __init__(self, journal: Journal, terminal: Shows, *, whole: bool = False) -> None:
        self._journal = journal
        self._terminal = terminal
        self._whole = whole
        self._names: dict[int, InstanceName] = {}
        self._running = RunningAttempts(self._announce)

    def show(self, entries: list[Entry]) -> None:
        """Show the entries that deserve a line, in order."""
        for entry in entries:
            role = _ROLES.get(entry.kind)
            took_ms = None
            if role is _QUIET or role is _BEGINS:
                if role is _BEGINS:
                    self._running.began(entry)
                text = _beginning(entry) if self._whole else None
            elif role is _DONE:  # most lines are of this kind
                took_ms = self._running.ended(entry)
                text = _done(entry.step, took_ms)
            else:
                if role is _ENDS:
                    took_ms = self._running.ended(entry)
                elif role is _OVER:
                    self._running.forget(entry.instance)
                text = describe(entry, took_ms)
            if text is not None:
                self._terminal.progress(self._name(entry.instance), text, entry, took_ms)

    def _announce(self, entry: Entry) -> None:
        text = f"{_step_name(entry.step)} is running"
        text += f" (attempt {entry.attempt})" if entry.attempt > 1 else ""
        self._terminal.progress(self._name(entry.instance), text, entry)

    def _name(self, key: int) -> InstanceName:
        name = self._names.get(key)
        if name is None:
            name = InstanceName.of(*(self._journal.name_of(key) or ("?", str(key))))
            if len(self._names) >= NAMES_MAX:
                self._names.clear()
            self._names[key] = name
        return name


def describe(entry: Entry, took_ms: int | None = None) -> str | None:
    """Return in words what happened, or None if the entry deserves no line.

    `ATTEMPT_FAILURE {"error": …, "retryDelayMs": 10000}` of step `do:1:charge`, attempt 1 ->
    `"charge failed (attempt 1, 12 ms): ValueError: no; again in 10 seconds"`.
    """
    if not entry.step:
        return _OF_INSTANCE.get(entry.kind) or _describe_instance(entry)
    step = _step_name(entry.step)
    if entry.kind is EntryKind.STEP_SUCCESS:
        return _done(entry.step, took_ms)
    if entry.kind in _OF_STEP:
        took = "" if took_ms is None else f" ({span(took_ms)})"
        return f"{step}{_OF_STEP[entry.kind]}{took}"
    took = "" if took_ms is None else f", {span(took_ms)}"
    return _describe_step(entry, step, took) or _describe_rollback(entry, step, took)


@functools.lru_cache(maxsize=1024)  # the same few steps take the same few milliseconds
def _done(key: str, took_ms: int | None) -> str:
    took = "" if took_ms is None else f" ({span(took_ms)})"
    return f"{_step_name(key)} done{took}"


def _beginning(entry: Entry) -> str | None:
    step = _step_name(entry.step)
    if entry.kind is EntryKind.STEP_START:
        line = origin_of(entry).line
        return f"{step} begins" + (f" ({line})" if line else "")
    if entry.kind is EntryKind.ATTEMPT_START and entry.attempt > 1:
        return f"{step} begins again (attempt {entry.attempt})"
    return None


_OF_INSTANCE = {
    EntryKind.WORKFLOW_SUCCESS: "complete",
    EntryKind.WORKFLOW_TERMINATED: "terminated",
    EntryKind.WORKFLOW_PAUSED: "paused",
}
_OF_STEP = {  # after the name of the step
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


def _describe_step(entry: Entry, step: str, took: str) -> str | None:
    match entry.kind:
        case EntryKind.STEP_RENAMED:
            return f"{_step_name(data_of(entry, Renaming).old)} is now {step}"
        case EntryKind.ATTEMPT_FAILURE:
            return f"{step} failed (attempt {entry.attempt}{took}): {_failure(entry)}"
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


def _describe_rollback(entry: Entry, step: str, took: str) -> str | None:
    match entry.kind:
        case EntryKind.ROLLBACK_ATTEMPT_FAILURE:
            text = f"rollback of {step} failed (attempt {entry.attempt}{took})"
            return f"{text}: {_failure(entry)}"
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
    """Return the name of a step, in quotes if it would be invisible."""
    name = StepKey.of(key).name
    return name if name.strip() else f'"{name}"'


def _failure(entry: Entry) -> str:
    failure = data_of(entry, AttemptFailure)
    shown = _shown(failure.error)
    if failure.retry_delay_ms is None:
        return shown
    return f"{shown}; again in {format_duration(failure.retry_delay_ms)}"


def _shown(error: ErrorInfo) -> str:
    first, _, rest = named_error(error.name, error.message).partition("\n")
    if len(first) <= MESSAGE_MAX and not rest:
        return first
    return f"{first[:MESSAGE_MAX]} …"
