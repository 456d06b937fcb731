"""What entries say that concern one step, one class a kind. Pure.

`of` reads the JSON of the file, `as_json` writes it; `entries.py` has which kind has which class.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from msgspec import Struct

from emulator.engine.model.failure import ErrorInfo

if TYPE_CHECKING:
    from emulator.engine.model.entry_json import (
        AttemptFailureJson,
        ConfigJson,
        InterruptionJson,
        OriginJson,
        RenamingJson,
        RetryDelayJson,
        SleepStartJson,
        StepConfigJson,
        StepStartJson,
        WaitStartJson,
    )

_encode = json.JSONEncoder(separators=(",", ":")).encode


class Origin(Struct, frozen=True):
    """Which call of user code began a step.

    line: `"src/entry.py:31"` or empty. parent: key of the step whose callback called it; empty:
    `run()` did. nth: which call of this kind and name by its caller it is; 0: as its count says.
    shared: it is a dependency, counted for all callers together.
    """

    line: str = ""
    parent: str = ""
    nth: int = 0
    shared: bool = False

    @classmethod
    def of(cls, found: OriginJson) -> Origin:
        return cls(
            found.get("line", ""),
            found.get("parent", ""),
            found.get("nth", 0),
            found.get("shared", False),
        )

    def as_json(self) -> OriginJson:
        told: OriginJson = {"line": self.line}
        if self.parent:
            told["parent"] = self.parent
        if self.nth:
            told["nth"] = self.nth
        if self.shared:
            told["shared"] = True
        return told


class StepConfig(Struct, frozen=True):
    """A step's full configuration, as `ctx.config` shows it, and its spans in milliseconds.

    It is also what ROLLBACK_STEP_START says: the handler's own. delay_ms: before a retry, without
    backoff; None: a function of the user's says, after each failure.
    """

    config: ConfigJson
    timeout_ms: int
    delay_ms: int | None

    @property
    def is_sensitive(self) -> bool:
        """Whether the output of the step is shown to nobody."""
        return bool(self.config.get("sensitive") == "output")

    @classmethod
    def of(cls, found: StepConfigJson) -> StepConfig:
        return cls(found["config"], found["timeoutMs"], found["delayMs"])

    def as_json(self) -> StepConfigJson:
        return {"config": self.config, "timeoutMs": self.timeout_ms, "delayMs": self.delay_ms}


class StepStart(Struct, frozen=True):
    """A `do` was asked for. rollback: how its handler is to be run, if it has one."""

    config: StepConfig
    origin: Origin = Origin()
    rollback: StepConfig | None = None

    @property
    def is_sensitive(self) -> bool:
        """Whether its output is shown to nobody."""
        return self.config.is_sensitive

    @classmethod
    def of(cls, found: StepStartJson) -> StepStart:
        rollback = found.get("rollback")
        return cls(
            StepConfig.of(found),
            Origin.of(found),
            None if rollback is None else StepConfig.of(rollback),
        )

    def as_json(self) -> StepStartJson:
        told = cast("StepStartJson", {**self.config.as_json(), **self.origin.as_json()})
        if self.rollback is not None:
            told["rollback"] = self.rollback.as_json()
        return told


class SharedStart(StepStart, frozen=True, eq=False):
    """A StepStart that many entries have alike: written as JSON once. Equal to one without text."""

    text: str = ""

    @classmethod
    def shared(cls, config: StepConfig, origin: Origin) -> SharedStart:
        """Return it with its text."""
        return cls(config, origin, text=_encode(StepStart(config, origin).as_json()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StepStart):
            return NotImplemented
        return (self.config, self.origin, self.rollback) == (
            other.config,
            other.origin,
            other.rollback,
        )

    __hash__ = None  # type: ignore[assignment]  # a configuration is a dictionary


class SleepStart(Struct, frozen=True):
    """A sleep was asked for."""

    duration_ms: int
    until_ms: int
    origin: Origin = Origin()

    @classmethod
    def of(cls, found: SleepStartJson) -> SleepStart:
        return cls(found.get("durationMs", 0), found["untilMs"], Origin.of(found))

    def as_json(self) -> SleepStartJson:
        return {
            "durationMs": self.duration_ms,
            "untilMs": self.until_ms,
            **self.origin.as_json(),
        }


class WaitStart(Struct, frozen=True):
    """An event of a type is waited for."""

    event: str
    timeout_ms: int
    origin: Origin = Origin()

    @classmethod
    def of(cls, found: WaitStartJson) -> WaitStart:
        return cls(found["event"], found["timeoutMs"], Origin.of(found))

    def as_json(self) -> WaitStartJson:
        return {"event": self.event, "timeoutMs": self.timeout_ms, **self.origin.as_json()}


class AttemptFailure(Struct, frozen=True):
    """An attempt has failed. retry_delay_ms: until the next one; None: there is none, or not yet.

    asks_delay: a function of the user's is asked how long to wait. traceback: as in TracedFailure.
    """

    error: ErrorInfo
    retry_delay_ms: int | None = None
    asks_delay: bool = False
    traceback: str = ""

    @classmethod
    def of(cls, found: AttemptFailureJson) -> AttemptFailure:
        error = ErrorInfo.of(found["error"])
        return cls(
            error,
            found.get("retryDelayMs"),
            found.get("asksDelay", False),
            found.get("traceback", ""),
        )

    def as_json(self) -> AttemptFailureJson:
        told: AttemptFailureJson = {"error": self.error.as_json()}
        if self.asks_delay:
            told["asksDelay"] = True
        if self.retry_delay_ms is not None:
            told["retryDelayMs"] = self.retry_delay_ms
        if self.traceback:
            told["traceback"] = self.traceback
        return told


class RetryDelay(Struct, frozen=True):
    """The user's function has said how long to wait before the next attempt."""

    retry_delay_ms: int

    @classmethod
    def of(cls, found: RetryDelayJson) -> RetryDelay:
        return cls(found["retryDelayMs"])

    def as_json(self) -> RetryDelayJson:
        return {"retryDelayMs": self.retry_delay_ms}


class Interruption(Struct, frozen=True):
    """An attempt was cut off. reason: "reload", "restart", "loss"."""

    reason: str = ""

    @classmethod
    def of(cls, found: InterruptionJson) -> Interruption:
        return cls(found.get("reason", ""))

    def as_json(self) -> InterruptionJson:
        return {"reason": self.reason}


class Renaming(Struct, frozen=True):
    """A step has another key from here on. old: the key it had."""

    old: str

    @classmethod
    def of(cls, found: RenamingJson) -> Renaming:
        return cls(found["from"])

    def as_json(self) -> RenamingJson:
        return {"from": self.old}
