"""What follows when a guest calls a step or ends an attempt, or a deadline passes. Pure.

Each function looks at the instance as recorded and returns a `Decision`: entries to record, and one
action, the answer to give once they are durable. Without an action the call waits. Nothing is
changed and nobody is told here.
Source: docs/platform/workflows.md, "A step from call to result", "Retries and delays", "Sleeping"
and "Events".
"""

from __future__ import annotations

from emulator.engine.actions import Action, Ask, Decision, Execute, Reject, Resolve
from emulator.engine.decide import payloads
from emulator.engine.decide.attempts import attempt_kinds, attempt_start
from emulator.engine.decide.beginnings import first
from emulator.engine.decide.retries import asked_delay_ms, may_retry, next_delay_ms
from emulator.engine.decide.step_call import StepCall
from emulator.engine.decide.step_config import shown_config
from emulator.engine.model.definition import STEP_LIMIT
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.failure import ErrorInfo, Failure, kept_traceback
from emulator.engine.model.instance import Instance
from emulator.engine.model.step import Step, StepState
from emulator.engine.model.step_entries import AttemptFailure, Interruption, RetryDelay
from emulator.json_types import Json
from emulator.protocol import values

# A step's result, params, an event's payload. Source: docs/platform/workflows.md, "Limits".
VALUE_MAX_BYTES = 1_048_576


def begin(
    instance: Instance, call: StepCall, now_ms: int, step_limit: int = STEP_LIMIT
) -> Decision:
    """Decide what a step call gets: its recorded result, an execution, a wait, or a refusal."""
    step = instance.steps.get(call.key)
    if step is not None:
        return _again(instance, step, now_ms)
    if call.key not in instance.aside:
        return first(instance, call, now_ms, step_limit)
    found = Entry(instance.key, now_ms, EntryKind.STEP_FOUND, call.key)
    decision = _again(instance, instance.aside[call.key], now_ms)
    return Decision([found, *decision.entries], decision.actions)


def _again(instance: Instance, step: Step, now_ms: int) -> Decision:
    """Decide what a call of a recorded step gets."""
    match step.state:
        case StepState.SUCCEEDED:
            return Decision(actions=[Resolve(step.value)])
        case StepState.FAILED:
            return Decision(actions=[Reject(step.error or ErrorInfo("Error", ""))])
        case StepState.RUNNING:
            return _again_after_interruption(instance, step, now_ms, "restart")
        case StepState.STARTED:
            return _attempt(instance, step, now_ms)
        case StepState.DELAYING:
            return Decision(actions=[_ask(step)])
        case StepState.RETRYING | StepState.SLEEPING:
            return due(instance, step, now_ms) or Decision()
        case StepState.WAITING:
            late = due(instance, step, now_ms)
            if late is None and instance.events.get(step.event_type):
                return deliver(instance, step, now_ms)
            return late or Decision()


def due(instance: Instance, step: Step, now_ms: int) -> Decision | None:
    """Decide what follows for a step when a deadline has passed; None if nothing is due yet."""
    if step.due_ms is None or step.due_ms > now_ms:
        return None
    match step.state:
        case StepState.RETRYING:
            return _attempt(instance, step, now_ms)
        case StepState.SLEEPING:
            entry = Entry(instance.key, now_ms, EntryKind.SLEEP_COMPLETE, step.key)
            return Decision([entry], [Resolve()])
        case StepState.WAITING:
            arrived = instance.events.get(step.event_type)
            if arrived and arrived[0][0] <= step.due_ms:  # in time, while the instance was held
                return deliver(instance, step, now_ms)
            return _wait_timed_out(instance, step, now_ms)
        case StepState.RUNNING:
            error = ErrorInfo(
                "WorkflowTimeoutError", f"Execution timed out after {step.timeout_ms}ms"
            )
            return fail(instance, step, error, now_ms)
        case _:
            return None


def is_too_large(value: bytes) -> bool:
    """Whether an encoded value is over production's limit for a result, params or a payload."""
    if len(value) <= VALUE_MAX_BYTES:
        return False
    # A value that is far too large need not be counted: bytes are three quarters of their base64.
    return len(value) > 2 * VALUE_MAX_BYTES or values.size(value) > VALUE_MAX_BYTES


def succeed(instance: Instance, step: Step, value: bytes, now_ms: int) -> Decision:
    """Decide what follows when a callback returned: its value is recorded, or is too large."""
    if is_too_large(value):
        error = ErrorInfo(
            "WorkflowInternalError",
            f"Step {step.label} output is too large. Maximum allowed size is 1MiB.",
        )
        return fail(instance, step, error, now_ms)
    key, kinds = instance.key, attempt_kinds(step.key)
    return Decision(
        [
            Entry(key, now_ms, kinds.attempt_success, step.key, step.attempts),
            Entry(key, now_ms, kinds.success, step.key, value=value),
        ],
        [Resolve()],
    )


def stored(instance: Instance, step: Step, stream: bytes, now_ms: int) -> Decision:
    """Decide what follows when a whole stream is stored; `stream` is its recorded value."""
    decision = succeed(instance, step, stream, now_ms)
    return Decision(decision.entries, [Resolve(stream)])


def fail(
    instance: Instance, step: Step, error: ErrorInfo, now_ms: int, traceback: str = ""
) -> Decision:
    """Decide what follows after a failed attempt: another one later, or the end of the step."""
    kinds = attempt_kinds(step.key)
    traceback = kept_traceback(traceback, step.attempts)
    failure = AttemptFailure(error, traceback=traceback)
    follows: list[Action] = []
    end: list[Entry] = []
    if not may_retry(step, error):
        end = [Entry(instance.key, now_ms, kinds.failure, step.key, data=Failure(error))]
        follows = [Reject(error)]
    elif step.delay_ms is None:
        failure = AttemptFailure(error, asks_delay=True, traceback=traceback)
        follows = [Ask(step.attempts, error)]
    else:
        backoff = step.config["retries"]["backoff"]
        delay_ms = next_delay_ms(step.delay_ms, backoff, step.charged + 1)
        failure = AttemptFailure(error, delay_ms, traceback=traceback)
    attempt = Entry(instance.key, now_ms, kinds.attempt_failure, step.key, step.attempts, failure)
    return Decision([attempt, *end], follows)


def delayed(instance: Instance, step: Step, given: Json, problem: str, now_ms: int) -> Decision:
    """Decide what follows when a delay function returned `given`, or failed with `problem`.

    Source: docs/platform/workflows.md, "Delay functions".
    """
    delay_ms = None if problem else asked_delay_ms(step, given)
    if delay_ms is not None:
        data = RetryDelay(delay_ms)
        return Decision(
            [Entry(instance.key, now_ms, EntryKind.RETRY_DELAYED, step.key, step.attempts, data)]
        )
    why = problem or (
        "returned an invalid delay value"
        ' (expected a number of ms or a duration string like "30 seconds")'
    )
    text = f'The delay function for step "{step.label}" {why}'
    error = ErrorInfo("NonRetryableDelayError", text)
    end = Entry(instance.key, now_ms, EntryKind.STEP_FAILURE, step.key, data=Failure(error))
    return Decision([end], [Reject(error)])


def _ask(step: Step) -> Ask:
    return Ask(step.attempts, step.error or ErrorInfo("Error", ""))


def interrupt(instance: Instance, step: Step, now_ms: int, reason: str) -> Entry:
    """Return the entry for an attempt that was cut off, but not because of the user's code.

    It keeps its number and does not count against the user's retries.
    """
    return Entry(
        instance.key,
        now_ms,
        EntryKind.ATTEMPT_INTERRUPTED,
        step.key,
        step.attempts,
        Interruption(reason),
    )


def deliver(instance: Instance, step: Step, now_ms: int) -> Decision:
    """Give a waiting step the oldest buffered event of its type."""
    at_ms, payload = instance.events[step.event_type][0]
    value = payloads.received_event(step.event_type, at_ms, payload)
    entry = Entry(instance.key, now_ms, EntryKind.WAIT_COMPLETE, step.key, value=value)
    return Decision([entry], [Resolve(value)])


def _again_after_interruption(instance: Instance, step: Step, now_ms: int, reason: str) -> Decision:
    entries = [
        interrupt(instance, step, now_ms, reason),
        attempt_start(instance, step.key, step.attempts + 1, now_ms),
    ]
    return Decision(entries, [Execute(step.attempts + 1, shown_config(step.config))])


def _attempt(instance: Instance, step: Step, now_ms: int) -> Decision:
    attempt = step.attempts + 1
    entry = attempt_start(instance, step.key, attempt, now_ms)
    return Decision([entry], [Execute(attempt, shown_config(step.config))])


def _wait_timed_out(instance: Instance, step: Step, now_ms: int) -> Decision:
    error = ErrorInfo("WorkflowTimeoutError", f"Execution timed out after {step.timeout_ms}ms")
    entry = Entry(instance.key, now_ms, EntryKind.WAIT_TIMED_OUT, step.key, data=Failure(error))
    return Decision([entry], [Reject(error)])
