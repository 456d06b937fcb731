"""Retries: whether another attempt of a step follows, and how long to wait for it. Pure.

Source: docs/platform/workflows.md, "Retries and delays".
"""

from __future__ import annotations

from emulator.durations import InvalidDuration, parse_duration_ms
from emulator.engine.decide.step_config import LONGEST_WAIT_MS
from emulator.engine.model.failure import ErrorInfo
from emulator.engine.model.step import Step
from emulator.engine.model.step_key import StepKind

NON_RETRYABLE = "NonRetryableError"
# A guest's error when user code has not given the handler again.
# Source: docs/platform/workflows.md, "Rollbacks".
ROLLBACK_MISSING = "RollbackMissing"


def next_delay_ms(delay_ms: int, backoff: str, failed: int) -> int:
    """Return how long to wait before the next attempt, in ms.

    `failed` counts from 1 and is how many attempts have failed so far.
    Source: https://github.com/cloudflare/workers-sdk/blob/main/packages/workflows-shared/src/lib/retries.ts
    (calcRetryDuration).
    """
    match backoff:
        case "constant":
            factor = 1
        case "linear":
            factor = failed
        case _:
            factor = 2 ** min(failed - 1, 64)
    return min(delay_ms * factor, LONGEST_WAIT_MS)


def may_retry(step: Step, error: ErrorInfo) -> bool:
    """Whether another attempt of `step` follows the one that failed with `error`."""
    return not is_final(step, error) and step.charged + 1 <= step.config["retries"]["limit"]


def asked_delay_ms(step: Step, given: object) -> int | None:
    """Return the wait for the result of a delay function, in ms; None if it is not a duration.

    The backoff applies, as for any other delay.
    Source: docs/platform/workflows.md, "Delay functions".
    """
    try:
        delay_ms = parse_duration_ms(given)
    except InvalidDuration:
        return None
    return next_delay_ms(delay_ms, step.config["retries"]["backoff"], step.charged)


def is_final(step: Step, error: ErrorInfo) -> bool:
    """Whether no further attempt of `step`, or of a rollback handler, can follow this error."""
    return is_non_retryable(error) or (
        step.kind is StepKind.ROLLBACK and error.name == ROLLBACK_MISSING
    )


def is_non_retryable(error: ErrorInfo) -> bool:
    """Return whether user code forbids a further attempt.

    Source: docs/platform/workflows.md, "NonRetryableError".
    """
    return error.name == NON_RETRYABLE or error.message.startswith(NON_RETRYABLE)
