"""Rollback: which handlers are executed, in which order, and how it ends. Pure.

A handler is executed like a step, with a key of its own kind. So attempts, retries and timeouts
work as for steps. Handlers run one at a time; the handler of the last started step is first.
Source: docs/platform/workflows.md, "Rollbacks".
"""

from __future__ import annotations

from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.failure import ErrorInfo, TracedFailure, kept_traceback
from emulator.engine.model.instance import Instance
from emulator.engine.model.instance_entries import RollbackEnd, RollbackStart, Termination
from emulator.engine.model.step import Step, StepState
from emulator.engine.model.step_key import StepKind, step_key

TERMINATED = ErrorInfo("Terminated", "Instance terminated during rollback")


def start(
    instance: Instance, trigger: ErrorInfo, now_ms: int, *, terminates: bool, traceback: str = ""
) -> list[Entry]:
    """Return the entry that begins a rollback; an empty list if no started step has a handler.

    traceback: of the `run()` that raised.
    """
    steps = _with_handler(instance)
    if not steps:
        return []
    data = RollbackStart(trigger, len(steps), terminates, kept_traceback(traceback))
    return [Entry(instance.key, now_ms, EntryKind.ROLLBACK_START, data=data)]


def next_step(instance: Instance) -> Step | None:
    """Return the step whose handler comes next; None after the last, or after a failed one."""
    for step in _with_handler(instance):
        handler = handler_of(instance, step)
        if handler is None or handler.state is not StepState.SUCCEEDED:
            return None if handler and handler.state is StepState.FAILED else step
    return None


def handler_of(instance: Instance, step: Step) -> Step | None:
    """Return the record of the handler of `step`; None before it has started."""
    return instance.steps.get(step_key(StepKind.ROLLBACK, step.name, step.count))


def retry_ms(instance: Instance) -> int | None:
    """Return when a failed handler is tried again; None when no handler waits."""
    waiting = (step for step in instance.open.values() if step.state is StepState.RETRYING)
    return next((step.due_ms for step in waiting if step.kind is StepKind.ROLLBACK), None)


def end(instance: Instance, now_ms: int) -> list[Entry]:
    """Return the entries that end a rollback and its instance; its trigger decides how."""
    assert instance.rollback is not None
    failed = next(
        (
            step.error
            for step in instance.steps.values()
            if step.kind is StepKind.ROLLBACK and step.state is StepState.FAILED
        ),
        None,
    )
    entries = [_outcome(instance, failed, now_ms)]
    if instance.rollback.terminates:
        return [*entries, terminated(instance, now_ms)]
    data = TracedFailure(instance.rollback.trigger)
    return [*entries, Entry(instance.key, now_ms, EntryKind.WORKFLOW_FAILURE, data=data)]


def cut_short(instance: Instance, now_ms: int) -> list[Entry]:
    """Return the entries for a rollback that a user terminates: no further handler is executed."""
    return [_outcome(instance, TERMINATED, now_ms), terminated(instance, now_ms)]


def terminated(instance: Instance, now_ms: int) -> Entry:
    """Return the entry for an instance that a user has ended."""
    data = Termination("api")
    return Entry(instance.key, now_ms, EntryKind.WORKFLOW_TERMINATED, data=data)


def _outcome(instance: Instance, error: ErrorInfo | None, now_ms: int) -> Entry:
    handlers = [handler_of(instance, step) for step in _with_handler(instance)]
    done = sum(1 for each in handlers if each and each.state is StepState.SUCCEEDED)
    kind = EntryKind.ROLLBACK_COMPLETE if error is None else EntryKind.ROLLBACK_FAILED
    return Entry(instance.key, now_ms, kind, data=RollbackEnd(len(handlers), done, error))


def _with_handler(instance: Instance) -> list[Step]:
    """Return the steps to roll back, the last started first."""
    return [step for step in reversed(instance.steps.values()) if step.rollback is not None]
