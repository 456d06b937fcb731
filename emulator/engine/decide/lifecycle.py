"""What a lifecycle operation means in every status. Pure.

Where production does not document a status, a comment has our choice.
Source: docs/platform/workflows.md, "Operations by status".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from emulator.engine.actions import (
    CallOff,
    Decision,
    Deliver,
    Drop,
    Evict,
    PauseAtRest,
    Queue,
    StartOver,
)
from emulator.engine.decide import rollbacks
from emulator.engine.decide.restarts import Rewound
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Instance, Status
from emulator.engine.model.instance_entries import (
    Queued,
    ReceivedEvent,
    RestartPoint,
    Resumption,
    Schedule,
)
from emulator.errors import WorkerError


def pause(instance: Instance, executing: bool, now_ms: int) -> Decision:
    """Pause: at once, or when the attempts in progress (`executing`) have ended.

    executing: also True if it is not certain that there are none.
    """
    match instance.status:
        case Status.RUNNING | Status.WAITING | Status.QUEUED:
            kind = EntryKind.WORKFLOW_PAUSING if executing else EntryKind.WORKFLOW_PAUSED
            follows = PauseAtRest(instance) if executing else Drop(instance)
            return Decision([Entry(instance.key, now_ms, kind)], [follows])
        case Status.WAITING_FOR_PAUSE | Status.PAUSED:
            return Decision()
        case Status.ROLLING_BACK:
            return Decision()  # not documented: a rollback goes on
        case Status.COMPLETE | Status.ERRORED | Status.TERMINATED:
            return Decision()
        case _:
            assert_never(instance.status)


def attempts_ended(instance: Instance, now_ms: int) -> Decision:
    """The last attempt in progress has ended: a pause that waited for it takes effect."""
    if instance.status is not Status.WAITING_FOR_PAUSE:
        return Decision()
    paused = Entry(instance.key, now_ms, EntryKind.WORKFLOW_PAUSED)
    return Decision([paused], [Drop(instance), Evict(instance)])


def resume(instance: Instance, now_ms: int) -> Decision:
    """Resume a paused instance, or cancel a pause that has not taken effect."""
    resumed = Entry(instance.key, now_ms, EntryKind.WORKFLOW_RESUMED, data=Resumption())
    match instance.status:
        case Status.PAUSED:
            return Decision([resumed], [Queue(instance), Deliver(instance)])
        case Status.WAITING_FOR_PAUSE:
            return Decision([resumed], [CallOff(instance), Deliver(instance)])
        case Status.QUEUED | Status.RUNNING | Status.WAITING:
            return Decision()  # docs: no effect (the type comment says it throws)
        case Status.ROLLING_BACK:
            return Decision()
        case Status.COMPLETE | Status.ERRORED | Status.TERMINATED:
            return Decision()
        case _:
            assert_never(instance.status)


def terminate(instance: Instance, now_ms: int, *, rollback: bool = False) -> Decision:
    """End the instance now; attempts in progress are not awaited. Raises WorkerError when ended.

    rollback: execute the rollback handlers of the steps that started first.
    """
    if instance.is_terminal:
        raise WorkerError(
            "(instance.cannot_terminate) Cannot terminate instance since its on a finite state",
        )
    if instance.status is Status.ROLLING_BACK:  # not documented: the rollback is in progress,
        if rollback:  # or it must stop at once
            return Decision()
        return Decision(rollbacks.cut_short(instance, now_ms), [Drop(instance)])
    if rollback:
        entries = rollbacks.start(instance, rollbacks.TERMINATED, now_ms, terminates=True)
        if entries:
            return Decision(entries, [Drop(instance), Queue(instance)])
    return Decision([rollbacks.terminated(instance, now_ms)], [Drop(instance)])


def restart(instance: Instance, now_ms: int) -> Decision:
    """Start again from the beginning, in any status: with the same id, params and timestamp."""
    data = Queued(instance.trigger, instance.schedule, instance.retention, restarted=True)
    first = Entry(
        instance.key,
        instance.created_ms,
        EntryKind.WORKFLOW_QUEUED,
        data=data,
        value=instance.params,
    )
    return Decision(actions=[StartOver(instance, first)])


def restart_from(instance: Instance, point: RestartPoint, left: Rewound, now_ms: int) -> Decision:
    """Start again with the history that `restarts` has `left`, in any status."""
    entry = Entry(instance.key, now_ms, EntryKind.WORKFLOW_RESTARTED, data=point)
    return Decision(actions=[StartOver(instance, entry, left.struck, left.kept)])


def send_event(instance: Instance, event_type: str, payload: bytes, now_ms: int) -> Decision:
    """Buffer an event. Raises WorkerError when the instance has ended.

    Differs: the official local engine stores it without an error, and nobody ever gets it.
    """
    if instance.is_terminal:
        raise WorkerError(
            "(instance.in_finite_state) Instance reached a finite state, cannot send events to it"
        )
    data = ReceivedEvent(event_type)
    entry = Entry(instance.key, now_ms, EntryKind.EVENT_RECEIVED, data=data, value=payload)
    return Decision([entry], [Deliver(instance)])


def queued(
    key: int,
    created_ms: int,
    params: bytes,
    source: str = "binding",
    schedule: Schedule | None = None,
    retention: Mapping[str, int] | None = None,
) -> Entry:
    """Return the first entry of an instance; `source`: what created it."""
    data = Queued(source, schedule, retention or {})
    return Entry(key, created_ms, EntryKind.WORKFLOW_QUEUED, data=data, value=params)
