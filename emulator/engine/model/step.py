"""One step of an instance as it stands in memory. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from emulator.engine.model.failure import ErrorInfo
from emulator.engine.model.places import SHARED, Place
from emulator.engine.model.step_data import StepConfig
from emulator.engine.model.step_key import StepKey, StepKind

Json = Any
Record = dict[str, Json]

LARGE_BYTES = 16 * 1024  # of values


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


BLOCKED = frozenset({StepState.RETRYING, StepState.SLEEPING, StepState.WAITING})


class Left(bytes):
    """In place of a large value: the id of the row of the journal that holds it, in digits.

    An instance may keep a gigabyte in its steps. `Journal.value` reads it when it is needed.
    """


@dataclass(slots=True)
class Step:
    """One step of an instance, as recorded so far."""

    key: str
    state: StepState
    config: Record = field(default_factory=dict)  # resolved; of the first encounter; never changed
    rollback: StepConfig | None = None  # how its handler is run, if it has one
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
        return StepKey.of(self.key).kind

    @property
    def count(self) -> int:
        """Which step of this name and kind it is in its instance, from 1."""
        return StepKey.of(self.key).count

    @property
    def name(self) -> str:
        """The name user code gave it."""
        return StepKey.of(self.key).name

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
        key = StepKey.of(self.key)
        return key.kind.value, key.name, self.nth or key.count

    @property
    def has_ended(self) -> bool:
        """Whether it is recorded what became of it."""
        return self.state in (StepState.SUCCEEDED, StepState.FAILED)

    @property
    def label(self) -> str:
        """The display name of logs and REST: `"charge-1"`."""
        return StepKey.of(self.key).label
