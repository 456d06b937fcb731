"""One step of an instance in memory. Pure."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, cast

from msgspec import Struct, field

from emulator.engine.model.failure import ErrorInfo
from emulator.engine.model.places import SHARED, Place
from emulator.engine.model.step_entries import StepConfig
from emulator.engine.model.step_key import StepKey, StepKind

if TYPE_CHECKING:
    from emulator.engine.model.entry_json import ConfigJson

LARGE_BYTES = 16 * 1024  # of values

_no_config = cast("Callable[[], ConfigJson]", dict)  # only a `do` and a rollback handler have one


class StepState(StrEnum):
    """The state of a step."""

    STARTED = "started"  # recorded, no attempt in progress
    RUNNING = "running"  # an attempt is in progress, or was when its guest or host went away
    DELAYING = "delaying"  # an attempt has failed, and its delay function is asked
    RETRYING = "retrying"  # the next attempt is due at `due_ms`
    SLEEPING = "sleeping"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


BLOCKED = frozenset({StepState.RETRYING, StepState.SLEEPING, StepState.WAITING})


class Left(bytes):
    """In place of a large value: the id of its row in the journal, in digits.

    An instance may keep a gigabyte in its steps. `Journal.value` reads it when it is needed.
    """


class Step(Struct):
    """One step of an instance, as it is recorded so far."""

    key: str
    state: StepState
    config: ConfigJson = field(default_factory=_no_config)  # complete, as first called; constant
    rollback: StepConfig | None = None  # the configuration of its handler, if it has one
    timeout_ms: int = 0  # of an attempt or a wait; for a sleep, its first duration
    delay_ms: int | None = 0  # before a retry, without backoff; None: a function says
    attempts: int = 0  # number of the last attempt started
    charged: int = 0  # attempts that failed and count against the user's retries
    due_ms: int | None = None  # end of sleep, next attempt, wait timeout or attempt timeout
    event_type: str = ""
    value: bytes = b""  # or `Left`
    error: ErrorInfo | None = None
    since_ms: int = 0  # the time of the first call
    line: str = ""  # of user code at the first call: "src/entry.py:31"
    parent: str = ""  # key of the step whose callback called it
    parent_attempt: int = 0  # which attempt of that step called it
    shared: bool = False  # it is a dependency: all callers get the same result
    nth: int = 0  # among the calls of its kind and name by the same caller; 0: equal to its count
    generation: int = 0  # of the code that called it; only for a step with a parent

    @property
    def kind(self) -> StepKind:
        """The step's kind, from its key."""
        return StepKey.of(self.key).kind

    @property
    def count(self) -> int:
        """Its number among the steps of this name and kind in its instance, from 1."""
        return StepKey.of(self.key).count

    @property
    def name(self) -> str:
        """The name from user code."""
        return StepKey.of(self.key).name

    @property
    def other_count(self) -> int:
        """Its count, if that differs from the number in its place; else 0."""
        return self.count if self.nth and self.nth != self.count else 0

    @property
    def caller(self) -> str:
        """The caller of its place: usually `parent`."""
        return SHARED if self.shared else self.parent

    @property
    def place(self) -> Place:
        """The place of its call."""
        key = StepKey.of(self.key)
        return key.kind.value, key.name, self.nth or key.count

    @property
    def has_ended(self) -> bool:
        """Whether its end is recorded."""
        return self.state in (StepState.SUCCEEDED, StepState.FAILED)

    @property
    def label(self) -> str:
        """Its name in logs and REST: `"charge-1"`."""
        return StepKey.of(self.key).label
