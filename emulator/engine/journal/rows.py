"""Entries <-> rows of the `entries` table. Pure.

Each entry is a row, except the entries of an ordinary step: they always come together, and one row
is written faster than two or four.

    STEP_START, ATTEMPT_START 1                                       -> one row, BEGUN
    ATTEMPT_SUCCESS n, STEP_SUCCESS                                   -> one row, DONE
    both, without another entry of the instance in between              -> one row, AT_ONCE

Each entry keeps its own id. The ids of one row follow one another, and the row has the last one.
"""

from __future__ import annotations

from collections.abc import Sequence

from emulator.engine.model.entries import Entry, decoded, encoded
from emulator.engine.model.entry_kinds import EntryKind

# id, instance, at_ms, kind, step, attempt, data, value
Row = tuple[int, int, int, int, str, int, str | None, bytes | None]

BEGUN = 1000
DONE = 1001
AT_ONCE = 1002  # at_ms is that of its end; data that of its start, with "tookMs"
_TOOK = ',"tookMs":'  # the last member; inside a JSON string its quotes would have backslashes
# The kinds of rows with which a step begins.
STEP_STARTS = (EntryKind.STEP_START, EntryKind.SLEEP_START, EntryKind.WAIT_START, BEGUN, AT_ONCE)


def pack(entries: Sequence[Entry], first_id: int) -> list[Row]:
    """Return the rows of entries that were decided together; ids begin with `first_id`."""
    if len(entries) == 2:
        first, second = entries
        if first.kind is EntryKind.STEP_START:
            if second.kind is EntryKind.ATTEMPT_START and second.attempt == 1:
                return [_row(first, first_id + 1, BEGUN)]
        elif first.kind is EntryKind.ATTEMPT_SUCCESS and second.kind is EntryKind.STEP_SUCCESS:
            return [_row(second, first_id + 1, DONE, first.attempt)]
    return [_row(entry, first_id + n, entry.kind, entry.attempt) for n, entry in enumerate(entries)]


def at_once(begun: Row, done: Row, first_id: int) -> Row | None:
    """Return two rows as one with four ids from `first_id`, if they are of one attempt."""
    if begun[3] != BEGUN or done[3] != DONE or begun[4] != done[4] or done[5] != 1:
        return None
    began_ms, data = begun[2], begun[6]
    assert data is not None
    if done[2] != began_ms:
        data = f"{data[:-1]}{_TOOK}{done[2] - began_ms}}}"
    return (first_id + 3, done[1], done[2], AT_ONCE, done[4], 1, data, done[7])


def unpack(row: Row) -> list[tuple[int, Entry]]:
    """Return the entries of a row, each with its id. Damage raises any exception."""
    number, instance, at_ms, kind, step, attempt, text, value = row
    if isinstance(value, str):  # a damaged row may have the wrong type
        raise ValueError("its value is text; expected bytes")
    began_ms = at_ms
    entries: list[Entry] = []
    if kind == AT_ONCE and text is not None:
        start, took, digits = text.rpartition(_TOOK)
        if took:
            text = f"{start}}}"
            began_ms -= int(digits[:-1])
    if kind in (BEGUN, AT_ONCE):
        data = decoded(EntryKind.STEP_START, text)
        entries.append(Entry(instance, began_ms, EntryKind.STEP_START, step, data=data))
        entries.append(Entry(instance, began_ms, EntryKind.ATTEMPT_START, step, 1))
    if kind in (DONE, AT_ONCE):
        entries.append(Entry(instance, at_ms, EntryKind.ATTEMPT_SUCCESS, step, attempt))
        entries.append(Entry(instance, at_ms, EntryKind.STEP_SUCCESS, step, value=value or b""))
    if not entries:
        known = EntryKind(kind)
        data = decoded(known, text)
        return [(number, Entry(instance, at_ms, known, step, attempt, data, value or b""))]
    first_id = number - len(entries) + 1
    return [(first_id + n, entry) for n, entry in enumerate(entries)]


def _row(entry: Entry, number: int, kind: int, attempt: int = 0) -> Row:
    return (
        number,
        entry.instance,
        entry.at_ms,
        int(kind),
        entry.step,
        attempt,
        None if entry.data is None else encoded(entry.data),
        entry.value or None,
    )
