"""The data of entries about a whole instance, one class for each kind. Pure.

`of` reads the JSON of the file, `as_json` writes it. `entries.py` says which kind has which class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from emulator.engine.model.divergence import Divergence, Policy
from emulator.engine.model.failure import ErrorInfo

if TYPE_CHECKING:
    from emulator.engine.model.entry_json import (
        CodeVersionJson,
        FoundDivergenceJson,
        QueuedJson,
        ReceivedEventJson,
        RestartPointJson,
        ResumptionJson,
        RollbackEndJson,
        RollbackStartJson,
        ScheduleJson,
        TerminationJson,
    )


class Schedule(Struct, frozen=True):
    """The tick of a schedule that created an instance.

    Source: docs/platform/workflows.md, "The event".
    """

    cron: str
    scheduled_ms: int

    def as_json(self) -> ScheduleJson:
        """Return `{"cron": "0 9 * * *", "scheduledTime": 1786001400000}`."""
        return {"cron": self.cron, "scheduledTime": self.scheduled_ms}


class Queued(Struct, frozen=True):
    """An instance was created, or begins again from nothing. `value` has its params.

    source: what created it: "api", "binding", "cron"; empty: not recorded. retention: its own, in
    ms, `{"success"?, "error"?}`. restarted: it has begun before.
    """

    source: str = ""
    schedule: Schedule | None = None
    retention: Mapping[str, int] = {}
    restarted: bool = False

    @classmethod
    def of(cls, found: QueuedJson) -> Queued:
        schedule = found.get("schedule")
        return cls(
            found.get("trigger", {}).get("source", ""),
            Schedule(schedule["cron"], schedule["scheduledTime"]) if schedule else None,
            found.get("retention", {}),
            found.get("restarted", False),
        )

    def as_json(self) -> QueuedJson:
        told: QueuedJson = {"trigger": {"source": self.source}} if self.source else {}
        if self.schedule is not None:
            told["schedule"] = self.schedule.as_json()
        if self.retention:
            told["retention"] = dict(self.retention)
        if self.restarted:
            told["restarted"] = True
        return told


class CodeVersion(Struct, frozen=True):
    """The entries after this one come from this generation of the code; 0: not recorded."""

    generation: int = 0

    @classmethod
    def of(cls, found: CodeVersionJson) -> CodeVersion:
        return cls(found.get("generation", 0))

    def as_json(self) -> CodeVersionJson:
        return {"generation": self.generation} if self.generation else {}


class Termination(Struct, frozen=True):
    """A user has ended the instance. source: what the user did it with, "api"."""

    source: str = "api"

    @classmethod
    def of(cls, found: TerminationJson) -> Termination:
        return cls(found.get("trigger", {}).get("source", "api"))

    def as_json(self) -> TerminationJson:
        return {"trigger": {"source": self.source}}


class ReceivedEvent(Struct, frozen=True):
    """A user sent an event of this type; `value` has its payload."""

    event: str

    @classmethod
    def of(cls, found: ReceivedEventJson) -> ReceivedEvent:
        return cls(found["event"])

    def as_json(self) -> ReceivedEventJson:
        return {"event": self.event}


class RollbackStart(Struct, frozen=True):
    """From here on, rollback handlers are executed. terminates: because a user ended the instance.

    trigger: the error of `run()`, or one that says that a user ended it. steps: how many handlers.
    traceback: of `run()`, as in TracedFailure.
    """

    trigger: ErrorInfo
    steps: int
    terminates: bool
    traceback: str = ""

    @classmethod
    def of(cls, found: RollbackStartJson) -> RollbackStart:
        trigger = ErrorInfo.of(found["triggerError"])
        return cls(
            trigger,
            found.get("totalSteps", 0),
            found.get("terminates", False),
            found.get("traceback", ""),
        )

    def as_json(self) -> RollbackStartJson:
        told: RollbackStartJson = {
            "triggerError": self.trigger.as_json(),
            "totalSteps": self.steps,
            "terminates": self.terminates,
        }
        if self.traceback:
            told["traceback"] = self.traceback
        return told


class RollbackEnd(Struct, frozen=True):
    """How many handlers have succeeded. error: of the handler that failed; None: all succeeded."""

    steps: int
    completed: int
    error: ErrorInfo | None = None

    @classmethod
    def of(cls, found: RollbackEndJson) -> RollbackEnd:
        error = found.get("error")
        return cls(
            found.get("totalSteps", 0),
            found.get("completedSteps", 0),
            None if error is None else ErrorInfo.of(error),
        )

    def as_json(self) -> RollbackEndJson:
        told: RollbackEndJson = {"totalSteps": self.steps, "completedSteps": self.completed}
        if self.error is not None:
            told["error"] = self.error.as_json()
        return told


class RestartPoint(Struct, frozen=True):
    """A step to restart from: the `count`-th that started with this name and type.

    `type` is `"do"`, `"sleep"` (also for `sleep_until`) or `"waitForEvent"`.
    """

    name: str
    count: int = 1
    type: str = "do"

    @classmethod
    def of(cls, found: RestartPointJson) -> RestartPoint:
        point = found.get("from", {})
        return cls(point.get("name", ""), point.get("count", 1), point.get("type", "do"))

    def as_json(self) -> RestartPointJson:
        return {"from": {"name": self.name, "count": self.count, "type": self.type}}


class Resumption(Struct, frozen=True):
    """A paused instance goes on, or a pause was cancelled. The fields are about a held instance.

    accepted: a user lets it go on with the code as it is. fits: the generation of code that fits it
    again. renamed: the new names of steps, by their old names.
    """

    accepted: bool = False
    fits: int | None = None
    renamed: Mapping[str, str] = {}

    @classmethod
    def of(cls, found: ResumptionJson) -> Resumption:
        return cls(found.get("accepted", False), found.get("fits"), found.get("renamed", {}))

    def as_json(self) -> ResumptionJson:
        told: ResumptionJson = {"accepted": True} if self.accepted else {}
        if self.fits is not None:
            told["fits"] = self.fits
        if self.renamed:
            told["renamed"] = dict(self.renamed)
        return told


class FoundDivergence(Struct, frozen=True):
    """The code of a generation does not fit what the instance has done. action: what was done."""

    action: Policy
    generation: int
    divergence: Divergence

    @classmethod
    def of(cls, found: FoundDivergenceJson) -> FoundDivergence:
        divergence = Divergence.from_json(found["divergence"])
        return cls(Policy(found["action"]), found["generation"], divergence)

    def as_json(self) -> FoundDivergenceJson:
        return {
            "action": self.action.value,
            "generation": self.generation,
            "divergence": self.divergence.as_json(),
        }
