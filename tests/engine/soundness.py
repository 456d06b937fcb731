"""What must hold of every journal at every moment, whoever was killed: pure, for any harness."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.engine.journal.journal import Journal
from emulator.engine.journal.reader import InstanceRow
from emulator.engine.model.instance import Instance, Status
from emulator.engine.model.step import StepState


def unsound(journal: Journal) -> list[str]:
    """Return what is wrong with the instances of a journal, in words; what is pending counts."""
    rows = journal.every()
    return [
        f"{row.workflow} {row.id}: {problem}"
        for row in rows
        for problem in _problems(row, journal.fold(row))
    ]


def _problems(row: InstanceRow, instance: Instance) -> Iterator[str]:
    if row.status is not instance.status:
        yield f"the table says {row.status}, its history {instance.status}"
    if row.ended_ms != instance.ended_ms:
        yield f"the table says it ended at {row.ended_ms}, its history {instance.ended_ms}"
    if instance.status is Status.WAITING:
        yield from _waits_in_vain(row, instance)


def _waits_in_vain(row: InstanceRow, instance: Instance) -> Iterator[str]:
    """`waiting` means that a sleep, event wait or retry is open, and its deadline wakes it."""
    if not instance.only_waits:
        yield f"it waits, and for nothing: open are {list(instance.open)}"
    if row.wake_ms != instance.next_due_ms():
        yield f"it is woken at {row.wake_ms}, and due at {instance.next_due_ms()}"
    for step in instance.open.values():
        if step.state is StepState.WAITING and instance.events.get(step.event_type):
            yield f"{step.label} waits for an event of a type that has arrived"
