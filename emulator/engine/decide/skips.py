"""Ends a sleep, an event wait or a retry delay before its time. Pure.

A skip moves a deadline to now, and everything else follows as if its time had come. So a skipped
event wait has timed out. Running code is never cut short.
"""

from __future__ import annotations

from msgspec import Struct

from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Instance, Status
from emulator.engine.model.step import BLOCKED, Step, StepState
from emulator.errors import WorkerError


class Skipped(Struct, frozen=True):
    """What was skipped: the step `"rest-1"`, its type, and its deadline before.

    `type` is `"sleep"`, `"waitForEvent"` or `"retry"`.
    """

    name: str
    type: str
    due_ms: int

    @classmethod
    def of(cls, step: Step) -> Skipped:
        """Return the record for a step, before it is skipped."""
        assert step.due_ms is not None
        kind = "retry" if step.state is StepState.RETRYING else step.kind.value
        return cls(step.label, kind, step.due_ms)


def skip(instance: Instance, label: str | None, now_ms: int) -> tuple[Entry, Skipped]:
    """Return the entry that ends a wait of `instance`, and what was skipped.

    label: the step to skip, `"rest-1"`; without it, the one with the earliest deadline.
    Raises WorkerError when the instance has ended or is paused, and when nothing waits.
    """
    if instance.is_terminal or instance.status in (Status.PAUSED, Status.WAITING_FOR_PAUSE):
        fix = "" if instance.is_terminal else "; resume it first"
        raise _refused(f"Cannot skip a wait of an instance that is {instance.status.value}{fix}")
    waiting = [step for step in instance.open.values() if _waits(step, now_ms)]
    chosen = [step for step in waiting if label is None or step.label == label]
    if not chosen:
        found = "Nothing waits" if label is None else f'Step "{label}" does not wait'
        if not waiting:
            raise _refused(f"{found}: no sleep, event wait or retry delay is in progress")
        waits = ", ".join(sorted(step.label for step in waiting))
        raise _refused(f"{found}; in sleep, event wait or retry delay: {waits}")
    step = min(chosen, key=lambda step: step.due_ms or 0)
    entry = Entry(instance.key, now_ms, EntryKind.TIMER_SKIPPED, step.key, step.attempts)
    return entry, Skipped.of(step)


def _waits(step: Step, now_ms: int) -> bool:
    return step.state in BLOCKED and step.due_ms is not None and step.due_ms > now_ms


def _refused(text: str) -> WorkerError:
    return WorkerError(f"(instance.cannot_skip) {text}")
