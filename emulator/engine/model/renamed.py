"""Histories in which steps were renamed, told with the names they have now. Pure.

Entries are never rewritten: what happened before a renaming is recorded under the old key.
"""

from __future__ import annotations

from collections.abc import Iterable

from emulator.engine.model.instance import Entry, EntryKind

_STARTS = (EntryKind.STEP_START, EntryKind.SLEEP_START, EntryKind.WAIT_START)

Numbered = tuple[int, Entry]  # an entry and its id in the journal


def with_current_names(history: Iterable[Numbered]) -> list[Numbered]:
    """Return a history as if every step had had its present name from the beginning."""
    told: list[Numbered] = []
    for number, entry in history:
        if entry.kind is EntryKind.STEP_RENAMED:
            old, new = (entry.data or {})["from"], entry.step
            told = [(n, _renamed(e, old, new)) for n, e in told]
        told.append((number, entry))
    return told


def _renamed(entry: Entry, old: str, new: str) -> Entry:
    data = entry.data
    if data is not None and data.get("parent") == old:
        entry = entry._replace(data={**data, "parent": new})
    if entry.step != old:
        return entry
    nth, count = old.split(":", 2)[1], new.split(":", 2)[1]
    if count != nth and data is not None and entry.kind in _STARTS and "parent" not in data:
        entry = entry._replace(data={"nth": int(nth), **data})
    return entry._replace(step=new)
