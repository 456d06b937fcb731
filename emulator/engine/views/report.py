"""Entries -> the details of an instance in REST, and single steps. Pure.

Source: docs/platform/workflows-rest.md, "An instance over REST".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from emulator.answers.workflows import (
    ErrorDetail,
    InstanceDetail,
    RollbackDetail,
    ScheduleDetail,
    StepDetail,
    StepResult,
)
from emulator.engine.model.entries import Entry, data_of, origin_of
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.failure import ErrorInfo, Failure, TracedFailure
from emulator.engine.model.instance import TERMINAL, Instance, Status
from emulator.engine.model.instance_entries import Queued, RollbackEnd, RollbackStart, Termination
from emulator.engine.model.plain import REDACTED, iso, plain
from emulator.engine.model.renamed import with_current_names
from emulator.engine.model.step import BLOCKED
from emulator.engine.model.step_entries import (
    AttemptFailure,
    Interruption,
    StepConfig,
    StepStart,
    WaitStart,
)
from emulator.engine.model.step_key import StepKey, StepKind, step_key
from emulator.engine.views.tracebacks import Tracebacks
from emulator.json_types import Json

_INTERRUPTED = "WorkflowInternalError"
_REST_TYPES = {kind: kind.value for kind in StepKind} | {StepKind.DO: "step"}


def instance_detail(
    entries: Iterable[Entry],
    status: Status,
    version_id: str,
    show_output: Callable[[Json], Json] = lambda output: output,
) -> InstanceDetail:
    """Return the details of an instance for REST, with steps in the order they first began.

    show_output: changes each step's output, which REST may shorten.
    Steps also have `line`, our own: their place in the code.
    """
    history = _History(show_output)
    for _, entry in with_current_names(enumerate(entries)):
        history.add(entry)
    detail: InstanceDetail = {
        "status": status.value,
        "params": history.params,
        "trigger": {"source": history.trigger},
        "versionId": version_id,
        "queued": history.queued,
        "start": history.start,
        "end": history.end,
        "success": _success(status),
        "error": history.error,
        "rollback": history.rollback,
        "output": history.output,
        "step_count": sum(step["type"] != "rollback" for step in history.steps.values()),
        "steps": [*history.steps.values(), *history.terminations],
    }
    if history.schedule is not None:
        detail["schedule"] = history.schedule
    if traceback := history.tracebacks.of_instance():
        detail["traceback"] = traceback
    return detail


def tell_due_times(detail: InstanceDetail, instance: Instance) -> None:
    """Add `due` to the waiting steps: when a sleep, event wait or retry delay ends.

    It is our own addition. Steps that do not wait have none.
    """
    due = {
        (_REST_TYPES[step.kind], step.label): iso(step.due_ms)
        for step in instance.steps.values()
        if step.state in BLOCKED and step.due_ms is not None
    }
    for step in detail["steps"]:
        if (step["type"], step.get("name")) in due:
            step["due"] = due[step["type"], step["name"]]


def step_detail(
    entries: Iterable[Entry],
    status: Status,
    label: str,
    kind: StepKind,
    attempt: int | None = None,
) -> StepResult | None:
    """Return one step with its whole output: `{"status", "error", "output", "event_type"?}`.

    label: its name and count, `"charge-1"`. attempt: return this attempt instead of the step.
    Returns None if the step or the attempt does not exist.
    """
    name, _, count = label.rpartition("-")
    sought = step_key(kind, name, count)
    history = _History(lambda output: output)
    for _, entry in with_current_names(enumerate(entries)):
        if entry.step == sought:
            history.add(entry)
    if not history.steps:
        return None
    ((key, step),) = history.steps.items()
    if kind is StepKind.WAIT:
        return {
            "status": _step_status(step["finished"], step["error"], "waiting", status),
            "error": step["error"],
            "output": step["output"],
            "event_type": step["event_type"],
        }
    error = history.step_errors.get(key)
    if attempt is None:
        waits = not step["attempts"] or step["attempts"][-1]["end"] is not None
        unfinished = "waiting" if waits else "running"
        stands = _step_status(step["success"] is not None, error, unfinished, status)
        return {"status": stands, "error": error, "output": step.get("output")}
    if not 0 < attempt <= len(step["attempts"]):
        return None
    told = step["attempts"][attempt - 1]
    stands = _step_status(told["success"] is not None, told["error"], "running", status)
    output = step.get("output") if told["success"] else None
    return {"status": stands, "error": told["error"], "output": output}


CUT_OFF_BY = {  # recorded reason -> what cut the attempt off, in words
    "reload": "a reload",
    "restart": "a restart",
    "loss": "the end of the worker it ran in",
}


def interruption(data: Interruption) -> ErrorDetail:
    """Return the error of an attempt that was cut off."""
    text = f"The attempt was cut off by {CUT_OFF_BY.get(data.reason, data.reason)}"
    return {"name": _INTERRUPTED, "message": text}


def _success(status: Status) -> bool | None:
    return status is Status.COMPLETE if status in TERMINAL else None


def _step_status(
    finished: bool, error: ErrorDetail | None, unfinished: str, instance: Status
) -> str:
    """Return the status of a step; an unfinished step of an ended instance has its status."""
    if finished:
        return Status.ERRORED.value if error else Status.COMPLETE.value
    return instance.value if instance in TERMINAL else unfinished


class _History:
    """Makes records of steps for REST from entries."""

    def __init__(self, show_output: Callable[[Json], Json]) -> None:
        self._show_output = show_output
        self.params: Json = None
        self.trigger = "unknown"
        self.schedule: ScheduleDetail | None = None
        self.queued: str | None = None
        self.start: str | None = None
        self.end: str | None = None
        self.error: ErrorDetail | None = None
        self.rollback: RollbackDetail | None = None
        self.output: Json = None
        self.steps: dict[str, StepDetail] = {}
        self.step_errors: dict[str, ErrorDetail] = {}
        self.terminations: list[StepDetail] = []
        self.tracebacks = Tracebacks()

    def add(self, entry: Entry) -> None:
        match entry.kind:
            case EntryKind.WORKFLOW_QUEUED:
                queued = data_of(entry, Queued)
                self.queued = iso(entry.at_ms)
                self.params = plain(entry.value)
                self.trigger = queued.source or "unknown"
                if queued.schedule is not None:
                    self.schedule = {
                        "cron": queued.schedule.cron,
                        "scheduledTime": queued.schedule.scheduled_ms,
                    }
            case EntryKind.WORKFLOW_START:
                self.start = self.start or iso(entry.at_ms)
            case EntryKind.WORKFLOW_SUCCESS:
                self.end = iso(entry.at_ms)
                self.output = plain(entry.value)
            case EntryKind.WORKFLOW_FAILURE:
                self.end = iso(entry.at_ms)
                failure = data_of(entry, TracedFailure)
                self.error = _error(failure.error)
                self.tracebacks.ended(failure.traceback)
            case EntryKind.ROLLBACK_START:
                self.tracebacks.rolls_back(data_of(entry, RollbackStart).traceback)
            case EntryKind.ROLLBACK_COMPLETE:
                self.rollback = {"outcome": "complete", "error": None}
            case EntryKind.ROLLBACK_FAILED:
                error = data_of(entry, RollbackEnd).error
                self.rollback = {
                    "outcome": "failed",
                    "error": None if error is None else _error(error),
                }
            case EntryKind.WORKFLOW_TERMINATED:
                self.end = iso(entry.at_ms)
                by = data_of(entry, Termination).source
                self.terminations.append({"type": "termination", "trigger": {"source": by}})
            case _ if entry.step:
                self._add_of_step(entry)

    def _add_of_step(self, entry: Entry) -> None:
        match entry.kind:
            case EntryKind.STEP_START:
                start = data_of(entry, StepStart)
                self.steps[entry.step] = _executed(entry, "step", start.config, start.origin.line)
            case EntryKind.ROLLBACK_STEP_START:
                config = data_of(entry, StepConfig)
                self.steps[entry.step] = _executed(entry, "rollback", config)
            case EntryKind.SLEEP_START:
                self.steps[entry.step] = _started(entry, "sleep")
            case EntryKind.WAIT_START:
                step = self.steps[entry.step] = _started(entry, "waitForEvent")
                step["event_type"], step["output"] = data_of(entry, WaitStart).event, None
            case EntryKind.ATTEMPT_START | EntryKind.ROLLBACK_ATTEMPT_START:
                self.steps[entry.step]["attempts"].append(
                    {"start": iso(entry.at_ms), "end": None, "success": None, "error": None}
                )
            case EntryKind.ATTEMPT_SUCCESS | EntryKind.ROLLBACK_ATTEMPT_SUCCESS:
                self._end_attempt(entry, None)
            case EntryKind.ATTEMPT_FAILURE | EntryKind.ROLLBACK_ATTEMPT_FAILURE:
                failure = data_of(entry, AttemptFailure)
                self._end_attempt(entry, _error(failure.error))
                if failure.traceback:
                    self.steps[entry.step]["attempts"][-1]["traceback"] = failure.traceback
                    self.tracebacks.attempt_failed(failure)
            case EntryKind.ATTEMPT_INTERRUPTED:
                self._end_attempt(entry, interruption(data_of(entry, Interruption)))
            case EntryKind.STEP_SUCCESS | EntryKind.ROLLBACK_STEP_SUCCESS:
                step = self.steps[entry.step]
                sensitive = step["config"].get("sensitive") == "output"
                output = REDACTED if sensitive else self._show_output(plain(entry.value))
                step |= {"end": iso(entry.at_ms), "success": True, "output": output}
            case EntryKind.STEP_FAILURE | EntryKind.ROLLBACK_STEP_FAILURE:
                self.steps[entry.step] |= {"end": iso(entry.at_ms), "success": False}
                self.step_errors[entry.step] = _error(data_of(entry, Failure).error)
            case EntryKind.SLEEP_COMPLETE:
                self.steps[entry.step] |= {"end": iso(entry.at_ms), "finished": True}
            case EntryKind.WAIT_COMPLETE:
                output = self._show_output(plain(entry.value))
                self.steps[entry.step] |= {
                    "end": iso(entry.at_ms),
                    "finished": True,
                    "output": output,
                }
            case EntryKind.WAIT_TIMED_OUT:
                self.steps[entry.step] |= {
                    "end": iso(entry.at_ms),
                    "finished": True,
                    "error": _error(data_of(entry, Failure).error),
                }

    def _end_attempt(self, entry: Entry, error: ErrorDetail | None) -> None:
        attempt = self.steps[entry.step]["attempts"][-1]
        attempt |= {"end": iso(entry.at_ms), "success": error is None, "error": error}


def _error(error: ErrorInfo) -> ErrorDetail:
    return {"name": error.name, "message": error.message}


def _executed(entry: Entry, kind: str, config: StepConfig, line: str = "") -> StepDetail:
    return {
        "name": StepKey.of(entry.step).label,
        "type": kind,
        "start": iso(entry.at_ms),
        "end": None,
        "success": None,
        "config": config.config,
        "attempts": [],
        "line": line,
    }


def _started(entry: Entry, kind: str) -> StepDetail:
    return {
        "name": StepKey.of(entry.step).label,
        "type": kind,
        "start": iso(entry.at_ms),
        "end": None,
        "finished": False,
        "error": None,
        "line": origin_of(entry).line,
    }
