"""Restart from a step: which entries of a history stay, and which are deleted. Pure.

The rest is an ordinary history, so the instance is again the fold of its entries.
Source: docs/platform/workflows.md, "Restarting".
"""

from __future__ import annotations

from collections import defaultdict, deque

from msgspec import Struct

from emulator.engine.model.entries import Entry, data_of
from emulator.engine.model.entry_kinds import STEP_STARTS, EntryKind
from emulator.engine.model.instance_entries import ReceivedEvent, RestartPoint
from emulator.engine.model.renamed import Numbered, with_current_names
from emulator.engine.model.step_entries import WaitStart
from emulator.engine.model.step_key import CALLED, StepKey, is_handler
from emulator.errors import WorkerError
from emulator.json_types import Json

_ENDS = frozenset(
    {
        EntryKind.WORKFLOW_SUCCESS,
        EntryKind.WORKFLOW_FAILURE,
        EntryKind.WORKFLOW_TERMINATED,
        EntryKind.ROLLBACK_START,
        EntryKind.ROLLBACK_COMPLETE,
        EntryKind.ROLLBACK_FAILED,
    }
)


class Rewound(Struct, frozen=True):
    """A history after the cut: the ids of the deleted entries, and the entries that stay."""

    struck: list[int]
    kept: list[Entry]


def parse_restart_point(given: Json) -> RestartPoint:
    """Return `{"name", "count"?, "type"?}`, as users write it. Raises WorkerError."""
    if not isinstance(given, dict):
        raise _refused("from", given, '{"name", "count"?, "type"?}')
    name, count, kind = given.get("name"), given.get("count"), given.get("type")
    if not isinstance(name, str):
        raise _refused("from.name", name, "the name of a step")
    count = 1 if count is None else count
    if isinstance(count, bool) or not isinstance(count, int | float) or count < 1 or count % 1:
        raise _refused("from.count", count, "a whole number from 1")
    kind = "do" if kind is None else kind
    if not isinstance(kind, str) or kind not in CALLED:
        raise _refused("from.type", kind, " or ".join(f'"{each}"' for each in CALLED))
    return RestartPoint(name, int(count), kind)


def rewind(history: list[Numbered], point: RestartPoint) -> Rewound:
    """Return the history without the step at `point` and every step that started after it.

    Entries about the end of the instance and about rollbacks go too, and all events except those
    that remaining steps received. QUEUED and START stay. A step that started earlier stays with its
    result, its attempts and its deadline. So does a step whose callback contains the one at
    `point`. Renamed steps have their present names. Raises WorkerError without such a step.
    """
    named = with_current_names(history)
    starts = [(number, entry.step) for number, entry in named if entry.kind in STEP_STARTS]
    found = [
        place for place, (_, step) in enumerate(starts) if _is_called(step, point.type, point.name)
    ]
    if len(found) < point.count:
        raise WorkerError(
            f'(instance.cannot_restart) Step "{point.name}" not found in execution history',
        )
    gone = {step for _, step in starts[found[point.count - 1] :]}
    received = _received(named, gone)
    struck: list[int] = []
    kept: list[Entry] = []
    for (number, entry), (_, now) in zip(history, named, strict=True):
        if (
            now.step in gone
            or entry.kind in _ENDS
            or is_handler(entry.step)
            or (entry.kind is EntryKind.EVENT_RECEIVED and number not in received)
        ):
            struck.append(number)
        else:
            kept.append(entry)
    return Rewound(struck, kept)


def _is_called(step: str, kind: str, name: str) -> bool:
    key = StepKey.of(step)
    return (key.kind, key.name) == (kind, name)


def _received(history: list[Numbered], gone: set[str]) -> set[int]:
    """Return the ids of the events that the remaining waits (not in `gone`) have received.

    Each wait takes the oldest event of its type, as in `fold.py`.
    """
    types: dict[str, str] = {}  # by step key
    buffered: defaultdict[str, deque[int]] = defaultdict(deque)
    received: set[int] = set()
    for number, entry in history:
        match entry.kind:
            case EntryKind.WAIT_START:
                types[entry.step] = data_of(entry, WaitStart).event
            case EntryKind.EVENT_RECEIVED:
                buffered[data_of(entry, ReceivedEvent).event].append(number)
            case EntryKind.WAIT_COMPLETE:
                oldest = buffered[types[entry.step]].popleft()
                if entry.step not in gone:
                    received.add(oldest)
            case _:
                pass
    return received


def _refused(what: str, given: Json, expected: str) -> WorkerError:
    shown = f'"{given}"' if isinstance(given, str) else repr(given)
    return WorkerError(f"restart: {what} is {shown}; expected {expected}")
