"""What the engine remembers of an instance, and how each journal entry changes it.

`Instance.apply` is the one place where a state changes: an instance in memory is always the fold of
its entries, whether they were just decided or read back after a crash. Nothing here does I/O.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

from emulator.engine.model.places import SHARED, Place, Places

Json = Any


class Status(StrEnum):
    """The statuses `status()` reports. Source: docs/platform/workflows.md, "Statuses"."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    ERRORED = "errored"
    TERMINATED = "terminated"
    COMPLETE = "complete"
    WAITING = "waiting"
    WAITING_FOR_PAUSE = "waitingForPause"
    ROLLING_BACK = "rollingBack"  # REST says so; to the workflow binding it is running


TERMINAL = frozenset({Status.ERRORED, Status.TERMINATED, Status.COMPLETE})


class EntryKind(IntEnum):
    """What an entry says happened.

    Codes below 100 are `InstanceEvent` of workers-sdk (workflows-shared/src/instance.ts); the
    others are ours, for what production does not log.
    """

    WORKFLOW_QUEUED = 0
    WORKFLOW_START = 1
    WORKFLOW_SUCCESS = 2
    WORKFLOW_FAILURE = 3
    WORKFLOW_TERMINATED = 4
    STEP_START = 5
    STEP_SUCCESS = 6
    STEP_FAILURE = 7
    SLEEP_START = 8
    SLEEP_COMPLETE = 9
    ATTEMPT_START = 10
    ATTEMPT_SUCCESS = 11
    ATTEMPT_FAILURE = 12
    WAIT_START = 14
    WAIT_COMPLETE = 15
    WAIT_TIMED_OUT = 16
    ROLLBACK_START = 17
    ROLLBACK_STEP_START = 18
    ROLLBACK_ATTEMPT_START = 19
    ROLLBACK_ATTEMPT_SUCCESS = 20
    ROLLBACK_ATTEMPT_FAILURE = 21
    ROLLBACK_STEP_SUCCESS = 22
    ROLLBACK_STEP_FAILURE = 23
    ROLLBACK_COMPLETE = 24
    ROLLBACK_FAILED = 25
    WORKFLOW_RUNNING = 100
    WORKFLOW_WAITING = 101
    WORKFLOW_PAUSING = 102
    WORKFLOW_PAUSED = 103
    WORKFLOW_RESUMED = 104
    ATTEMPT_INTERRUPTED = 105
    EVENT_RECEIVED = 106
    WORKFLOW_RESTARTED = 107  # from a step; a whole restart leaves nothing to say it in
    TIMER_SKIPPED = 108  # someone did not want to wait for a step's deadline
    RETRY_DELAYED = 115  # a step's delay function has said how long to wait
    CODE_CHANGED = 109  # a run starts on another generation than the one before it
    WORKFLOW_DIVERGED = 110  # the code does not fit what was done; data says what follows
    STEP_RENAMED = 111  # `step` is the new key, data has the old one
    STEP_FOUND = 112  # a step that was set aside is asked for again


class SharedData(dict[str, Json]):
    """The data of an entry that many have alike: written as JSON once. Never changed."""

    __slots__ = ("text",)

    def __init__(self, fields: dict[str, Json]) -> None:
        super().__init__(fields)
        self.text = json.dumps(fields, separators=(",", ":"))


class Entry(NamedTuple):
    """One row of the journal. `step` is a step key, empty for what concerns the whole instance.

    `data` is a small JSON record whose fields depend on `kind` (see `Instance.apply`), `value` a
    value in tagged JSON that nobody here looks into.
    """

    instance: int
    at_ms: int
    kind: EntryKind
    step: str = ""
    attempt: int = 0
    data: dict[str, Json] | None = None
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An error as it is recorded: no stack. Source: docs/platform/workflows.md, "Errors"."""

    name: str
    message: str

    def as_json(self) -> dict[str, str]:
        """Return `{"name": …, "message": …}`."""
        return {"name": self.name, "message": self.message}


@dataclass(frozen=True, slots=True)
class Schedule:
    """What an instance that cron made knows of it.

    Source: docs/platform/workflows.md, "The event".
    """

    cron: str
    scheduled_ms: int

    def as_json(self) -> dict[str, Json]:
        """Return `{"cron": "0 9 * * *", "scheduledTime": 1786001400000}`."""
        return {"cron": self.cron, "scheduledTime": self.scheduled_ms}


class StepKind(StrEnum):
    """Kinds of steps; `sleep_until` is a `sleep`.

    `rollback` is ours: the handler of the `do` with the same name and count, executed like a step.
    Source: docs/platform/workflows.md, "The binding".
    """

    DO = "do"
    SLEEP = "sleep"
    WAIT = "waitForEvent"
    ROLLBACK = "rollback"


CALLED = (StepKind.DO, StepKind.SLEEP, StepKind.WAIT)  # what `run()` calls


class StepState(StrEnum):
    """How far a step is."""

    STARTED = "started"  # recorded, no attempt in flight
    RUNNING = "running"  # an attempt is in flight, or was when its guest or host went away
    DELAYING = "delaying"  # the attempt has failed, its delay function says when the next is due
    RETRYING = "retrying"  # the next attempt is due at `due_ms`
    SLEEPING = "sleeping"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


LARGE_BYTES = 16 * 1024  # of values
LARGE_STEPS = 32

BLOCKED = frozenset({StepState.RETRYING, StepState.SLEEPING, StepState.WAITING})


def step_key(kind: str, name: str, count: int) -> str:
    """Return the key under which a step is recorded; no other step of its instance has it.

    Which call a step answers is its place (`places.py`).
    Differs: the official local engine hashes the duration of a sleep in as well.
    """
    return f"{kind}:{count}:{name}"


class Left(bytes):
    """In place of a large value: the id of the row of the journal that holds it, in digits.

    An instance may keep a gigabyte in its steps. `Journal.value` reads it when it is needed.
    """


@dataclass(slots=True)
class Step:
    """One step of an instance, as recorded so far."""

    key: str
    state: StepState
    config: dict[str, Json] = field(default_factory=dict)  # resolved; of the first encounter
    rollback: dict[str, Json] | None = None  # how its handler is run, if it has one
    timeout_ms: int = 0  # of an attempt or a wait; the length of a sleep, as first asked for
    delay_ms: int | None = 0  # before a retry, without backoff; None: a function says
    attempts: int = 0  # number of the last attempt started
    charged: int = 0  # attempts that failed and count against the user's retries
    due_ms: int | None = None  # end of sleep, next attempt, wait timeout or attempt timeout
    event_type: str = ""
    value: bytes = b""  # or `Left`
    error: ErrorInfo | None = None
    since_ms: int = 0  # when it was first asked for
    line: str = ""  # of user code, then: "src/entry.py:31"
    parent: str = ""  # key of the step whose callback called it
    parent_attempt: int = 0  # which attempt of that step called it
    shared: bool = False  # it is a dependency: whoever else asks for it gets the same
    nth: int = 0  # of the calls of its kind and name by the same caller; 0: as its count says
    generation: int = 0  # of the code that called it; only of a step with a parent

    @property
    def kind(self) -> StepKind:
        """The step's kind, from its key."""
        return StepKind(self.key.split(":", 1)[0])

    @property
    def count(self) -> int:
        """Which step of this name and kind it is in its instance, from 1."""
        return int(self.key.split(":", 2)[1])

    @property
    def name(self) -> str:
        """The name user code gave it."""
        return self.key.split(":", 2)[2]

    @property
    def other_count(self) -> int:
        """Its count, where that is not which call of its caller it is; else 0."""
        return self.count if self.nth and self.nth != self.count else 0

    @property
    def caller(self) -> str:
        """Whose calls its place is counted among: `parent`, as a rule."""
        return SHARED if self.shared else self.parent

    @property
    def place(self) -> Place:
        """Which call of its caller gets it."""
        return self.kind.value, self.name, self.nth or self.count

    @property
    def has_ended(self) -> bool:
        """Whether it is recorded what became of it."""
        return self.state in (StepState.SUCCEEDED, StepState.FAILED)

    @property
    def label(self) -> str:
        """The display name of logs and REST: `"charge-1"`."""
        return f"{self.name}-{self.count}"


@dataclass(slots=True)
class Rollback:
    """The rollback of an instance. `outcome` is "complete", "failed", or "" while it goes on."""

    trigger: ErrorInfo  # what made `run()` fail, or that a user terminated the instance
    terminates: bool
    outcome: str = ""
    error: ErrorInfo | None = None


@dataclass(slots=True)
class Instance:
    """One durable execution: the fold of its journal entries."""

    key: int
    workflow: str
    id: str
    status: Status = Status.QUEUED
    created_ms: int = 0
    started_ms: int | None = None
    ended_ms: int | None = None
    paused_ms: int | None = None
    trigger: str = "binding"  # what created it: "api", "binding", "cron"
    schedule: Schedule | None = None  # what cron created it for
    retention: dict[str, int] = field(default_factory=dict)  # its own: {"success"?, "error"?}
    params: bytes = b""
    output: bytes = b""
    error: ErrorInfo | None = None
    rollback: Rollback | None = None
    steps: dict[str, Step] = field(default_factory=dict)  # in the order they started
    open: dict[str, Step] = field(default_factory=dict)  # those of them that have not ended
    events: dict[str, deque[tuple[int, bytes]]] = field(default_factory=dict)  # (at_ms, payload)
    do_steps: int = 0  # how many different `do` steps it has recorded
    generation: int = 0  # of the code that its last run started on; 0: none yet, or not recorded
    aside: dict[str, Step] = field(default_factory=dict)  # that the code asks for no more, by key
    places: Places = field(default_factory=Places)
    divergence: dict[str, Json] | None = None  # why it is held: data of the entry

    @property
    def is_held(self) -> bool:
        """Whether it is paused because the code does not fit what it has done."""
        return self.divergence is not None

    @property
    def is_terminal(self) -> bool:
        """Whether nothing will ever happen to it again, unless it is restarted."""
        return self.status in TERMINAL

    @property
    def only_waits(self) -> bool:
        """Whether it is `waiting`, and an open sleep, event wait or retry has a deadline.

        One that is `waiting` without must run: nothing else would ever wake it.
        """
        return self.status is Status.WAITING and any(
            step.state in BLOCKED and step.due_ms is not None for step in self.open.values()
        )

    @property
    def is_large(self) -> bool:
        """Whether it takes up more memory than one is given that only waits for its turn."""
        if len(self.steps) > LARGE_STEPS or self.events:
            return True
        values = (len(step.value) for step in self.steps.values())
        return len(self.params) + sum(values) > LARGE_BYTES

    def next_due_ms(self, after_ms: int = 0) -> int | None:
        """Return the earliest deadline of its steps later than `after_ms`, or None."""
        return min(
            (
                step.due_ms
                for step in self.open.values()
                if step.due_ms is not None and step.due_ms > after_ms
            ),
            default=None,
        )

    def may_be_asked_for(self, step: Step) -> bool:
        """Whether a call can still get what becomes of `step`: no callback around it is done."""
        while step.parent:
            caller = self.steps.get(step.parent)
            if caller is None or caller.has_ended:
                return False
            step = caller
        return True

    def apply(self, entry: Entry) -> None:
        """Change the state as `entry` says. Entries must come in the order they were decided."""
        _APPLY[entry.kind](self, entry)

    def _queued(self, entry: Entry) -> None:
        self.status = Status.QUEUED
        self.created_ms = entry.at_ms
        self.params = entry.value
        data = entry.data or {}
        self.trigger = data.get("trigger", {}).get("source", self.trigger)
        if schedule := data.get("schedule"):
            self.schedule = Schedule(schedule["cron"], schedule["scheduledTime"])
        self.retention = data.get("retention", {})

    def _started(self, entry: Entry) -> None:
        self.status = Status.RUNNING
        self.started_ms = entry.at_ms
        self._code_changed(entry)

    def _code_changed(self, entry: Entry) -> None:
        """From here on, what is recorded comes from this generation of the code."""
        self.generation = (entry.data or {}).get("generation", 0)

    def _succeeded(self, entry: Entry) -> None:
        self._ended(entry, Status.COMPLETE)
        self.output = entry.value

    def _failed(self, entry: Entry) -> None:
        self._ended(entry, Status.ERRORED)
        self.error = _error_of(entry)

    def _terminated(self, entry: Entry) -> None:
        self._ended(entry, Status.TERMINATED)

    def _ended(self, entry: Entry, status: Status) -> None:
        self.status = status
        self.ended_ms = entry.at_ms
        self.divergence = None

    def _running(self, entry: Entry) -> None:
        self.status = Status.RUNNING

    def _waiting(self, entry: Entry) -> None:
        self.status = Status.WAITING

    def _pausing(self, entry: Entry) -> None:
        self.status = Status.WAITING_FOR_PAUSE

    def _paused(self, entry: Entry) -> None:
        self.status = Status.PAUSED
        self.paused_ms = entry.at_ms

    def _resumed(self, entry: Entry) -> None:
        """Resume: every deadline moves by the time that was spent paused, not that spent held."""
        if self.divergence is not None:
            if (entry.data or {}).get("accepted"):
                self._set_aside(self.divergence)
            self._restarted(entry)
            return
        if self.paused_ms is None:  # the pause had not taken effect yet
            self.status = Status.RUNNING
            return
        self._restarted(entry)

    def _restarted(self, entry: Entry) -> None:
        """Begin again with the steps that are left, from a pause or from a step."""
        if self.paused_ms is not None:
            for step in self.open.values():
                if step.due_ms is not None and step.state in BLOCKED:
                    step.due_ms += entry.at_ms - self.paused_ms
        self.paused_ms = None
        self.divergence = None
        self.status = Status.QUEUED

    def _diverged(self, entry: Entry) -> None:
        assert entry.data is not None
        match entry.data["action"]:
            case "hold":
                self.status = Status.PAUSED
                self.divergence = entry.data
            case "warn":
                self._set_aside(entry.data)

    def _set_aside(self, diverged: dict[str, Json]) -> None:
        """Go on without the steps that are asked for no more: what they wait for does not count."""
        for key in diverged["divergence"]["missing"]:
            step = self.steps.pop(key, None)
            if step is not None:  # a restart may have struck it meanwhile
                self.aside[key] = step
                self.open.pop(key, None)
        self.generation = diverged["generation"]

    def _step_found(self, entry: Entry) -> None:
        step = self.steps[entry.step] = self.aside.pop(entry.step)
        if not step.has_ended:
            self.open[entry.step] = step

    def _step_renamed(self, entry: Entry) -> None:
        old = (entry.data or {})["from"]
        for steps in (self.steps, self.open, self.aside):
            if old in steps:
                nth = steps[old].place[2]
                steps[old].key = entry.step
                if steps[old].count != nth:
                    steps[old].nth = nth
                renamed = {step.key: step for step in steps.values()}
                steps.clear()
                steps.update(renamed)  # the order in which they began is kept
        for step in (*self.steps.values(), *self.aside.values()):
            if step.parent == old:
                step.parent = entry.step
        step = self.steps.get(entry.step) or self.aside[entry.step]
        if self.places:
            self.places.rename(old, entry.step, step.caller, step.place)

    def _add(self, step: Step, entry: Entry) -> None:
        step.since_ms = entry.at_ms
        if entry.data is not None:
            step.line = entry.data.get("line", "")
            step.parent = entry.data.get("parent", "")
        if step.parent:
            caller = self.steps.get(step.parent)
            step.parent_attempt = caller.attempts if caller is not None else 0
            step.generation = self.generation
        if step.parent or self.places:
            data = entry.data or {}
            step.shared = data.get("shared", False)
            step.nth = self.places.add(step.key, step.caller, data.get("nth", 0))
        self.steps[step.key] = self.open[step.key] = step

    def _step_started(self, entry: Entry) -> None:
        data = entry.data or {}
        step = Step(entry.step, StepState.STARTED, data["config"])
        step.rollback = data.get("rollback")
        step.timeout_ms = data["timeoutMs"]
        step.delay_ms = data["delayMs"]
        self._add(step, entry)
        self.do_steps += entry.kind is EntryKind.STEP_START

    def _attempt_started(self, entry: Entry) -> None:
        step = self.steps[entry.step]
        step.state = StepState.RUNNING
        step.attempts = entry.attempt
        step.due_ms = entry.at_ms + step.timeout_ms

    def _attempt_succeeded(self, entry: Entry) -> None:
        """Nothing, for a step that has begun: its own success follows."""
        _ = self.steps[entry.step]

    def _attempt_failed(self, entry: Entry) -> None:
        step = self.steps[entry.step]
        step.charged += 1
        step.error = _error_of(entry)
        if self.places:  # what has failed in the callback is tried again with it
            for key in (*self.places.called_by(step.key), *self.places.called_by(SHARED)):
                child = self.steps.get(key)
                if child and child.parent == step.key and child.state is StepState.FAILED:
                    self.places.free(child.caller, child.place)
        data = entry.data or {}
        delay_ms = data.get("retryDelayMs")
        step.state = StepState.STARTED if delay_ms is None else StepState.RETRYING
        step.due_ms = None if delay_ms is None else entry.at_ms + delay_ms
        if data.get("asksDelay"):
            step.state = StepState.DELAYING

    def _retry_delayed(self, entry: Entry) -> None:
        step = self.steps[entry.step]
        step.state = StepState.RETRYING
        step.due_ms = entry.at_ms + (entry.data or {})["retryDelayMs"]

    def _attempt_interrupted(self, entry: Entry) -> None:
        step = self.steps[entry.step]
        step.state = StepState.RETRYING
        step.due_ms = entry.at_ms

    def _step_succeeded(self, entry: Entry) -> None:
        step = self.open.pop(entry.step)
        step.state = StepState.SUCCEEDED
        step.due_ms = None
        step.value = entry.value

    def _step_failed(self, entry: Entry) -> None:
        step = self.open.pop(entry.step)
        step.state = StepState.FAILED
        step.due_ms = None
        step.error = _error_of(entry)
        caller = self.open.get(step.parent)
        if caller is not None and caller.state is not StepState.RUNNING:
            self.places.free(step.caller, step.place)  # the attempt that called it is over

    def _sleep_started(self, entry: Entry) -> None:
        until_ms = (entry.data or {})["untilMs"]
        step = Step(entry.step, StepState.SLEEPING, due_ms=until_ms)
        step.timeout_ms = until_ms - entry.at_ms
        self._add(step, entry)

    def _wait_started(self, entry: Entry) -> None:
        data = entry.data or {}
        step = Step(entry.step, StepState.WAITING, event_type=data["event"])
        step.timeout_ms = data["timeoutMs"]
        step.due_ms = entry.at_ms + step.timeout_ms
        self._add(step, entry)

    def _wait_completed(self, entry: Entry) -> None:
        """The oldest buffered event of the type has been delivered to this step."""
        buffered = self.events[self.steps[entry.step].event_type]
        buffered.popleft()
        self._step_succeeded(entry)

    def _timer_skipped(self, entry: Entry) -> None:
        self.steps[entry.step].due_ms = entry.at_ms

    def _rollback_started(self, entry: Entry) -> None:
        """From now on only handlers are executed: what steps still waited for matters no more."""
        data = entry.data or {}
        trigger = data["triggerError"]
        self.status = Status.ROLLING_BACK
        self.paused_ms = None
        self.divergence = None
        self.rollback = Rollback(
            ErrorInfo(trigger["name"], trigger["message"]), data.get("terminates", False)
        )
        self.open.clear()

    def _rollback_completed(self, entry: Entry) -> None:
        assert self.rollback is not None
        self.rollback.outcome = "complete"

    def _rollback_failed(self, entry: Entry) -> None:
        assert self.rollback is not None
        self.rollback.outcome = "failed"
        self.rollback.error = _error_of(entry)

    def _event_received(self, entry: Entry) -> None:
        event_type = (entry.data or {})["event"]
        self.events.setdefault(event_type, deque()).append((entry.at_ms, entry.value))


def _error_of(entry: Entry) -> ErrorInfo:
    error = (entry.data or {})["error"]
    return ErrorInfo(error["name"], error["message"])


_APPLY = {
    EntryKind.WORKFLOW_QUEUED: Instance._queued,
    EntryKind.WORKFLOW_START: Instance._started,
    EntryKind.WORKFLOW_SUCCESS: Instance._succeeded,
    EntryKind.WORKFLOW_FAILURE: Instance._failed,
    EntryKind.WORKFLOW_TERMINATED: Instance._terminated,
    EntryKind.WORKFLOW_RUNNING: Instance._running,
    EntryKind.WORKFLOW_WAITING: Instance._waiting,
    EntryKind.WORKFLOW_PAUSING: Instance._pausing,
    EntryKind.WORKFLOW_PAUSED: Instance._paused,
    EntryKind.WORKFLOW_RESUMED: Instance._resumed,
    EntryKind.WORKFLOW_RESTARTED: Instance._restarted,
    EntryKind.STEP_START: Instance._step_started,
    EntryKind.STEP_SUCCESS: Instance._step_succeeded,
    EntryKind.STEP_FAILURE: Instance._step_failed,
    EntryKind.SLEEP_START: Instance._sleep_started,
    EntryKind.SLEEP_COMPLETE: Instance._step_succeeded,
    EntryKind.ATTEMPT_START: Instance._attempt_started,
    EntryKind.ATTEMPT_SUCCESS: Instance._attempt_succeeded,
    EntryKind.ATTEMPT_FAILURE: Instance._attempt_failed,
    EntryKind.ATTEMPT_INTERRUPTED: Instance._attempt_interrupted,
    EntryKind.WAIT_START: Instance._wait_started,
    EntryKind.WAIT_COMPLETE: Instance._wait_completed,
    EntryKind.WAIT_TIMED_OUT: Instance._step_failed,
    EntryKind.ROLLBACK_START: Instance._rollback_started,
    EntryKind.ROLLBACK_STEP_START: Instance._step_started,
    EntryKind.ROLLBACK_ATTEMPT_START: Instance._attempt_started,
    EntryKind.ROLLBACK_ATTEMPT_SUCCESS: Instance._attempt_succeeded,
    EntryKind.ROLLBACK_ATTEMPT_FAILURE: Instance._attempt_failed,
    EntryKind.ROLLBACK_STEP_SUCCESS: Instance._step_succeeded,
    EntryKind.ROLLBACK_STEP_FAILURE: Instance._step_failed,
    EntryKind.ROLLBACK_COMPLETE: Instance._rollback_completed,
    EntryKind.ROLLBACK_FAILED: Instance._rollback_failed,
    EntryKind.EVENT_RECEIVED: Instance._event_received,
    EntryKind.TIMER_SKIPPED: Instance._timer_skipped,
    EntryKind.RETRY_DELAYED: Instance._retry_delayed,
    EntryKind.CODE_CHANGED: Instance._code_changed,
    EntryKind.WORKFLOW_DIVERGED: Instance._diverged,
    EntryKind.STEP_RENAMED: Instance._step_renamed,
    EntryKind.STEP_FOUND: Instance._step_found,
}
