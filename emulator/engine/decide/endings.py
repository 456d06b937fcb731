"""How an instance ends: the entries when `run()` returns, raises or loses its guest. Pure.

Source: docs/platform/workflows.md, "How an instance ends" and "Errors".
"""

from __future__ import annotations

from emulator.engine.decide import steps
from emulator.engine.decide.retries import NON_RETRYABLE
from emulator.engine.model.definition import Definition
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.failure import ErrorInfo, Failure, TracedFailure, kept_traceback
from emulator.engine.model.instance import Instance
from emulator.engine.model.step import Step
from emulator.engine.model.step_entries import AttemptFailure


def problem_of(output: bytes) -> ErrorInfo | None:
    """Return why `run()` cannot return `output`: the limit is 1 MiB, as for a step."""
    if not steps.is_too_large(output):
        return None
    text = "Workflow output is too large. Maximum allowed size is 1MiB."
    return ErrorInfo("WorkflowInternalError", text)


def succeeded(instance: Instance, output: bytes, now_ms: int) -> Entry:
    """Return the entry that ends an instance whose `run()` returned."""
    return Entry(instance.key, now_ms, EntryKind.WORKFLOW_SUCCESS, value=output)


def raised(error: ErrorInfo, definition: Definition | None) -> ErrorInfo:
    """Return the error of an instance whose `run()` raised `error`; it is never retried."""
    if error.name == NON_RETRYABLE and definition and not definition.plain_non_retryable:
        return ErrorInfo(
            "WorkflowFatalError",
            "The execution of the Workflow instance was terminated, as a step threw an"
            " NonRetryableError and it was not handled",
        )
    return error


def failed(instance: Instance, error: ErrorInfo, now_ms: int, traceback: str = "") -> Entry:
    """Return the entry that ends an instance with `error`. traceback: of its `run()`."""
    data = TracedFailure(error, kept_traceback(traceback))
    return Entry(instance.key, now_ms, EntryKind.WORKFLOW_FAILURE, data=data)


def not_serialisable(instance: Instance, step: Step, detail: str, now_ms: int) -> list[Entry]:
    """Return the entries for a step value that cannot be cloned: no retry, the instance ends."""
    error = ErrorInfo(
        "WorkflowFatalError",
        f'Value returned from step "{step.name}" is not serialisable: {detail}',
    )
    text = f"{_terminated_by(step)} returned a value which is not serialisable"
    return _fatal(instance, step, error, text, now_ms)


def invalid_stream(instance: Instance, step: Step, error: ErrorInfo, now_ms: int) -> list[Entry]:
    """Return the entries for a stream that cannot be kept.

    Source: docs/platform/workflows.md, "Streams".
    """
    text = f"{_terminated_by(step)} returned an invalid ReadableStream output. {error.message}"
    return _fatal(instance, step, error, text, now_ms)


def storage_full(instance: Instance, step: Step, now_ms: int) -> list[Entry]:
    """Return the entries for a stream that is too large.

    Source: docs/platform/workflows.md, "Errors".
    """
    text = "The instance has exceeded the 1GiB storage limit"
    error = ErrorInfo("StreamOutputStorageLimitError", text)
    return _fatal(instance, step, error, text, now_ms)


def _terminated_by(step: Step) -> str:
    return f'The execution of the Workflow instance was terminated, as the step "{step.name}"'


def _fatal(instance: Instance, step: Step, error: ErrorInfo, text: str, now_ms: int) -> list[Entry]:
    key, failure = instance.key, AttemptFailure(error)
    return [
        Entry(key, now_ms, EntryKind.ATTEMPT_FAILURE, step.key, step.attempts, failure),
        Entry(key, now_ms, EntryKind.STEP_FAILURE, step.key, data=Failure(error)),
        failed(instance, ErrorInfo("WorkflowFatalError", text), now_ms),
    ]


def hopeless(instance: Instance, losses: int, reason: str, now_ms: int) -> Entry:
    """Return the entry for an instance whose code outside steps took several guests down."""
    text = f"The worker went away {losses} times while it ran this instance: {reason}"
    return failed(instance, ErrorInfo("WorkflowInternalError", text), now_ms)


def guest_lost(reason: str) -> ErrorInfo:
    """Return the error of an attempt whose guest went away.

    Source: docs/platform/workflows.md, "A step from call to result".
    """
    return ErrorInfo(
        "WorkflowInternalError", f"Attempt failed due to internal workflows error: {reason}"
    )
