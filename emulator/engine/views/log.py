"""The event log: entries -> the events of `subscribe()`. Pure.

An event has the id of its entry: it grows, is never used twice, and serves as a cursor. Facts that
only Groundfog knows (line of code, generation, duration) are in `local`, and events that production
does not log are `local_…` events. Both are shown only on demand.
Source: docs/platform/workflows-rest.md, "The event log" and "Subscriptions".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from msgspec import Struct

from emulator.engine.decide import payloads
from emulator.engine.model.divergence import Policy
from emulator.engine.model.entries import Data, Entry, data_of, origin_of
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.failure import Failure, TracedFailure
from emulator.engine.model.instance_entries import CodeVersion, FoundDivergence, ReceivedEvent
from emulator.engine.model.plain import REDACTED, plain
from emulator.engine.model.step_entries import (
    AttemptFailure,
    Interruption,
    Renaming,
    RetryDelay,
    SleepStart,
    StepConfig,
    StepStart,
    WaitStart,
)
from emulator.engine.model.step_key import StepKey, is_handler
from emulator.engine.runs.streams import stream_of
from emulator.engine.views.report import interruption
from emulator.protocol import values

if TYPE_CHECKING:
    from emulator.answers.workflows import LogEventDetail

Fields = dict[str, object]  # plain JSON, by the names of the members

# The events of production, without those that its local engine logs but never shows.
TYPES: dict[int, str] = {
    EntryKind.WORKFLOW_QUEUED: "workflow_queued",
    EntryKind.WORKFLOW_START: "workflow_started",
    EntryKind.WORKFLOW_SUCCESS: "workflow_completed",
    EntryKind.WORKFLOW_FAILURE: "workflow_errored",
    EntryKind.WORKFLOW_TERMINATED: "workflow_terminated",
    EntryKind.STEP_START: "step_started",
    EntryKind.STEP_SUCCESS: "step_completed",
    EntryKind.STEP_FAILURE: "step_errored",
    EntryKind.SLEEP_START: "sleep_started",
    EntryKind.SLEEP_COMPLETE: "sleep_completed",
    EntryKind.ATTEMPT_START: "attempt_started",
    EntryKind.ATTEMPT_SUCCESS: "attempt_completed",
    EntryKind.ATTEMPT_FAILURE: "attempt_errored",
    EntryKind.WAIT_START: "wait_started",
    EntryKind.WAIT_COMPLETE: "wait_completed",
    EntryKind.WAIT_TIMED_OUT: "wait_timed_out",
    EntryKind.ROLLBACK_START: "rollback_started",
    EntryKind.ROLLBACK_STEP_START: "rollback_step_started",
    EntryKind.ROLLBACK_ATTEMPT_START: "rollback_attempt_started",
    EntryKind.ROLLBACK_ATTEMPT_SUCCESS: "rollback_attempt_completed",
    EntryKind.ROLLBACK_ATTEMPT_FAILURE: "rollback_attempt_errored",
    EntryKind.ROLLBACK_STEP_SUCCESS: "rollback_step_completed",
    EntryKind.ROLLBACK_STEP_FAILURE: "rollback_step_errored",
    EntryKind.ROLLBACK_COMPLETE: "rollback_completed",
    EntryKind.ROLLBACK_FAILED: "rollback_errored",
    EntryKind.WORKFLOW_RUNNING: "workflow_running",
    EntryKind.WORKFLOW_WAITING: "workflow_waiting",
    EntryKind.WORKFLOW_PAUSING: "workflow_waiting_for_pause",
    EntryKind.WORKFLOW_PAUSED: "workflow_paused",
    EntryKind.WORKFLOW_RESUMED: "workflow_queued",  # or running, if it had not paused yet
    EntryKind.ATTEMPT_INTERRUPTED: "attempt_errored",
    EntryKind.WORKFLOW_RESTARTED: "workflow_queued",
}
LOCAL_TYPES: dict[int, str] = {
    EntryKind.EVENT_RECEIVED: "local_event_received",
    EntryKind.TIMER_SKIPPED: "local_timer_skipped",
    EntryKind.CODE_CHANGED: "local_code_changed",
    EntryKind.RETRY_DELAYED: "local_retry_delayed",
    EntryKind.WORKFLOW_DIVERGED: "local_workflow_diverged",  # or paused, if it is held
    EntryKind.STEP_RENAMED: "local_step_renamed",
    EntryKind.STEP_FOUND: "local_step_found",
}
EVENT_TYPES = frozenset(TYPES.values())
TERMINAL_TYPES = frozenset({"workflow_completed", "workflow_errored", "workflow_terminated"})

_UNDEFINED = b'{"$undefined":1}'
_ATTEMPT_STARTS = (EntryKind.ATTEMPT_START, EntryKind.ROLLBACK_ATTEMPT_START)
_ATTEMPT_ENDS = (
    *(EntryKind.ATTEMPT_SUCCESS, EntryKind.ATTEMPT_FAILURE, EntryKind.ATTEMPT_INTERRUPTED),
    *(EntryKind.ROLLBACK_ATTEMPT_SUCCESS, EntryKind.ROLLBACK_ATTEMPT_FAILURE),
)
_STEP_STARTS = (
    *(EntryKind.STEP_START, EntryKind.SLEEP_START, EntryKind.WAIT_START),
    EntryKind.ROLLBACK_STEP_START,
)
_STEP_ENDS = (
    *(EntryKind.STEP_SUCCESS, EntryKind.STEP_FAILURE, EntryKind.SLEEP_COMPLETE),
    *(EntryKind.WAIT_COMPLETE, EntryKind.WAIT_TIMED_OUT),
    *(EntryKind.ROLLBACK_STEP_SUCCESS, EntryKind.ROLLBACK_STEP_FAILURE),
)


class LogEvent(NamedTuple):
    """One event. `fields`: JSON, `values`: tagged JSON, both by the names of the members.

    local: `{"line"?, "generation"?, "durationMs"?, "traceback"?}`, known only to Groundfog.
    """

    id: int
    at_ms: int
    type: str
    fields: Fields
    values: dict[str, bytes]
    local: Fields

    @property
    def is_terminal(self) -> bool:
        """Whether a subscription ends with it."""
        return self.type in TERMINAL_TYPES

    def as_json(self, instance_id: str, *, local: bool = False) -> LogEventDetail:
        """Return the event as plain JSON, with its `local` member on demand."""
        told = self._head(instance_id) | self.fields
        told |= {name: plain(value) for name, value in self.values.items()}
        if local and self.local:
            told["local"] = self.local
        return cast("LogEventDetail", told)

    def encoded(self, instance_id: str) -> bytes:
        """Return the event in tagged JSON, its values as they were recorded."""
        members = self._head(instance_id) | self.fields
        return payloads.record(
            {name: values.encode(member) for name, member in members.items()} | self.values
        )

    def _head(self, instance_id: str) -> Fields:
        return {
            "instanceId": instance_id,
            "eventId": self.id,
            "timestamp": self.at_ms,
            "type": self.type,
        }


class _Open(Struct):
    """A step that has not ended."""

    began_ms: int
    line: str
    sensitive: bool
    attempt_ms: int = 0


class Log:
    """Makes events of one instance's entries. Entries must come in order, from the first. It
    remembers the params until the instance starts, and the steps that have not ended.
    """

    def __init__(self) -> None:
        self._params = b""
        self._generation = 0
        self._paused = False
        self._open: dict[str, _Open] = {}

    @property
    def steps_in_progress(self) -> int:
        """How many steps have begun and not ended."""
        return len(self._open)

    def event(self, number: int, entry: Entry) -> LogEvent | None:
        """Return the event for the entry with this id, or None if it makes no event."""
        kind = entry.kind
        name = TYPES.get(kind) or LOCAL_TYPES.get(kind)
        if entry.step:
            if kind is EntryKind.ATTEMPT_INTERRUPTED and is_handler(entry.step):
                name = "rollback_attempt_errored"
            fields, recorded, local = self._of_step(entry)
        else:
            fields, recorded, local = self._of_workflow(entry)
            if kind is EntryKind.WORKFLOW_RESUMED and not self._paused:
                name = "workflow_running"
            held = isinstance(entry.data, FoundDivergence) and entry.data.action is Policy.HOLD
            if held:
                name, fields, local = "workflow_paused", {}, fields
            self._paused = held or kind is EntryKind.WORKFLOW_PAUSED
        if name is None:
            return None
        return LogEvent(number, entry.at_ms, name, fields, recorded, local)

    def _of_workflow(self, entry: Entry) -> tuple[Fields, dict[str, bytes], Fields]:
        match entry.kind:
            case EntryKind.WORKFLOW_QUEUED:
                self._open.clear()
                self._params = entry.value
            case EntryKind.WORKFLOW_START:
                params, self._params = self._params, b""
                self._generation = data_of(entry, CodeVersion).generation
                return {}, _value("params", params), self._code()
            case EntryKind.CODE_CHANGED:
                self._generation = data_of(entry, CodeVersion).generation
                return {}, {}, self._code()
            case EntryKind.WORKFLOW_SUCCESS:
                return {}, _value("output", entry.value), {}
            case EntryKind.WORKFLOW_FAILURE:
                failure = data_of(entry, TracedFailure)
                return {"error": failure.error.as_json()}, {}, _traced(failure)
            case EntryKind.WORKFLOW_DIVERGED:
                return {**data_of(entry, FoundDivergence).as_json()}, {}, {}
            case EntryKind.EVENT_RECEIVED:
                event = data_of(entry, ReceivedEvent).event
                return {"eventType": event}, _value("payload", entry.value), {}
        return {}, {}, {}

    def _of_step(self, entry: Entry) -> tuple[Fields, dict[str, bytes], Fields]:
        kind = entry.kind
        fields: Fields = {"stepName": StepKey.of(entry.step).label}
        if kind in _STEP_STARTS:
            sensitive = isinstance(entry.data, StepStart) and entry.data.is_sensitive
            step = _Open(entry.at_ms, origin_of(entry).line, sensitive)
            self._open[entry.step] = step
            return fields | _start_fields(entry), {}, self._code(step)
        if kind is EntryKind.STEP_RENAMED:
            old = data_of(entry, Renaming).old
            if old in self._open:
                self._open[entry.step] = self._open.pop(old)
            return fields | {"oldName": StepKey.of(old).label}, {}, {}
        step = self._open.get(entry.step) or _Open(entry.at_ms, "", False)
        if kind in _ATTEMPT_STARTS:
            step.attempt_ms = entry.at_ms
            return fields | {"attempt": entry.attempt}, {}, self._code(step)
        if kind in _ATTEMPT_ENDS:
            fields |= {"attempt": entry.attempt} | _failure_fields(entry)
            local = self._code(step, entry.at_ms - step.attempt_ms)
            return fields, {}, local | _traced(entry.data)
        recorded: dict[str, bytes] = {}
        if kind is EntryKind.STEP_SUCCESS and step.sensitive:
            fields["output"] = REDACTED
        elif kind is EntryKind.STEP_SUCCESS:
            stream = stream_of(entry.value)
            recorded = _value("output", values.encode(stream.preview) if stream else entry.value)
        elif kind is EntryKind.ROLLBACK_STEP_FAILURE:
            fields |= data_of(entry, Failure).as_json()
        elif kind is EntryKind.RETRY_DELAYED:
            fields |= {"attempt": entry.attempt, **data_of(entry, RetryDelay).as_json()}
        if kind not in _STEP_ENDS:
            return fields, recorded, {}
        self._open.pop(entry.step, None)
        return fields, recorded, self._code(step, entry.at_ms - step.began_ms)

    def _code(self, step: _Open | None = None, duration_ms: int | None = None) -> Fields:
        told: Fields = {"line": step.line} if step and step.line else {}
        if self._generation:
            told["generation"] = self._generation
        return told if duration_ms is None else told | {"durationMs": duration_ms}


def _start_fields(entry: Entry) -> Fields:
    match entry.data:
        case StepStart(StepConfig(config)) | StepConfig(config):
            return {"config": config}
        case SleepStart(duration_ms):
            return {"durationMs": duration_ms}
        case WaitStart(event):
            return {"eventType": event}
        case _:
            return {}


def _failure_fields(entry: Entry) -> Fields:
    match entry.data:
        case Interruption() as cut_off:
            return {"error": interruption(cut_off), "retryDelayMs": 0}
        case AttemptFailure(error, retry_delay_ms):
            told: Fields = {"error": error.as_json()}
            return told if retry_delay_ms is None else told | {"retryDelayMs": retry_delay_ms}
        case _:
            return {}


def _traced(data: Data | None) -> Fields:
    """Return the traceback of a failure as a local member, if it has one."""
    if isinstance(data, AttemptFailure | TracedFailure) and data.traceback:
        return {"traceback": data.traceback}
    return {}


def _value(name: str, value: bytes) -> dict[str, bytes]:
    """Return a recorded value as a member; nothing for `undefined`."""
    return {} if value == _UNDEFINED else {name: value or b"null"}
