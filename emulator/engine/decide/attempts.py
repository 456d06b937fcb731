"""Which entries tell of the attempts of a callback, and of its end. Pure.

A rollback handler is executed like a step, and recorded in entries of its own kinds.
"""

from __future__ import annotations

from typing import NamedTuple

from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Instance
from emulator.engine.model.step_key import is_handler


class AttemptKinds(NamedTuple):
    """The entries of a callback's attempts, and of its end."""

    attempt_start: EntryKind
    attempt_success: EntryKind
    attempt_failure: EntryKind
    success: EntryKind
    failure: EntryKind


_OF_STEP = AttemptKinds(
    EntryKind.ATTEMPT_START,
    EntryKind.ATTEMPT_SUCCESS,
    EntryKind.ATTEMPT_FAILURE,
    EntryKind.STEP_SUCCESS,
    EntryKind.STEP_FAILURE,
)
_OF_HANDLER = AttemptKinds(
    EntryKind.ROLLBACK_ATTEMPT_START,
    EntryKind.ROLLBACK_ATTEMPT_SUCCESS,
    EntryKind.ROLLBACK_ATTEMPT_FAILURE,
    EntryKind.ROLLBACK_STEP_SUCCESS,
    EntryKind.ROLLBACK_STEP_FAILURE,
)


def attempt_kinds(key: str) -> AttemptKinds:
    """Return the kinds of the entries of the step, or handler, with a key."""
    return _OF_HANDLER if is_handler(key) else _OF_STEP


def attempt_start(instance: Instance, key: str, attempt: int, now_ms: int) -> Entry:
    """Return the entry with which an attempt begins."""
    return Entry(instance.key, now_ms, attempt_kinds(key).attempt_start, key, attempt)
