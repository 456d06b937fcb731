"""Forks: the history of a new instance that shares the past of another, up to a step. Pure.

Cloudflare has none. What stays of the past is what a restart from that step would leave.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from msgspec.structs import replace

from emulator.engine.decide.restarts import rewind
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import STEP_STARTS, EntryKind
from emulator.engine.model.instance_entries import RestartPoint
from emulator.engine.model.renamed import Numbered
from emulator.engine.model.step_key import StepKey, StepKind
from emulator.errors import WorkerError

_STREAM = b'"$stored"'  # the value of a step that returned a stream, which the old instance keeps


def fork(
    history: list[Numbered],
    point: RestartPoint,
    key: int,
    now_ms: int,
    *,
    params: bytes | None = None,
    output: bytes | None = None,
) -> list[Entry]:
    """Return the entries of the new instance `key`, without the step at `point` and what followed.

    params: take the place of the old ones. output: what the step at `point`, a `do`, has returned;
    without it, it begins anew. Values are tagged JSON. Raises WorkerError without such a step, and
    where a step before it returned a stream.
    """
    kept = [replace(entry, instance=key) for entry in rewind(history, point).kept]
    for entry in kept:
        if entry.step and _STREAM in entry.value:
            label = StepKey.of(entry.step).label
            raise _refused(f'Step "{label}" returned a stream, which belongs to its instance')
    if params is not None:
        kept[0] = replace(kept[0], value=params)
    given = [] if output is None else list(_given(history, point, key, now_ms, output))
    return [*kept, *given, Entry(key, now_ms, EntryKind.WORKFLOW_RESTARTED, data=point)]


def _given(
    history: list[Numbered], point: RestartPoint, key: int, now_ms: int, output: bytes
) -> Iterator[Entry]:
    """Yield the entries of a step that has returned `output`, once, at its first attempt."""
    if point.type != StepKind.DO:
        raise _refused("Only a `do` has an output")
    starts = [entry for _, entry in history if entry.kind in STEP_STARTS and _is_at(entry, point)]
    start = starts[point.count - 1]
    at = partial(replace, start, instance=key, at_ms=now_ms)
    yield at()
    yield at(kind=EntryKind.ATTEMPT_START, attempt=1, data=None)
    yield at(kind=EntryKind.ATTEMPT_SUCCESS, attempt=1, data=None)
    yield at(kind=EntryKind.STEP_SUCCESS, data=None, value=output)


def _is_at(entry: Entry, point: RestartPoint) -> bool:
    found = StepKey.of(entry.step)
    return (found.kind, found.name) == (point.type, point.name)


def _refused(text: str) -> WorkerError:
    return WorkerError(f"(instance.cannot_fork) {text}")
