"""Lists of instances: pages, filters, counts. Its SQL only reads; no instance is folded.

A list shows everything that was answered before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

from emulator.engine.journal.journal import Journal
from emulator.engine.journal.reader import InstanceRow
from emulator.engine.model.entries import decoded
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import TERMINAL, Status
from emulator.engine.model.instance_entries import CodeVersion, Queued
from emulator.errors import StateError
from emulator.words import counted

_START, _QUEUED = EntryKind.WORKFLOW_START, EntryKind.WORKFLOW_QUEUED
_COLUMNS = f"""
    SELECT key, id, status, created_ms, ended_ms,
      (SELECT at_ms FROM entries WHERE instance = key AND kind = {_START:d}
       ORDER BY entries.id LIMIT 1),
      (SELECT data FROM entries WHERE instance = key AND kind = {_START:d}
       ORDER BY entries.id LIMIT 1),
      (SELECT at_ms FROM entries WHERE instance = key ORDER BY entries.id DESC LIMIT 1),
      (SELECT data FROM entries WHERE instance = key AND kind = {_QUEUED:d}
       ORDER BY entries.id LIMIT 1)
    FROM instances
"""


class Summary(NamedTuple):
    """An instance in a list. Times are epoch milliseconds; `trigger` is `"api"`, `"binding"`, …

    generation: of the code on which it started; 0 if it has not started, or is from before numbers.
    """

    key: int
    id: str
    status: Status
    created_ms: int
    ended_ms: int | None
    started_ms: int | None
    generation: int
    modified_ms: int
    trigger: str


class Filter(NamedTuple):
    """Which instances of one workflow; bounds of the creation time are inclusive."""

    workflow: str
    status: str | None = None
    created_from_ms: int | None = None
    created_to_ms: int | None = None

    def where(self) -> tuple[str, tuple[object, ...]]:
        """Return the condition in SQL, and its parameters."""
        conditions: list[tuple[str, object]] = [("workflow = ?", self.workflow)]
        if self.status is not None:
            conditions.append(("status = ?", self.status))
        if self.created_from_ms is not None:
            conditions.append(("created_ms >= ?", self.created_from_ms))
        if self.created_to_ms is not None:
            conditions.append(("created_ms <= ?", self.created_to_ms))
        return " AND ".join(text for text, _ in conditions), tuple(v for _, v in conditions)


class Slice(NamedTuple):
    """Which part of the list: newest first unless `ascending`, past the instance `after`."""

    limit: int
    offset: int = 0
    after: int | None = None  # key of the last instance already seen
    ascending: bool = False


def page(journal: Journal, wanted: Filter, part: Slice) -> list[Summary]:
    """Return a part of the list. Raises StateError when the journal cannot be read."""
    where, parameters = wanted.where()
    order, beyond = ("ASC", ">") if part.ascending else ("DESC", "<")
    if part.after is not None:
        where += f" AND key {beyond} ?"
        parameters += (part.after,)
    # Facts are looked up only for the instances of this page, after the sort.
    keys = f"SELECT key FROM instances WHERE {where} ORDER BY key {order} LIMIT ? OFFSET ?"
    return _summaries(
        journal,
        f"WHERE key IN ({keys}) ORDER BY key {order}",
        (*parameters, part.limit, part.offset),
    )


def one(journal: Journal, workflow: str, instance_id: str) -> Summary | None:
    """Return a single instance as in a list, or None."""
    found = _summaries(journal, "WHERE workflow = ? AND id = ?", (workflow, instance_id))
    return found[0] if found else None


def count(journal: Journal, wanted: Filter) -> int:
    """Return how many instances the whole list has."""
    where, parameters = wanted.where()
    return int(journal.query(f"SELECT count(*) FROM instances WHERE {where}", parameters)[0][0])


def status_counts(journal: Journal, workflow: str) -> dict[Status, int]:
    """Return how many instances of a workflow have each status; every status is a key."""
    rows = journal.query(
        f"SELECT status, count(*) FROM instances WHERE status IN ({','.join('?' * len(Status))})"
        " AND workflow = ? GROUP BY status",
        (*(status.value for status in Status), workflow),
    )
    return dict.fromkeys(Status, 0) | {Status(status): number for status, number in rows}


def next_wake_ms(journal: Journal) -> int | None:
    """Return the earliest deadline of the instances that wait, or None."""
    found = journal.query(
        "SELECT min(wake_ms) FROM instances WHERE status = ?", (Status.WAITING.value,)
    )
    return None if found[0][0] is None else int(found[0][0])


def recorded_workflows(journal: Journal) -> set[str]:
    """Return the workflows that have instances, also those that are no longer configured."""
    return {name for (name,) in journal.query("SELECT DISTINCT workflow FROM instances")}


def unfinished_text(rows: Sequence[InstanceRow], configured: Collection[str]) -> str:
    """Return how many instances these are, how many are paused, and how many cannot go on here.

    `"3 unfinished workflow instances, 1 of them paused"`. A held one is paused too. configured:
    the names of the workflows that this configuration has.
    """
    total = counted(len(rows), "unfinished workflow instance")
    paused = sum(row.status is Status.PAUSED for row in rows)
    if paused:
        whole = "paused" if paused == 1 else "all paused"
        total += f", {f'{paused:,} of them paused' if paused < len(rows) else whole}"
    absent = Counter(row.workflow for row in rows if row.workflow not in configured)
    for workflow, number in sorted(absent.items()):
        total += (
            f'\n  {number:,} of the workflow "{workflow}", which this configuration or environment'
            " does not have: not started here, and kept"
        )
    return total


def goes_on(journal: Journal, configured: Collection[str]) -> bool:
    """Whether any instance goes on by itself at the next start; a paused one does not.

    configured: the names of the workflows that this configuration has.
    """
    statuses = sorted(set(Status) - TERMINAL - {Status.PAUSED})
    names = ", ".join(f"'{status.value}'" for status in statuses)
    known = ", ".join("?" * len(configured))
    found = journal.query(
        f"SELECT EXISTS (SELECT 1 FROM instances WHERE status IN ({names})"
        f" AND workflow IN ({known}))",
        tuple(configured),
    )
    return bool(found[0][0])


class Generation(NamedTuple):
    """A version of the user's code that was loaded, first at `since_ms`."""

    number: int
    code: str
    since_ms: int


def generations(journal: Journal) -> list[Generation]:
    """Return every version of the user's code, the first one first."""
    rows = journal.query("SELECT id, code, since_ms FROM generations ORDER BY id")
    return [Generation(*row) for row in rows]


def _summaries(journal: Journal, where: str, parameters: tuple[object, ...]) -> list[Summary]:
    rows = journal.query(_COLUMNS + where, parameters)
    try:
        return [_summary(*row) for row in rows]
    except Exception as error:  # a wrong status, bad JSON or a bad record: the disk has changed it
        text = f"what it lists of instances is damaged ({error!r})"
        raise StateError(f"{journal.path}: {text}. Restore it from a copy.") from error


def _summary(
    key: int,
    instance_id: str,
    status: str,
    created_ms: int,
    ended_ms: int | None,
    started_ms: int | None,
    started: str | None,
    modified_ms: int | None,
    queued: str | None,
) -> Summary:
    code, origin = decoded(_START, started), decoded(_QUEUED, queued)
    assert isinstance(code, CodeVersion) and isinstance(origin, Queued)
    return Summary(
        key,
        instance_id,
        Status(status),
        created_ms,
        ended_ms,
        started_ms,
        int(code.generation),
        created_ms if modified_ms is None else modified_ms,
        str(origin.source or "unknown"),
    )
