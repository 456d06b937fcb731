"""What to do when a guest calls a step, finishes an attempt, or a deadline passes. Pure.

Each function looks at the instance as recorded and returns a `Decision`: entries to record, and one
action, the answer to give once they are durable. Without an action the call waits. Nothing is
changed and nobody is told here.
Source: docs/platform/workflows.md, "A step from call to result", "Retries and delays", "Sleeping"
and "Events".
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeGuard

from emulator.durations import InvalidDuration, parse_duration_ms
from emulator.engine.actions import Action, Ask, Decision, Execute, Reject, Resolve
from emulator.engine.decide import payloads
from emulator.engine.decide.retries import (
    LONGEST_WAIT_MS,
    InvalidStepConfig,
    asked_delay_ms,
    may_retry,
    next_delay_ms,
    resolve_config,
    resolve_rollback_config,
    shown_config,
)
from emulator.engine.model.definition import STEP_LIMIT
from emulator.engine.model.entries import Entry
from emulator.engine.model.failure import ErrorInfo, Failure
from emulator.engine.model.identity import key_for
from emulator.engine.model.instance import Instance
from emulator.engine.model.kinds import EntryKind
from emulator.engine.model.places import SHARED
from emulator.engine.model.step import Step, StepState
from emulator.engine.model.step_data import (
    AttemptFailure,
    Interruption,
    Origin,
    RetryDelay,
    SharedStart,
    SleepStart,
    StepStart,
    WaitStart,
)
from emulator.engine.model.step_key import StepKey, StepKind, is_handler, step_key
from emulator.protocol import values
from emulator.protocol.runs import StepBegin

Json = Any

STEP_NAME_MAX_CHARS = 256  # workers-sdk workflows-shared/src/lib/validators.ts
VALUE_MAX_BYTES = 1_048_576  # docs "Limits": step result, params, event payload, 1 MiB
DEFAULT_EVENT_TIMEOUT_MS = 86_400_000
SHORTEST_EVENT_TIMEOUT_MS = 1_000


_EVENT_TYPE = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9\-_]{0,99}")
EVENT_TYPE = "1 to 100 letters, digits, hyphens and underscores"


def is_event_type(value: Json) -> TypeGuard[str]:
    """Whether events can be of this type. Source: docs/platform/workflows.md, "Identifiers"."""
    return isinstance(value, str) and _EVENT_TYPE.fullmatch(value) is not None


class _Kinds(NamedTuple):
    """The entries of a callback's attempts, and of its end."""

    attempt_start: EntryKind
    attempt_success: EntryKind
    attempt_failure: EntryKind
    success: EntryKind
    failure: EntryKind


_OF_STEP = _Kinds(
    EntryKind.ATTEMPT_START,
    EntryKind.ATTEMPT_SUCCESS,
    EntryKind.ATTEMPT_FAILURE,
    EntryKind.STEP_SUCCESS,
    EntryKind.STEP_FAILURE,
)
_OF_HANDLER = _Kinds(
    EntryKind.ROLLBACK_ATTEMPT_START,
    EntryKind.ROLLBACK_ATTEMPT_SUCCESS,
    EntryKind.ROLLBACK_ATTEMPT_FAILURE,
    EntryKind.ROLLBACK_STEP_SUCCESS,
    EntryKind.ROLLBACK_STEP_FAILURE,
)


def _kinds(key: str) -> _Kinds:
    return _OF_HANDLER if is_handler(key) else _OF_STEP


@dataclass(slots=True)
class StepCall:
    """A step as user code called it. `line` is `"src/entry.py:31"` or empty.

    `key`, made of kind, name and count, is the step's in its instance (`identity.py`).
    parent: key of the step whose callback called it; empty when `run()` did.
    nth: which call of this kind and name by its caller it is; 0 where the count says so.
    shared: it is a dependency, counted for all callers together.
    """

    kind: StepKind
    name: str
    count: int
    options: dict[str, Json]
    line: str = ""
    parent: str = ""
    nth: int = 0
    shared: bool = False
    key: str = field(init=False)

    @classmethod
    def of(cls, begun: StepBegin, kind: StepKind, parent: str, instance: Instance) -> StepCall:
        """Return the call that a message tells of; `parent`: key of the step, empty for `run()`."""
        name, options = begun.name, begun.options
        if not parent and not instance.places:
            return cls(kind, name, begun.count, options, begun.line)
        key, caller = key_for(instance, kind.value, begun, parent)
        count = StepKey.of(key).count
        if caller == SHARED:
            return cls(kind, name, count, options, begun.line, parent, begun.shared, True)
        return cls(kind, name, count, options, begun.line, parent, begun.count)

    @property
    def origin(self) -> Origin:
        """Where it was called from, as it is recorded."""
        return Origin(self.line, self.parent, self.nth, self.shared)

    def __post_init__(self) -> None:
        self.key = step_key(self.kind.value, self.name, self.count)


def begin(
    instance: Instance, call: StepCall, now_ms: int, step_limit: int = STEP_LIMIT
) -> Decision:
    """Decide what a step call gets: replayed, executed, made to wait, or refused."""
    step = instance.steps.get(call.key)
    if step is None and call.key in instance.aside:
        found = Entry(instance.key, now_ms, EntryKind.STEP_FOUND, call.key)
        decision = _again(instance, instance.aside[call.key], now_ms)
        return Decision([found, *decision.entries], decision.actions)
    if step is None:
        problem = "" if call.kind is StepKind.ROLLBACK else _name_problem(call.name)
        if problem:
            return Decision(actions=[Reject(ErrorInfo("WorkflowFatalError", problem))])
        match call.kind:
            case StepKind.DO:
                return _first_do(instance, call, now_ms, step_limit)
            case StepKind.SLEEP:
                return _first_sleep(instance, call, now_ms)
            case StepKind.WAIT:
                return _first_wait(instance, call, now_ms)
            case StepKind.ROLLBACK:
                return _first_rollback(instance, call, now_ms)
    return _again(instance, step, now_ms)


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
    """Decide what a passed deadline means for a step; None when nothing is due yet."""
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
    """Whether an encoded value exceeds what production stores of a result, params or a payload."""
    if len(value) <= VALUE_MAX_BYTES:
        return False
    # Of a value far too large nothing need be counted: bytes count three quarters of their base64.
    return len(value) > 2 * VALUE_MAX_BYTES or values.size(value) > VALUE_MAX_BYTES


def succeed(instance: Instance, step: Step, value: bytes, now_ms: int) -> Decision:
    """Decide what a returned callback means: recorded, or too large and therefore failed."""
    if is_too_large(value):
        error = ErrorInfo(
            "WorkflowInternalError",
            f"Step {step.label} output is too large. Maximum allowed size is 1MiB.",
        )
        return fail(instance, step, error, now_ms)
    key, kinds = instance.key, _kinds(step.key)
    return Decision(
        [
            Entry(key, now_ms, kinds.attempt_success, step.key, step.attempts),
            Entry(key, now_ms, kinds.success, step.key, value=value),
        ],
        [Resolve()],
    )


def stored(instance: Instance, step: Step, stream: bytes, now_ms: int) -> Decision:
    """Decide what a stream means that has been kept to its end; `stream` is its recorded value."""
    decision = succeed(instance, step, stream, now_ms)
    return Decision(decision.entries, [Resolve(stream)])


def fail(instance: Instance, step: Step, error: ErrorInfo, now_ms: int) -> Decision:
    """Decide what a failed attempt means: another one later, or the end of the step."""
    kinds = _kinds(step.key)
    failure = AttemptFailure(error)
    follows: list[Action] = []
    end: list[Entry] = []
    if not may_retry(step, error):
        end = [Entry(instance.key, now_ms, kinds.failure, step.key, data=Failure(error))]
        follows = [Reject(error)]
    elif step.delay_ms is None:
        failure = AttemptFailure(error, asks_delay=True)
        follows = [Ask(step.attempts, error)]
    else:
        backoff = step.config["retries"]["backoff"]
        failure = AttemptFailure(error, next_delay_ms(step.delay_ms, backoff, step.charged + 1))
    attempt = Entry(instance.key, now_ms, kinds.attempt_failure, step.key, step.attempts, failure)
    return Decision([attempt, *end], follows)


def delayed(instance: Instance, step: Step, given: Json, problem: str, now_ms: int) -> Decision:
    """Decide what a delay function means that returned `given`, or did not: `problem` says why.

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
    """Return the entry for an attempt that was cut off through no fault of the user's code.

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
    """Give the oldest buffered event of its type to a waiting step."""
    at_ms, payload = instance.events[step.event_type][0]
    value = payloads.received_event(step.event_type, at_ms, payload)
    entry = Entry(instance.key, now_ms, EntryKind.WAIT_COMPLETE, step.key, value=value)
    return Decision([entry], [Resolve(value)])


def _first_do(instance: Instance, call: StepCall, now_ms: int, step_limit: int) -> Decision:
    if instance.do_steps >= step_limit:
        message = (
            f"The limit of {step_limit} steps has been reached."
            " This limit can be changed in your worker configuration."
        )
        return Decision(actions=[Reject(ErrorInfo("WorkflowFatalError", message))])
    data = _default_start(call.line)
    if call.options or call.nth:
        try:
            data = _given_start(call)
        except InvalidStepConfig as error:
            return _refused(call, str(error))
    start = Entry(instance.key, now_ms, EntryKind.STEP_START, call.key, data=data)
    attempt = _attempt_start(instance, call.key, 1, now_ms)
    return Decision([start, attempt], [Execute(1, shown_config(data.config.config))])


def _given_start(call: StepCall) -> StepStart:
    """Return what is recorded with the start of a `do` with options. Raises InvalidStepConfig."""
    config = resolve_config(call.options.get("config"))
    rollback = None
    if "rollback" in call.options:
        rollback = resolve_rollback_config(call.options["rollback"])
    return StepStart(config, call.origin, rollback)


@functools.lru_cache(maxsize=1024)
def _default_start(line: str) -> StepStart:
    """The same for a step without a configuration of its own, as most are."""
    return SharedStart.shared(resolve_config(None), Origin(line))


def _first_rollback(instance: Instance, call: StepCall, now_ms: int) -> Decision:
    """The configuration was checked, and recorded, when the step itself began."""
    step = instance.steps[step_key(StepKind.DO, call.name, call.count)]
    assert step.rollback is not None
    start = Entry(instance.key, now_ms, EntryKind.ROLLBACK_STEP_START, call.key, data=step.rollback)
    attempt = _attempt_start(instance, call.key, 1, now_ms)
    return Decision([start, attempt], [Execute(1, step.rollback.config)])


def _first_sleep(instance: Instance, call: StepCall, now_ms: int) -> Decision:
    if "timestamp" in call.options:
        until_ms = call.options["timestamp"]
        if (
            isinstance(until_ms, bool)
            or not isinstance(until_ms, int | float)
            or not math.isfinite(until_ms)
        ):
            return _refused(call, f"the time is {until_ms!r}; expected a datetime")
        if until_ms < now_ms:
            message = "You can't sleep until a time in the past, time-traveler"
            return Decision(actions=[Reject(ErrorInfo("Error", message))])
        duration_ms = int(until_ms) - now_ms
    else:
        try:
            duration_ms = parse_duration_ms(call.options.get("duration"))
        except InvalidDuration as error:
            return _refused(call, f"the duration is {error}")
    if duration_ms > LONGEST_WAIT_MS:
        return _refused(call, "it sleeps for more than 365 days, the longest production allows")
    data = SleepStart(duration_ms, now_ms + duration_ms, call.origin)
    return Decision([Entry(instance.key, now_ms, EntryKind.SLEEP_START, call.key, data=data)])


def _first_wait(instance: Instance, call: StepCall, now_ms: int) -> Decision:
    event_type = call.options.get("type")
    if not is_event_type(event_type):  # an event of another type can never be sent
        return _refused(call, f"the event type is {event_type!r}; expected {EVENT_TYPE}")
    try:
        timeout_ms = parse_duration_ms(call.options.get("timeout") or DEFAULT_EVENT_TIMEOUT_MS)
    except InvalidDuration as error:
        return _refused(call, f"timeout is {error}")
    if not SHORTEST_EVENT_TIMEOUT_MS <= timeout_ms <= LONGEST_WAIT_MS:
        return _refused(
            call, f"timeout is {call.options['timeout']!r}; expected 1 second to 365 days"
        )
    data = WaitStart(event_type, timeout_ms, call.origin)
    start = Entry(instance.key, now_ms, EntryKind.WAIT_START, call.key, data=data)
    if not instance.events.get(event_type):
        return Decision([start])
    at_ms, payload = instance.events[event_type][0]
    value = payloads.received_event(event_type, at_ms, payload)
    end = Entry(instance.key, now_ms, EntryKind.WAIT_COMPLETE, call.key, value=value)
    return Decision([start, end], [Resolve(value)])


def _again_after_interruption(instance: Instance, step: Step, now_ms: int, reason: str) -> Decision:
    entries = [
        interrupt(instance, step, now_ms, reason),
        _attempt_start(instance, step.key, step.attempts + 1, now_ms),
    ]
    return Decision(entries, [Execute(step.attempts + 1, shown_config(step.config))])


def _attempt(instance: Instance, step: Step, now_ms: int) -> Decision:
    attempt = step.attempts + 1
    entry = _attempt_start(instance, step.key, attempt, now_ms)
    return Decision([entry], [Execute(attempt, shown_config(step.config))])


def _attempt_start(instance: Instance, key: str, attempt: int, now_ms: int) -> Entry:
    return Entry(instance.key, now_ms, _kinds(key).attempt_start, key, attempt)


def _wait_timed_out(instance: Instance, step: Step, now_ms: int) -> Decision:
    error = ErrorInfo("WorkflowTimeoutError", f"Execution timed out after {step.timeout_ms}ms")
    entry = Entry(instance.key, now_ms, EntryKind.WAIT_TIMED_OUT, step.key, data=Failure(error))
    return Decision([entry], [Reject(error)])


def _name_problem(name: str) -> str:
    if name.isprintable() and len(name) <= STEP_NAME_MAX_CHARS:
        return ""
    # A lone surrogate, legal in JavaScript strings, is no text and cannot be stored as such.
    unusable = any(c < " " or "\ud800" <= c <= "\udfff" for c in name)
    if unusable or len(name) > STEP_NAME_MAX_CHARS:
        return (
            f'Step name "{name}" exceeds max length ({STEP_NAME_MAX_CHARS} chars)'
            " or invalid characters found"
        )
    return ""


def _refused(call: StepCall, problem: str) -> Decision:
    where = f"{call.line}: " if call.line else ""
    message = f'{where}step "{call.name}": {problem}'
    return Decision(actions=[Reject(ErrorInfo("WorkflowFatalError", message))])
