"""The data of entries as JSON in the journal file, as typed dicts.

The classes of `instance_entries.py`, `step_entries.py`, `failure.py` and `divergence.py` read and
write it. `docs/journal-format.md` says what each member means. A member that is NotRequired is left
out when it says nothing, and older versions did not write some of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict


class ErrorJson(TypedDict):
    """An error."""

    name: str
    message: str


class FailureJson(TypedDict):
    """Of STEP_FAILURE and the other final failures of steps."""

    error: ErrorJson


class TracedFailureJson(FailureJson):
    """Of WORKFLOW_FAILURE."""

    traceback: NotRequired[str]


class RetriesJson(TypedDict):
    """The retries of a complete configuration. `delay` stands as user code wrote it."""

    limit: int | float
    delay: int | float | str
    backoff: str


class ConfigJson(TypedDict):
    """A complete configuration of a step, as `ctx.config` shows it."""

    retries: RetriesJson
    timeout: int | float | str
    sensitive: NotRequired[str]


class StepConfigJson(TypedDict):
    """Of ROLLBACK_STEP_START, and a part of STEP_START."""

    config: ConfigJson
    timeoutMs: int
    delayMs: int | None


class OriginJson(TypedDict, total=False):
    """A part of each entry with which a step begins."""

    line: str
    parent: str
    nth: int
    shared: bool


class StepStartJson(StepConfigJson, OriginJson):
    """Of STEP_START."""

    rollback: NotRequired[StepConfigJson]


class SleepStartJson(OriginJson):
    """Of SLEEP_START."""

    durationMs: NotRequired[int]
    untilMs: int


class WaitStartJson(OriginJson):
    """Of WAIT_START."""

    event: str
    timeoutMs: int


class AttemptFailureJson(TracedFailureJson):
    """Of ATTEMPT_FAILURE and ROLLBACK_ATTEMPT_FAILURE."""

    asksDelay: NotRequired[bool]
    retryDelayMs: NotRequired[int]


class RetryDelayJson(TypedDict):
    """Of RETRY_DELAYED."""

    retryDelayMs: int


class InterruptionJson(TypedDict, total=False):
    """Of ATTEMPT_INTERRUPTED."""

    reason: str


RenamingJson = TypedDict("RenamingJson", {"from": str})  # of STEP_RENAMED


class SourceJson(TypedDict, total=False):
    """What created or ended an instance."""

    source: str


class ScheduleJson(TypedDict):
    """The tick that created an instance."""

    cron: str
    scheduledTime: int


class QueuedJson(TypedDict, total=False):
    """Of WORKFLOW_QUEUED."""

    trigger: SourceJson
    schedule: ScheduleJson
    retention: Mapping[str, int]
    restarted: bool


class CodeVersionJson(TypedDict, total=False):
    """Of WORKFLOW_START and CODE_CHANGED."""

    generation: int


class TerminationJson(TypedDict, total=False):
    """Of WORKFLOW_TERMINATED."""

    trigger: SourceJson


class ReceivedEventJson(TypedDict):
    """Of EVENT_RECEIVED."""

    event: str


class RollbackStartJson(TypedDict):
    """Of ROLLBACK_START."""

    triggerError: ErrorJson
    totalSteps: NotRequired[int]
    terminates: NotRequired[bool]
    traceback: NotRequired[str]


class RollbackEndJson(TypedDict, total=False):
    """Of ROLLBACK_COMPLETE and ROLLBACK_FAILED."""

    totalSteps: int
    completedSteps: int
    error: ErrorJson


class RestartStepJson(TypedDict, total=False):
    """The step of a restart."""

    name: str
    count: int
    type: str


# Of WORKFLOW_RESTARTED.
RestartPointJson = TypedDict("RestartPointJson", {"from": RestartStepJson}, total=False)


class ResumptionJson(TypedDict, total=False):
    """Of WORKFLOW_RESUMED."""

    accepted: bool
    fits: int
    renamed: Mapping[str, str]


class FindingJson(TypedDict):
    """One change that was found."""

    change: str
    kind: NotRequired[str]
    name: NotRequired[str]
    counts: NotRequired[Sequence[int]]
    newKind: NotRequired[str]
    newName: NotRequired[str]
    detail: NotRequired[str]
    line: NotRequired[str]
    done: NotRequired[bool]


class DivergenceJson(TypedDict):
    """All that was found in an instance. A line of `diff` has the members of `DiffLine`."""

    findings: NotRequired[Sequence[FindingJson]]
    diff: NotRequired[Sequence[tuple[str, str, str, int, str, str]]]
    missing: Sequence[str]
    later: NotRequired[Sequence[str]]
    stands: NotRequired[str]
    why: NotRequired[str]
    within: NotRequired[str]


class FoundDivergenceJson(TypedDict):
    """Of WORKFLOW_DIVERGED."""

    action: str
    generation: int
    divergence: DivergenceJson
