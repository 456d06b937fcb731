"""The errors that an instance or an attempt ends with, as they are recorded."""

from __future__ import annotations

import pytest

from emulator.engine.decide import endings
from emulator.engine.model.definition import Definition
from emulator.engine.model.entries import members_of
from emulator.engine.model.failure import (
    LATER_TRACEBACK_MAX_BYTES,
    TRACEBACK_MAX_BYTES,
    TRACED_ATTEMPTS,
    ErrorInfo,
    kept_traceback,
)
from emulator.engine.model.instance import Instance
from emulator.engine.model.step import Step, StepState
from emulator.engine.model.step_key import step_key

PLAIN = Definition("orders", "Orders", plain_non_retryable=True)
WORDED = Definition("orders", "Orders", plain_non_retryable=False)


@pytest.mark.parametrize("definition", [PLAIN, WORDED, None])
@pytest.mark.parametrize("name", ["NonRetryableError", "Error"])
def test_only_a_non_retryable_error_is_worded_anew_and_only_without_the_flag(
    name: str, definition: Definition | None
) -> None:
    error = ErrorInfo(name, "no")
    worded = ErrorInfo(
        "WorkflowFatalError",
        "The execution of the Workflow instance was terminated, as a step threw an"
        " NonRetryableError and it was not handled",
    )

    is_worded = definition is WORDED and name == "NonRetryableError"
    assert endings.raised(error, definition) == (worded if is_worded else error)


def test_a_lost_guest_fails_its_attempts_with_an_internal_error() -> None:
    assert endings.guest_lost("killed") == ErrorInfo(
        "WorkflowInternalError", "Attempt failed due to internal workflows error: killed"
    )


def test_a_stream_over_the_storage_limit_fails_its_attempt_and_its_step_by_that_name() -> None:
    step = Step(step_key("do", "export", 1), StepState.RUNNING)
    entries = endings.storage_full(Instance(1, "orders", "a"), step, 5)
    text = "The instance has exceeded the 1GiB storage limit"

    found = [members_of(entry)["error"] for entry in entries]
    limit = {"name": "StreamOutputStorageLimitError", "message": text}
    assert found == [limit, limit, {"name": "WorkflowFatalError", "message": text}]


@pytest.mark.parametrize(
    ("attempt", "limit"),
    [(TRACED_ATTEMPTS, TRACEBACK_MAX_BYTES), (TRACED_ATTEMPTS + 1, LATER_TRACEBACK_MAX_BYTES)],
)
def test_a_traceback_is_kept_whole_up_to_its_limit_and_then_without_its_middle(
    attempt: int, limit: int
) -> None:
    whole = "é" * (limit // 2)
    long = f"first line\n{'é' * limit}\nlast line"

    kept = kept_traceback(long, attempt)

    assert kept_traceback(whole, attempt) == whole
    assert kept.startswith("first line\n") and kept.endswith("\nlast line")
    assert limit < len(kept.encode()) < limit + 60
