"""The content of the journal: entries, and what each kind of entry says. Pure.

An entry's `data` is of the class that `DATA` has for its kind. In the file it is JSON: `encoded`
writes it, `decoded` reads it, and nobody but those classes knows its members' names.
`docs/journal-format.md` tells users the same.

A member that this version does not know is left out. One that cannot be done without and is missing
raises KeyError: then the history is damaged. The others have defaults, because old journals lack
them.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.failure import Failure, TracedFailure
from emulator.engine.model.instance_entries import (
    CodeVersion,
    FoundDivergence,
    Queued,
    ReceivedEvent,
    RestartPoint,
    Resumption,
    RollbackEnd,
    RollbackStart,
    Termination,
)
from emulator.engine.model.step_entries import (
    AttemptFailure,
    Interruption,
    Origin,
    Renaming,
    RetryDelay,
    SharedStart,
    SleepStart,
    StepConfig,
    StepStart,
    WaitStart,
)

D = TypeVar("D")

_KNOWN_STARTS = 256  # texts of STEP_START that are kept read: most steps say the same

_quick = msgspec.json.Encoder().encode
_complete = json.JSONEncoder(separators=(",", ":")).encode


class Data(Protocol):
    """What an entry says beside its kind, step and attempt."""

    @classmethod
    def of(cls, found: Any) -> Data:
        """Return what these members say. Raises KeyError for a missing one."""

    def as_json(self) -> Mapping[str, object]:
        """Return the members that are written; without any, nothing is."""


class Entry(Struct, frozen=True):
    """One thing that happened. `step` is a step key, empty for what concerns the whole instance.

    data: of the class that `DATA` has for the kind; None where it has none. value: a value in
    tagged JSON that nobody here looks into.
    """

    instance: int
    at_ms: int
    kind: EntryKind
    step: str = ""
    attempt: int = 0
    data: Data | None = None
    value: bytes = b""


# What each kind of entry says; the other kinds say nothing more.
DATA: dict[EntryKind, type[Data]] = {
    EntryKind.WORKFLOW_QUEUED: Queued,
    EntryKind.WORKFLOW_START: CodeVersion,
    EntryKind.WORKFLOW_FAILURE: TracedFailure,
    EntryKind.WORKFLOW_TERMINATED: Termination,
    EntryKind.WORKFLOW_RESUMED: Resumption,
    EntryKind.WORKFLOW_RESTARTED: RestartPoint,
    EntryKind.WORKFLOW_DIVERGED: FoundDivergence,
    EntryKind.CODE_CHANGED: CodeVersion,
    EntryKind.STEP_START: StepStart,
    EntryKind.STEP_FAILURE: Failure,
    EntryKind.STEP_RENAMED: Renaming,
    EntryKind.SLEEP_START: SleepStart,
    EntryKind.ATTEMPT_FAILURE: AttemptFailure,
    EntryKind.ATTEMPT_INTERRUPTED: Interruption,
    EntryKind.RETRY_DELAYED: RetryDelay,
    EntryKind.WAIT_START: WaitStart,
    EntryKind.WAIT_TIMED_OUT: Failure,
    EntryKind.EVENT_RECEIVED: ReceivedEvent,
    EntryKind.ROLLBACK_START: RollbackStart,
    EntryKind.ROLLBACK_STEP_START: StepConfig,
    EntryKind.ROLLBACK_ATTEMPT_FAILURE: AttemptFailure,
    EntryKind.ROLLBACK_STEP_FAILURE: Failure,
    EntryKind.ROLLBACK_COMPLETE: RollbackEnd,
    EntryKind.ROLLBACK_FAILED: RollbackEnd,
}


def encoded(data: Data) -> str | None:
    """Return what an entry says as it is in the file; None when it says nothing."""
    if type(data) is SharedStart:
        return data.text
    members = data.as_json()
    return _encode(members) if members else None


def _encode(members: Mapping[str, object]) -> str:
    try:
        text = _quick(members).decode()
    except Exception:  # lone surrogates, integers of more than 64 bits
        return _complete(members)
    return _complete(members) if "null" in text else text  # which it writes for infinity, too


def decoded(kind: EntryKind, text: str | None) -> Data | None:
    """Return what an entry of this kind says. Raises an exception of any class for damaged text."""
    if kind is EntryKind.STEP_START and text is not None:
        return _step_start(text)
    members = {} if text is None else _members(text)
    return from_json(kind, members)


def from_json(kind: EntryKind, members: dict[str, Any]) -> Data | None:
    """Return what an entry says from its JSON members, as `decoded` does."""
    content = DATA.get(kind)
    return None if content is None else content.of(members)


def members_of(entry: Entry) -> Mapping[str, Any]:
    """Return what an entry says as the JSON members in the file."""
    return {} if entry.data is None else entry.data.as_json()


def data_of(entry: Entry, content: type[D]) -> D:
    """Return the data of an entry whose kind has this class.

    Raises TypeError for an entry that was made with another.
    """
    if not isinstance(entry.data, content):
        raise TypeError(f"{entry.kind.name} with {entry.data!r}; expected {content.__name__}")
    return entry.data


def origin_of(entry: Entry) -> Origin:
    """Return which call of user code began a step, from the entry with which it begins."""
    data = entry.data
    return data.origin if isinstance(data, StepStart | SleepStart | WaitStart) else Origin()


def with_origin(entry: Entry, origin: Origin) -> Entry:
    """Return the entry with which a step begins as if another call had begun it."""
    match entry.data:
        case StepStart(config, _, rollback):
            return replace(entry, data=StepStart(config, origin, rollback))
        case SleepStart() | WaitStart() as start:
            return replace(entry, data=replace(start, origin=origin))
        case _:
            return entry


@functools.lru_cache(maxsize=_KNOWN_STARTS)
def _step_start(text: str) -> StepStart:
    return StepStart.of(_members(text))


def _members(text: str) -> Any:
    members = json.loads(text)
    if members is None:
        return {}
    if not isinstance(members, dict):
        raise ValueError(f"data is {text}; expected an object")
    return members
