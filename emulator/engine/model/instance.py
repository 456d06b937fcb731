"""What the engine remembers of an instance. `fold.py` says how entries change it. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from emulator.engine.model.failure import ErrorInfo
from emulator.engine.model.instance_entries import FoundDivergence, Schedule
from emulator.engine.model.places import Places
from emulator.engine.model.step import BLOCKED, LARGE_BYTES, Step

LARGE_STEPS = 32


class Status(StrEnum):
    """The statuses of `status()`. Source: docs/platform/workflows.md, "Statuses"."""

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


class Rollback(Struct):
    """The rollback of an instance. `outcome` is "complete", "failed", or "" while it goes on."""

    trigger: ErrorInfo  # the error of `run()`, or that a user terminated the instance
    terminates: bool
    outcome: str = ""
    error: ErrorInfo | None = None


class Instance(Struct):
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
    schedule: Schedule | None = None  # the schedule that created it
    retention: Mapping[str, int] = field(default_factory=dict)  # its own: {"success"?, "error"?}
    params: bytes = b""
    output: bytes = b""
    error: ErrorInfo | None = None
    rollback: Rollback | None = None
    steps: dict[str, Step] = field(default_factory=dict)  # in the order they started
    open: dict[str, Step] = field(default_factory=dict)  # the steps that have not ended
    events: dict[str, deque[tuple[int, bytes]]] = field(default_factory=dict)  # (at_ms, payload)
    do_steps: int = 0  # how many `do` steps are recorded
    generation: int = 0  # of the code that its last run started on; 0: none yet, or not recorded
    aside: dict[str, Step] = field(default_factory=dict)  # steps the code does not call, by key
    places: Places = field(default_factory=Places)
    divergence: FoundDivergence | None = None  # why it is held

    @property
    def is_held(self) -> bool:
        """Whether it is paused because the code does not fit."""
        return self.divergence is not None

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended; only a restart changes that."""
        return self.status in TERMINAL

    @property
    def only_waits(self) -> bool:
        """Whether it is `waiting` and has a deadline: of an open sleep, event wait or retry.

        A `waiting` instance without a deadline must run: nothing would ever wake it.
        """
        return self.status is Status.WAITING and any(
            step.state in BLOCKED and step.due_ms is not None for step in self.open.values()
        )

    @property
    def is_large(self) -> bool:
        """Whether it takes more memory than an instance may have while it waits for its turn."""
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
        """Whether a call can still ask for `step`: no callback around it has ended."""
        while step.parent:
            caller = self.steps.get(step.parent)
            if caller is None or caller.has_ended:
                return False
            step = caller
        return True
