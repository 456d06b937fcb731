"""Histories with renamed steps, shown with their present names. Pure.

Entries are never changed: those from before a renaming have the old key.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from emulator.engine.model.entries import Entry, data_of, origin_of, with_origin
from emulator.engine.model.entry_kinds import STEP_STARTS, EntryKind
from emulator.engine.model.step_entries import Renaming
from emulator.engine.model.step_key import StepKey

Numbered = tuple[int, Entry]  # an entry and its id in the journal


def with_current_names(history: Iterable[Numbered]) -> list[Numbered]:
    """Return a history as if every step had its present name from the beginning."""
    told: list[Numbered] = []
    for number, entry in history:
        if entry.kind is EntryKind.STEP_RENAMED:
            old, new = data_of(entry, Renaming).old, entry.step
            told = [(n, _renamed(e, old, new)) for n, e in told]
        told.append((number, entry))
    return told


def _renamed(entry: Entry, old: str, new: str) -> Entry:
    is_it = entry.step == old
    if is_it:
        entry = replace(entry, step=new)
    if entry.kind not in STEP_STARTS:
        return entry
    origin = origin_of(entry)
    if origin.parent == old:
        return with_origin(entry, replace(origin, parent=new))
    nth = StepKey.of(old).count
    if is_it and not origin.parent and not origin.nth and nth != StepKey.of(new).count:
        return with_origin(entry, replace(origin, nth=nth))
    return entry
