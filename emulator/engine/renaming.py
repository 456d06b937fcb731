"""Histories in which steps were renamed, told with the names they have now. Pure.

Entries are never rewritten: what happened before a renaming is recorded under the old key.
"""

from __future__ import annotations

from collections.abc import Iterable

from emulator.engine.model import Entry, EntryKind

Numbered = tuple[int, Entry]  # an entry and its id in the journal


def with_current_names(history: Iterable[Numbered]) -> list[Numbered]:
    """Return a history as if every step had had its present name from the beginning."""
    told: list[Numbered] = []
    for number, entry in history:
        if entry.kind is EntryKind.STEP_RENAMED:
            old, new = (entry.data or {})["from"], entry.step
            told = [(n, e._replace(step=new) if e.step == old else e) for n, e in told]
        told.append((number, entry))
    return told
