"""The answers about workflows: lists, details of an instance, steps, the journal.

Times are ISO 8601 texts in UTC, except `timestamp` of a log event, in epoch milliseconds.
Source: docs/platform/workflows-rest.md, "REST" and "An instance over REST".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired, Required, TypedDict

from emulator.json_types import Json


class PageInfo(TypedDict):
    """`result_info` of a list."""

    page: int
    per_page: int
    count: int
    total_count: int
    total_pages: int
    cursor: NotRequired[str]
    status_counts: NotRequired[dict[str, int]]


class Tick(TypedDict):
    """A schedule of a workflow, and when it next makes an instance."""

    cron: str
    next_instance: str


class NamedWorkflow(TypedDict):
    """A workflow, without counts."""

    id: str
    name: str
    class_name: str
    script_name: str
    created_on: str
    modified_on: str
    triggered_on: str | None
    schedules: list[Tick]


class CountedWorkflow(NamedWorkflow):
    """A workflow in lists. `instances`: how many have each status."""

    instances: dict[str, int]


class DeployedWorkflow(NamedWorkflow):
    """The answer to `PUT`. The numbers are 0 or 1."""

    is_deleted: int
    terminator_running: int
    version_id: str


class StepLimit(TypedDict):
    """The limits of a version."""

    steps: int


class KeptFor(TypedDict):
    """How long ended instances are kept, in milliseconds."""

    success_retention: int
    error_retention: int


class Version(TypedDict):
    """A version of the code of a workflow."""

    id: str
    class_name: str
    created_on: str
    modified_on: str
    workflow_id: str
    language: str
    limits: StepLimit
    default_retention: KeptFor
    has_dag: bool


class CreatedInstance(TypedDict):
    """The answer to the creation of an instance."""

    id: str
    status: str
    version_id: str
    workflow_id: str
    trigger_source: str


class ListedInstance(CreatedInstance):
    """An instance in lists."""

    created_on: str
    modified_on: str
    started_on: str | None
    ended_on: str | None


class ErrorDetail(TypedDict):
    """An error of user code, or the platform's."""

    name: str
    message: str


class Trigger(TypedDict):
    """What created or ended an instance: "api", "binding", "cron", "unknown"."""

    source: str


class ScheduleDetail(TypedDict):
    """The tick that created an instance; the time is in epoch milliseconds."""

    cron: str
    scheduledTime: int


class RollbackDetail(TypedDict):
    """How a rollback ended: "complete" or "failed"."""

    outcome: str
    error: ErrorDetail | None


class AttemptDetail(TypedDict):
    """One attempt of a step. `success` is null while it runs.

    `traceback`, our own: where its error was raised.
    """

    start: str
    end: str | None
    success: bool | None
    error: ErrorDetail | None
    traceback: NotRequired[str]


class RetriesDetail(TypedDict):
    """The retries of a step. `delay` stands as user code wrote it; for a function "[dynamic]"."""

    limit: int | float
    delay: int | float | str
    backoff: str


class ConfigDetail(TypedDict):
    """The complete configuration of a step."""

    retries: RetriesDetail
    timeout: int | float | str
    sensitive: NotRequired[str]


class StepDetail(TypedDict, total=False):
    """One step of an instance, or its termination; `type` says which members there are.

    All but a termination have `name`, `start`, `end` and `line`, our own: the place in the code.
    `step` and `rollback`: `success`, `config`, `attempts`, and `output` after a success.
    `sleep`: `finished`, `error`. `waitForEvent`: these, `event_type` and `output`.
    `termination`: `trigger`. `due`, our own: when a sleep, wait or retry delay ends.
    """

    type: Required[str]
    name: str
    start: str
    end: str | None
    line: str
    success: bool | None
    config: ConfigDetail
    attempts: list[AttemptDetail]
    output: Json
    finished: bool
    error: ErrorDetail | None
    event_type: str
    trigger: Trigger
    due: str


class HeldDetail(TypedDict):
    """Why an instance is held: a sentence for each finding."""

    found: list[str]


class InstanceDetail(TypedDict):
    """All about one instance. `success` is null until it ends.

    `held` and `traceback`, our own: why it is held, and where its error was raised.
    """

    status: str
    params: Json
    trigger: Trigger
    schedule: NotRequired[ScheduleDetail]
    versionId: str
    queued: str | None
    start: str | None
    end: str | None
    success: bool | None
    error: ErrorDetail | None
    rollback: RollbackDetail | None
    output: Json
    step_count: int
    steps: list[StepDetail]
    held: NotRequired[HeldDetail]
    traceback: NotRequired[str]


class DetailInfo(TypedDict):
    """`result_info` of an instance: the server's time."""

    now: str


class StepResult(TypedDict):
    """One step, or one attempt of it, with its whole output."""

    status: str
    error: ErrorDetail | None
    output: Json
    event_type: NotRequired[str]


class StatusChange(TypedDict):
    """The status after a change. `resumed`: the ids of held instances that go on."""

    status: str
    timestamp: str
    resumed: NotRequired[list[str]]


class ForkedInstance(TypedDict):
    """The answer to a fork."""

    id: str


class Difference(TypedDict):
    """One difference of two instances: where, and what each has there, "absent" for nothing."""

    where: str
    one: Json
    other: Json


class Comparison(TypedDict):
    """The answer to a comparison of two instances."""

    differences: list[Difference]


class SkippedWait(TypedDict):
    """What was skipped: a "sleep", "waitForEvent" or "retry"."""

    name: str
    type: str
    due: str


class NamedInstance(TypedDict):
    """One instance of a batch that was created or deleted."""

    id: str


class CreationError(TypedDict):
    """Why one item of a batch was not created; `index` is its position in the batch."""

    index: int
    id: str
    code: int
    message: str


class BatchCreation(TypedDict):
    """The answer to the object form of `createBatch`."""

    created: list[NamedInstance]
    errors: list[CreationError]


class InstanceStatus(TypedDict):
    """The answer to `status()` of the binding; `output` is a decoded value."""

    status: str
    error: ErrorDetail | None
    output: object
    rollback: RollbackDetail | None


class BatchError(TypedDict):
    """Why one instance of a batch was not deleted."""

    id: str
    code: int
    message: str


class BatchDeletion(TypedDict):
    """The answer to the deletion of several instances."""

    deleted: list[NamedInstance]
    errors: list[BatchError]


class WorkflowSize(TypedDict):
    """How much of the journal one workflow takes."""

    name: str
    instances: int
    entries: int
    bytes: int


class InstanceSize(TypedDict):
    """How much of the journal one instance takes."""

    workflow: str
    id: str
    status: str
    entries: int
    bytes: int


class JournalSizes(TypedDict):
    """How much the journal takes; `free_bytes` are a part of `file_bytes`."""

    path: str
    file_bytes: int
    log_bytes: int
    free_bytes: int
    workflows: list[WorkflowSize]
    largest_instances: list[InstanceSize]


class Pruned(TypedDict):
    """How many instances were pruned, and how many bytes the disk got back."""

    pruned: int
    freed_bytes: int


class LocalFacts(TypedDict, total=False):
    """What only Groundfog knows of a log event."""

    line: str
    generation: int
    durationMs: int
    action: str
    traceback: str
    divergence: Mapping[str, Json]


class LogEventDetail(TypedDict, total=False):
    """One event of the event log; the members after `type` depend on the type."""

    instanceId: Required[str]
    eventId: Required[int]
    timestamp: Required[int]
    type: Required[str]
    stepName: str
    attempt: int
    eventType: str
    durationMs: int
    error: ErrorDetail
    retryDelayMs: int | None
    oldName: str
    config: ConfigDetail
    params: Json
    payload: Json
    output: Json
    local: LocalFacts


class HistoryEntry(TypedDict):
    """One entry of an exported history. `value`: tagged JSON, or what a sensitive step shows."""

    at: int
    kind: str
    step: NotRequired[str]
    attempt: NotRequired[int]
    data: NotRequired[Mapping[str, object]]
    value: NotRequired[Json]


class HistoryDocument(TypedDict):
    """The exported history of an instance. `docs/reload.md` describes it."""

    format: str
    version: int
    workflow: str
    id: str
    entries: list[HistoryEntry]
