"""The messages that begin a run or order a rollback handler, from what is recorded. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping

from emulator.engine.decide.payloads import date, moved, text
from emulator.engine.decide.step_config import shown_config
from emulator.engine.model.instance import Instance, Status
from emulator.engine.model.places import SHARED, Place
from emulator.engine.model.step import Step, StepState
from emulator.engine.model.step_key import StepKey, StepKind, is_handler, step_key
from emulator.protocol.message import Message
from emulator.protocol.runs import History, RollbackRun, RunStart

Read = Callable[[bytes], bytes]
# Caller and place of a nested step -> the call that gave its rollback handler last.
Given = Mapping[tuple[str, Place], int]

HISTORY_CHUNK_BYTES = 1024 * 1024


def workflow_event(instance: Instance) -> bytes:
    """Return the `event` that `run()` gets. Source: docs/platform/workflows.md, "The event"."""
    (payload,) = moved([instance.params or b"null"], opened=1)
    schedule = instance.schedule
    return b'{"payload":%b,"timestamp":%b,"instanceId":%b,"workflowName":%b%b}' % (
        payload,
        date(instance.created_ms),
        text(instance.id),
        text(instance.workflow),
        b"" if schedule is None else b',"schedule":' + json.dumps(schedule.as_json()).encode(),
    )


def opening(
    run: int,
    instance: Instance,
    class_name: str,
    *,
    guarded: bool = False,
    probe: bool = False,
    free_steps: int = 0,
    read: Read = bytes,
) -> Iterator[Message]:
    """Yield the messages that begin a run of `instance`, each with its present state.

    free_steps: how many new steps the guest may begin by itself. read: returns the recorded value
    of a step.

    Raises MalformedValue when a recorded value is malformed.
    """
    if instance.steps:
        ended = [step for step in instance.steps.values() if step.has_ended]
        for payload in history(ended, read):
            yield History(run, payload)
    event = workflow_event(instance)
    yield RunStart(
        run,
        class_name,
        instance.workflow,
        instance.id,
        event,
        rolling_back=instance.status is Status.ROLLING_BACK,
        guarded=guarded or probe,
        probe=probe,
        free_steps=free_steps,
        begun=_begun(instance) if free_steps else [],
        shared=sorted({StepKey.of(key).name for key in instance.places.called_by(SHARED)}),
    )


def _begun(instance: Instance) -> list[list[str | int]]:
    """Return the `do` steps of `run()` that are known and not in the history: `[name, count]`."""
    known = [*instance.open.values(), *instance.aside.values()]
    return [
        [step.name, step.place[2]] for step in known if step.kind is StepKind.DO and not step.parent
    ]


def history(steps: Iterable[Step], read: Read = bytes) -> Iterator[bytes]:
    """Yield the finished steps of `run()` as payloads of History messages, each about 1 MiB.

    Steps in callbacks are not among them: a callback that runs again asks for them.
    """
    items: list[tuple[bytes, bytes]] = []
    size = 0
    for step in steps:
        item = _history_item(step, read)
        if item is None:
            continue
        if items and size + len(item[1]) > HISTORY_CHUNK_BYTES:
            yield _list(items)
            items, size = [], 0
        items.append(item)
        size += len(item[0]) + len(item[1])
    if items:
        yield _list(items)


def _history_item(step: Step, read: Read) -> tuple[bytes, bytes] | None:
    """Return an item as its first members and its value: `(b'"do","charge",1,"ok"', b"42")`."""
    if step.parent or is_handler(step.key):
        return None
    if step.state is StepState.SUCCEEDED:
        outcome, value = "ok", read(step.value) or b"null"
    elif step.state is StepState.FAILED and step.error is not None:
        outcome, value = "error", json.dumps(step.error.as_json()).encode()
    else:
        return None
    head = json.dumps([*step.place, outcome])[1:-1]
    return head.encode(), value


def _list(items: list[tuple[bytes, bytes]]) -> bytes:
    values = moved([value for _, value in items], opened=1, around=1)
    parts = (b"[%b,%b]" % (head, value) for (head, _), value in zip(items, values, strict=True))
    return b"[" + b",".join(parts) + b"]"


def rollback_order(
    instance: Instance, key: str, order: tuple[int, int, int], given: Given, read: Read
) -> RollbackRun:
    """Return the order to execute the rollback handler with this key.

    order: numbers of run, call and attempt.
    """
    handler = instance.steps[key]
    step = instance.steps[step_key(StepKind.DO, handler.name, handler.count)]
    assert instance.rollback is not None
    trigger = instance.rollback.trigger
    done = step.state is StepState.SUCCEEDED
    return RollbackRun(
        *order,
        step.name,
        step.count,
        step.attempts,
        shown_config(step.config),
        trigger.name,
        trigger.message,
        read(step.value) if done else b"",
        nth=step.place[2] if step.other_count else 0,
        given=given.get((step.caller, step.place), -1) if step.parent else 0,
    )
