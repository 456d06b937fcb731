"""What the first call of a step gets: it begins, it waits, or it is refused. Pure.

Source: docs/platform/workflows.md, "A step from call to result", "Sleeping" and "Events".
"""

from __future__ import annotations

import functools
import math
import re
from typing import TypeGuard

from emulator.durations import InvalidDuration, parse_duration_ms
from emulator.engine.actions import Decision, Execute, Reject, Resolve
from emulator.engine.decide import payloads
from emulator.engine.decide.attempts import attempt_start
from emulator.engine.decide.step_call import StepCall
from emulator.engine.decide.step_config import (
    LONGEST_WAIT_MS,
    InvalidStepConfig,
    resolve_config,
    resolve_rollback_config,
    shown_config,
)
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.failure import ErrorInfo
from emulator.engine.model.instance import Instance
from emulator.engine.model.step_entries import Origin, SharedStart, SleepStart, StepStart, WaitStart
from emulator.engine.model.step_key import StepKind, step_key
from emulator.json_types import Json

# Source: https://github.com/cloudflare/workers-sdk/blob/main/packages/workflows-shared/src/lib/validators.ts
STEP_NAME_MAX_CHARS = 256
DEFAULT_EVENT_TIMEOUT_MS = 86_400_000
SHORTEST_EVENT_TIMEOUT_MS = 1_000

_EVENT_TYPE = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9\-_]{0,99}")
EVENT_TYPE = "1 to 100 letters, digits, hyphens and underscores"


def is_event_type(value: Json) -> TypeGuard[str]:
    """Whether events can be of this type. Source: docs/platform/workflows.md, "Identifiers"."""
    return isinstance(value, str) and _EVENT_TYPE.fullmatch(value) is not None


def first(instance: Instance, call: StepCall, now_ms: int, step_limit: int) -> Decision:
    """Decide what the first call of a step gets."""
    name = call.name
    is_plain = name.isprintable() and len(name) <= STEP_NAME_MAX_CHARS
    problem = "" if is_plain or call.kind is StepKind.ROLLBACK else _name_problem(name)
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
    attempt = attempt_start(instance, call.key, 1, now_ms)
    return Decision([start, attempt], [Execute(1, shown_config(data.config.config))])


def _given_start(call: StepCall) -> StepStart:
    """Return the data of the entry for a `do` with options. Raises InvalidStepConfig."""
    config = resolve_config(call.options.get("config"))
    rollback = None
    if "rollback" in call.options:
        rollback = resolve_rollback_config(call.options["rollback"])
    return StepStart(config, call.origin, rollback)


@functools.lru_cache(maxsize=1024)
def _default_start(line: str) -> StepStart:
    """Return the same for a step without options, as most steps are."""
    return SharedStart.shared(resolve_config(None), Origin(line))


def _first_rollback(instance: Instance, call: StepCall, now_ms: int) -> Decision:
    """Begin a handler: its configuration was checked and recorded when the step itself began."""
    step = instance.steps[step_key(StepKind.DO, call.name, call.count)]
    assert step.rollback is not None
    start = Entry(instance.key, now_ms, EntryKind.ROLLBACK_STEP_START, call.key, data=step.rollback)
    attempt = attempt_start(instance, call.key, 1, now_ms)
    return Decision([start, attempt], [Execute(1, shown_config(step.rollback.config))])


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


def _name_problem(name: str) -> str:
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
