"""How each journal entry changes an instance. Pure.

`apply` is the only place where a state changes: an instance in memory is always the fold of its
entries, both of new ones and of those read after a crash.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from emulator.engine.model.divergence import Policy
from emulator.engine.model.entries import Entry, data_of
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.failure import Failure, TracedFailure
from emulator.engine.model.instance import Instance, Rollback, Status
from emulator.engine.model.instance_entries import (
    CodeVersion,
    FoundDivergence,
    Queued,
    ReceivedEvent,
    Resumption,
    RollbackEnd,
    RollbackStart,
)
from emulator.engine.model.places import SHARED
from emulator.engine.model.step import BLOCKED, Step, StepState
from emulator.engine.model.step_entries import (
    AttemptFailure,
    Origin,
    Renaming,
    RetryDelay,
    SleepStart,
    StepConfig,
    StepStart,
    WaitStart,
)


def apply(instance: Instance, entry: Entry) -> None:
    """Change the state as `entry` says. Entries must come in the order of the decisions."""
    _APPLY[entry.kind](instance, entry)


def _queued(instance: Instance, entry: Entry) -> None:
    instance.status = Status.QUEUED
    instance.created_ms = entry.at_ms
    instance.params = entry.value
    queued = data_of(entry, Queued)
    instance.trigger = queued.source or instance.trigger
    instance.schedule = queued.schedule or instance.schedule
    instance.retention = queued.retention


def _started(instance: Instance, entry: Entry) -> None:
    instance.status = Status.RUNNING
    instance.started_ms = entry.at_ms
    _code_changed(instance, entry)


def _code_changed(instance: Instance, entry: Entry) -> None:
    """Later entries come from this generation of the code."""
    instance.generation = data_of(entry, CodeVersion).generation


def _succeeded(instance: Instance, entry: Entry) -> None:
    _ended(instance, entry, Status.COMPLETE)
    instance.output = entry.value


def _failed(instance: Instance, entry: Entry) -> None:
    _ended(instance, entry, Status.ERRORED)
    instance.error = data_of(entry, TracedFailure).error


def _terminated(instance: Instance, entry: Entry) -> None:
    _ended(instance, entry, Status.TERMINATED)


def _ended(instance: Instance, entry: Entry, status: Status) -> None:
    instance.status = status
    instance.ended_ms = entry.at_ms
    instance.divergence = None


def _status_changed(instance: Instance, entry: Entry) -> None:
    instance.status = _STATUSES[entry.kind]


def _paused(instance: Instance, entry: Entry) -> None:
    instance.status = Status.PAUSED
    instance.paused_ms = entry.at_ms


def _resumed(instance: Instance, entry: Entry) -> None:
    """Resume: every deadline moves by the time of the pause, but not by the time as held."""
    if instance.divergence is not None:
        if data_of(entry, Resumption).accepted:
            _set_aside(instance, instance.divergence)
        _restarted(instance, entry)
    elif instance.paused_ms is None:  # the pause had no effect yet
        instance.status = Status.RUNNING
    else:
        _restarted(instance, entry)


def _restarted(instance: Instance, entry: Entry) -> None:
    """Begin again with the remaining steps, from a pause or from a step."""
    if instance.paused_ms is not None:
        for step in instance.open.values():
            if step.due_ms is not None and step.state in BLOCKED:
                step.due_ms += entry.at_ms - instance.paused_ms
    instance.paused_ms = None
    instance.divergence = None
    instance.status = Status.QUEUED


def _diverged(instance: Instance, entry: Entry) -> None:
    found = data_of(entry, FoundDivergence)
    if found.action is Policy.HOLD:
        instance.status = Status.PAUSED
        instance.divergence = found
    elif found.action is Policy.WARN:  # for FAIL, the end of the instance follows
        _set_aside(instance, found)


def _set_aside(instance: Instance, found: FoundDivergence) -> None:
    """Go on without the steps that the code does not call; their deadlines do not count."""
    for key in found.divergence.missing:
        step = instance.steps.pop(key, None)
        if step is not None:  # a restart may have deleted it in between
            instance.aside[key] = step
            instance.open.pop(key, None)
    instance.generation = found.generation


def _step_found(instance: Instance, entry: Entry) -> None:
    step = instance.steps[entry.step] = instance.aside.pop(entry.step)
    if not step.has_ended:
        instance.open[entry.step] = step


def _step_renamed(instance: Instance, entry: Entry) -> None:
    old = data_of(entry, Renaming).old
    for steps in (instance.steps, instance.open, instance.aside):
        if old in steps:
            nth = steps[old].place[2]
            steps[old].key = entry.step
            if steps[old].count != nth:
                steps[old].nth = nth
            renamed = {step.key: step for step in steps.values()}
            steps.clear()
            steps.update(renamed)  # keeps the order in which they began
    for step in (*instance.steps.values(), *instance.aside.values()):
        if step.parent == old:
            step.parent = entry.step
    step = instance.steps.get(entry.step) or instance.aside[entry.step]
    if instance.places:
        instance.places.rename(old, entry.step, step.caller, step.place)


def _add(instance: Instance, step: Step, entry: Entry, origin: Origin) -> None:
    step.since_ms = entry.at_ms
    step.line = origin.line
    step.parent = origin.parent
    if step.parent:
        caller = instance.steps.get(step.parent)
        step.parent_attempt = caller.attempts if caller is not None else 0
        step.generation = instance.generation
    if step.parent or instance.places:
        step.shared = origin.shared
        step.nth = instance.places.add(step.key, step.caller, origin.nth)
    instance.steps[step.key] = instance.open[step.key] = step


def _step_started(instance: Instance, entry: Entry) -> None:
    start = data_of(entry, StepStart)
    _executed(instance, entry, start.config, start.origin).rollback = start.rollback
    instance.do_steps += 1


def _handler_started(instance: Instance, entry: Entry) -> None:
    _executed(instance, entry, data_of(entry, StepConfig), Origin())


def _executed(instance: Instance, entry: Entry, config: StepConfig, origin: Origin) -> Step:
    step = Step(entry.step, StepState.STARTED, config.config)
    step.timeout_ms = config.timeout_ms
    step.delay_ms = config.delay_ms
    _add(instance, step, entry, origin)
    return step


def _attempt_started(instance: Instance, entry: Entry) -> None:
    step = instance.steps[entry.step]
    step.state = StepState.RUNNING
    step.attempts = entry.attempt
    step.due_ms = entry.at_ms + step.timeout_ms


def _attempt_succeeded(instance: Instance, entry: Entry) -> None:
    """Do nothing for a step that has begun: its own success follows."""
    _ = instance.steps[entry.step]


def _attempt_failed(instance: Instance, entry: Entry) -> None:
    step = instance.steps[entry.step]
    failure = data_of(entry, AttemptFailure)
    step.charged += 1
    step.error = failure.error
    if instance.places:  # failed steps in the callback are tried again with it
        for key in (*instance.places.called_by(step.key), *instance.places.called_by(SHARED)):
            child = instance.steps.get(key)
            if child and child.parent == step.key and child.state is StepState.FAILED:
                instance.places.free(child.caller, child.place)
    delay_ms = failure.retry_delay_ms
    step.state = StepState.STARTED if delay_ms is None else StepState.RETRYING
    step.due_ms = None if delay_ms is None else entry.at_ms + delay_ms
    if failure.asks_delay:
        step.state = StepState.DELAYING


def _retry_delayed(instance: Instance, entry: Entry) -> None:
    step = instance.steps[entry.step]
    step.state = StepState.RETRYING
    step.due_ms = entry.at_ms + data_of(entry, RetryDelay).retry_delay_ms


def _attempt_interrupted(instance: Instance, entry: Entry) -> None:
    step = instance.steps[entry.step]
    step.state = StepState.RETRYING
    step.due_ms = entry.at_ms


def _step_succeeded(instance: Instance, entry: Entry) -> None:
    step = instance.open.pop(entry.step)
    step.state = StepState.SUCCEEDED
    step.due_ms = None
    step.value = entry.value


def _step_failed(instance: Instance, entry: Entry) -> None:
    step = instance.open.pop(entry.step)
    step.state = StepState.FAILED
    step.due_ms = None
    step.error = data_of(entry, Failure).error
    caller = instance.open.get(step.parent)
    if caller is not None and caller.state is not StepState.RUNNING:
        instance.places.free(step.caller, step.place)  # the attempt that called it is over


def _sleep_started(instance: Instance, entry: Entry) -> None:
    sleep = data_of(entry, SleepStart)
    step = Step(entry.step, StepState.SLEEPING, due_ms=sleep.until_ms)
    step.timeout_ms = sleep.until_ms - entry.at_ms
    _add(instance, step, entry, sleep.origin)


def _wait_started(instance: Instance, entry: Entry) -> None:
    wait = data_of(entry, WaitStart)
    step = Step(entry.step, StepState.WAITING, event_type=wait.event)
    step.timeout_ms = wait.timeout_ms
    step.due_ms = entry.at_ms + step.timeout_ms
    _add(instance, step, entry, wait.origin)


def _wait_completed(instance: Instance, entry: Entry) -> None:
    """The step got the oldest buffered event of its type."""
    instance.events[instance.steps[entry.step].event_type].popleft()
    _step_succeeded(instance, entry)


def _timer_skipped(instance: Instance, entry: Entry) -> None:
    instance.steps[entry.step].due_ms = entry.at_ms


def _rollback_started(instance: Instance, entry: Entry) -> None:
    """From now on only handlers are executed; the deadlines of steps do not matter."""
    start = data_of(entry, RollbackStart)
    instance.status = Status.ROLLING_BACK
    instance.paused_ms = None
    instance.divergence = None
    instance.rollback = Rollback(start.trigger, start.terminates)
    instance.open.clear()


def _rollback_completed(instance: Instance, entry: Entry) -> None:
    assert instance.rollback is not None
    instance.rollback.outcome = "complete"


def _rollback_failed(instance: Instance, entry: Entry) -> None:
    error = data_of(entry, RollbackEnd).error
    assert instance.rollback is not None and error is not None
    instance.rollback.outcome = "failed"
    instance.rollback.error = error


def _event_received(instance: Instance, entry: Entry) -> None:
    events = instance.events.setdefault(data_of(entry, ReceivedEvent).event, deque())
    events.append((entry.at_ms, entry.value))


_STATUSES = {
    EntryKind.WORKFLOW_RUNNING: Status.RUNNING,
    EntryKind.WORKFLOW_WAITING: Status.WAITING,
    EntryKind.WORKFLOW_PAUSING: Status.WAITING_FOR_PAUSE,
}
_APPLY: dict[EntryKind, Callable[[Instance, Entry], None]] = {
    EntryKind.WORKFLOW_QUEUED: _queued,
    EntryKind.WORKFLOW_START: _started,
    EntryKind.WORKFLOW_SUCCESS: _succeeded,
    EntryKind.WORKFLOW_FAILURE: _failed,
    EntryKind.WORKFLOW_TERMINATED: _terminated,
    EntryKind.WORKFLOW_RUNNING: _status_changed,
    EntryKind.WORKFLOW_WAITING: _status_changed,
    EntryKind.WORKFLOW_PAUSING: _status_changed,
    EntryKind.WORKFLOW_PAUSED: _paused,
    EntryKind.WORKFLOW_RESUMED: _resumed,
    EntryKind.WORKFLOW_RESTARTED: _restarted,
    EntryKind.STEP_START: _step_started,
    EntryKind.STEP_SUCCESS: _step_succeeded,
    EntryKind.STEP_FAILURE: _step_failed,
    EntryKind.SLEEP_START: _sleep_started,
    EntryKind.SLEEP_COMPLETE: _step_succeeded,
    EntryKind.ATTEMPT_START: _attempt_started,
    EntryKind.ATTEMPT_SUCCESS: _attempt_succeeded,
    EntryKind.ATTEMPT_FAILURE: _attempt_failed,
    EntryKind.ATTEMPT_INTERRUPTED: _attempt_interrupted,
    EntryKind.WAIT_START: _wait_started,
    EntryKind.WAIT_COMPLETE: _wait_completed,
    EntryKind.WAIT_TIMED_OUT: _step_failed,
    EntryKind.ROLLBACK_START: _rollback_started,
    EntryKind.ROLLBACK_STEP_START: _handler_started,
    EntryKind.ROLLBACK_ATTEMPT_START: _attempt_started,
    EntryKind.ROLLBACK_ATTEMPT_SUCCESS: _attempt_succeeded,
    EntryKind.ROLLBACK_ATTEMPT_FAILURE: _attempt_failed,
    EntryKind.ROLLBACK_STEP_SUCCESS: _step_succeeded,
    EntryKind.ROLLBACK_STEP_FAILURE: _step_failed,
    EntryKind.ROLLBACK_COMPLETE: _rollback_completed,
    EntryKind.ROLLBACK_FAILED: _rollback_failed,
    EntryKind.EVENT_RECEIVED: _event_received,
    EntryKind.TIMER_SKIPPED: _timer_skipped,
    EntryKind.RETRY_DELAYED: _retry_delayed,
    EntryKind.CODE_CHANGED: _code_changed,
    EntryKind.WORKFLOW_DIVERGED: _diverged,
    EntryKind.STEP_RENAMED: _step_renamed,
    EntryKind.STEP_FOUND: _step_found,
}
