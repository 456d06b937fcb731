"""What a lifecycle operation means in every status. Pure: entries to record, and what then follows.

Source: docs/platform/workflows.md, "Operations by status". Where production is silent on a
status, the choice stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from emulator.engine.decide import rollbacks
from emulator.engine.decide.restarts import Rewound
from emulator.engine.model.entries import Entry
from emulator.engine.model.instance import Instance, Status
from emulator.engine.model.instance_data import (
    Queued,
    ReceivedEvent,
    RestartPoint,
    Resumption,
    Schedule,
)
from emulator.engine.model.kinds import EntryKind
from emulator.errors import WorkerError


class Effect(StrEnum):
    """What the engine does once the entries are recorded."""

    NOTHING = "nothing"
    HOLD = "hold"  # let nothing new begin in the run
    DROP = "drop"  # drop the run in progress, if any
    QUEUE = "queue"  # start a run when there is room
    RELEASE = "release"  # answer the step calls that were held back
    ROLL_BACK = "roll back"  # drop the run in progress, if any, and start one that rolls back
    RESTART = "restart"  # drop the run, forget the history or what was struck from it, queue


@dataclass(frozen=True, slots=True)
class Verdict:
    """Entries to record in this order, then the effect. `history`: what a restart leaves."""

    entries: list[Entry] = field(default_factory=list)
    effect: Effect = Effect.NOTHING
    history: Rewound | None = None


def pause(instance: Instance, executing: bool, now_ms: int) -> Verdict:
    """Pause: at once, or when the step attempts in flight (`executing`) have ended.

    executing: also where it is not known for sure that there are none.
    """
    match instance.status:
        case Status.RUNNING | Status.WAITING | Status.QUEUED:
            kind = EntryKind.WORKFLOW_PAUSING if executing else EntryKind.WORKFLOW_PAUSED
            effect = Effect.HOLD if executing else Effect.DROP
            return Verdict([Entry(instance.key, now_ms, kind)], effect)
        case Status.WAITING_FOR_PAUSE | Status.PAUSED:
            return Verdict()
        case Status.ROLLING_BACK:
            return Verdict()  # not documented: a rollback goes through
        case Status.COMPLETE | Status.ERRORED | Status.TERMINATED:
            return Verdict()
        case _:
            assert_never(instance.status)


def attempts_ended(instance: Instance, now_ms: int) -> Verdict:
    """The last attempt in flight has ended: a pause that waited for it takes effect."""
    if instance.status is not Status.WAITING_FOR_PAUSE:
        return Verdict()
    return Verdict([Entry(instance.key, now_ms, EntryKind.WORKFLOW_PAUSED)], Effect.DROP)


def resume(instance: Instance, now_ms: int) -> Verdict:
    """Resume a paused instance, or call off a pause that has not taken effect."""
    resumed = Entry(instance.key, now_ms, EntryKind.WORKFLOW_RESUMED, data=Resumption())
    match instance.status:
        case Status.PAUSED:
            return Verdict([resumed], Effect.QUEUE)
        case Status.WAITING_FOR_PAUSE:
            return Verdict([resumed], Effect.RELEASE)
        case Status.QUEUED | Status.RUNNING | Status.WAITING:
            return Verdict()  # docs: no effect (the type comment says it throws)
        case Status.ROLLING_BACK:
            return Verdict()
        case Status.COMPLETE | Status.ERRORED | Status.TERMINATED:
            return Verdict()
        case _:
            assert_never(instance.status)


def terminate(instance: Instance, now_ms: int, *, rollback: bool = False) -> Verdict:
    """End the instance now; attempts in flight are not awaited. Raises WorkerError when ended.

    rollback: execute the rollback handlers of the steps that started first.
    """
    if instance.is_terminal:
        raise WorkerError(
            "(instance.cannot_terminate) Cannot terminate instance since its on a finite state",
        )
    if instance.status is Status.ROLLING_BACK:  # not documented: what was asked for is under way,
        if rollback:  # or it is to stop at once
            return Verdict()
        return Verdict(rollbacks.cut_short(instance, now_ms), Effect.DROP)
    if rollback:
        entries = rollbacks.start(instance, rollbacks.TERMINATED, now_ms, terminates=True)
        if entries:
            return Verdict(entries, Effect.ROLL_BACK)
    return Verdict([rollbacks.terminated(instance, now_ms)], Effect.DROP)


def restart(instance: Instance, now_ms: int) -> Verdict:
    """Start over from nothing, in any status: same id and params; the timestamp stays."""
    data = Queued(instance.trigger, instance.schedule, instance.retention, restarted=True)
    first = Entry(
        instance.key,
        instance.created_ms,
        EntryKind.WORKFLOW_QUEUED,
        data=data,
        value=instance.params,
    )
    return Verdict([first], Effect.RESTART)


def restart_from(instance: Instance, point: RestartPoint, left: Rewound, now_ms: int) -> Verdict:
    """Start over with the history that was `left` by `restarts`, in any status."""
    entry = Entry(instance.key, now_ms, EntryKind.WORKFLOW_RESTARTED, data=point)
    return Verdict([entry], Effect.RESTART, left)


def send_event(instance: Instance, event_type: str, payload: bytes, now_ms: int) -> Verdict:
    """Buffer an event. Raises WorkerError when the instance has ended.

    Differs: the official local engine stores it in silence, and nobody ever sees it.
    """
    if instance.is_terminal:
        raise WorkerError(
            "(instance.in_finite_state) Instance reached a finite state, cannot send events to it"
        )
    data = ReceivedEvent(event_type)
    entry = Entry(instance.key, now_ms, EntryKind.EVENT_RECEIVED, data=data, value=payload)
    return Verdict([entry])


def queued(
    key: int,
    created_ms: int,
    params: bytes,
    source: str = "binding",
    schedule: Schedule | None = None,
    retention: Mapping[str, int] | None = None,
) -> Entry:
    """Return the first entry of an instance; `source` is what triggered it."""
    data = Queued(source, schedule, retention or {})
    return Entry(key, created_ms, EntryKind.WORKFLOW_QUEUED, data=data, value=params)
