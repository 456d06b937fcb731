"""Reading the journal: instances, their entries, and what they fold to."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from emulator import sqlite
from emulator.disk import AFRESH
from emulator.engine.journal import rows
from emulator.engine.model import fold
from emulator.engine.model.entries import Entry, decoded
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import TERMINAL, Instance, Status
from emulator.engine.model.instance_entries import CodeVersion
from emulator.engine.model.step import LARGE_BYTES, Left
from emulator.errors import StateError

_ANY_ID = 2**63 - 1

# The length of a value is known without reading it.
_IS_LARGE = f"step <> '' AND ifnull(length(value), 0) > {LARGE_BYTES}"
_INSTANCES = "SELECT key, workflow, id, created_ms, status, wake_ms, ended_ms FROM instances"
_FOLDED = (
    "SELECT id, instance, at_ms, kind, step, attempt, data,"
    f" iif({_IS_LARGE}, NULL, value), {_IS_LARGE} FROM entries WHERE instance = ? ORDER BY id"
)

_SHAPE_KINDS = (
    *rows.STEP_STARTS,
    *(EntryKind.WORKFLOW_START, EntryKind.CODE_CHANGED, EntryKind.STEP_RENAMED),
)
_SHAPE = (
    "SELECT kind, step, data FROM entries WHERE instance = ? AND kind IN"
    f" ({', '.join(str(int(kind)) for kind in _SHAPE_KINDS)}) ORDER BY id"
)


class InstanceRow(NamedTuple):
    """An instance as the table lists it, without its history."""

    key: int
    workflow: str
    id: str
    created_ms: int
    status: Status
    wake_ms: int | None
    ended_ms: int | None


class DamagedHistory(StateError):
    """What the journal holds of one instance makes no sense; the others are not affected."""

    def __init__(self, path: Path, row: InstanceRow, problem: str) -> None:
        self.key = row.key
        super().__init__(
            f"{path}: the history of {row.workflow} {row.id} is damaged ({problem}). Nothing of it"
            " was changed, and it does not run.\n  Restore the journal from a copy, or delete the"
            f" instance: groundfog workflows instances delete {shlex.join([row.workflow, row.id])}"
        )


class Reader:
    """What can be read of one open journal file. Use from the event loop's thread only.

    Reads see what is recorded and not committed yet, as far as it may matter (`_show_pending`).
    They never commit, so they call nobody.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, *, reads_only: bool) -> None:
        self.path = path
        self.file = sqlite.DatabaseFile(path)
        self._connection = connection
        self._reads_only = reads_only
        self._last_durable = _ANY_ID  # the highest id of a committed entry

    def _show_pending(self, key: int | None = None) -> None:
        """Let the reads that follow see what is recorded of an instance, or of all (None)."""

    def find(self, workflow: str, instance_id: str) -> int | None:
        """Return the key of an instance, or None when there is none."""
        if not instance_id.isascii():  # no id is; SQLite could not even be asked for some
            return None
        statement = "SELECT key FROM instances WHERE workflow = ? AND id = ?"
        row = self.first(statement, (workflow, instance_id))
        return None if row is None else int(row[0])

    def row(self, key: int) -> InstanceRow | None:
        """Return the row of an instance, or None when there is none."""
        self._show_pending(key)
        found = self.first(f"{_INSTANCES} WHERE key = ?", (key,))
        return None if found is None else self._instance_row(found)

    def unfinished(self) -> list[InstanceRow]:
        """Return every instance that has not ended, oldest first."""
        self._show_pending()
        going = ",".join(f"'{status.value}'" for status in sorted(set(Status) - TERMINAL))
        return list(self._rows(f"WHERE status IN ({going}) ORDER BY key", ()))

    def moved_on(self) -> set[int]:
        """Return the instances that wait and of which more is recorded than that they began to.

        Of all others the row says when they are due; of these, only the fold can tell.
        """
        self._show_pending()
        last = "SELECT kind FROM entries WHERE instance = key ORDER BY entries.id DESC LIMIT 1"
        found = self.select(
            f"SELECT key FROM instances WHERE status = ? AND ifnull(({last}), -1) != ?",
            (Status.WAITING.value, int(EntryKind.WORKFLOW_WAITING)),
        )
        return {key for (key,) in found}

    def next_expiry_ms(self) -> int | None:
        """Return when the first of the finished instances expires; None when none ever does."""
        self._show_pending()
        statement = "SELECT min(expires_ms) FROM instances WHERE expires_ms IS NOT NULL"
        found = self.first(statement, ())
        return None if found is None else found[0]

    def expired(self, now_ms: int, limit: int) -> list[int]:
        """Return the keys of at most `limit` instances that have expired, the oldest first."""
        self._show_pending()
        statement = "SELECT key FROM instances WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?"
        return [key for (key,) in self.select(statement, (now_ms, limit))]

    def every(self) -> list[InstanceRow]:
        """Return every instance, oldest first."""
        self._show_pending()
        return list(self._rows("ORDER BY key", ()))

    def dormant(self, after: int, limit: int) -> list[InstanceRow]:
        """Return instances that wait or are paused, oldest first, past the one with key `after`."""
        self._show_pending()
        statuses = f"('{Status.WAITING.value}', '{Status.PAUSED.value}')"
        where = f"WHERE status IN {statuses} AND key > ? ORDER BY key LIMIT ?"
        return list(self._rows(where, (after, limit)))

    def shape(self, key: int) -> tuple[int, tuple[str, ...]]:
        """Return the generation of code an instance last ran on, and its steps as they began.

        Raises DamagedHistory.
        """
        generation, steps = 0, []
        with self.reading(key):
            for kind, step, text in self.select(_SHAPE, (key,)):
                if step:
                    steps.append(step)
                else:
                    code = decoded(EntryKind(kind), text)
                    assert isinstance(code, CodeVersion)
                    generation = code.generation or generation
        return generation, tuple(steps)

    def load(self, key: int, *, steps: bool = True, whole: bool = False) -> Instance:
        """Return an instance folded from its entries; large values of its steps are `Left`.

        Raises KeyError for an unknown key, DamagedHistory when the entries make no sense.

        steps: False leaves them out, which is much faster when there are many. whole: with all
        values.
        """
        row = self.row(key)
        if row is None:
            raise KeyError(key)
        return self.fold(row, steps=steps, whole=whole)

    def fold(self, row: InstanceRow, *, steps: bool = True, whole: bool = False) -> Instance:
        """Return the instance of a row that was read before. Raises DamagedHistory."""
        instance = Instance(row.key, row.workflow, row.id)
        number = 0
        try:
            for number, entry in self._to_fold(row.key, steps, whole):  # noqa: B007
                fold.apply(instance, entry)
            for step in instance.steps.values():
                _ = step.kind, step.count  # which its key holds
        except Exception as error:  # whatever the disk made of it must not stop other instances
            known = isinstance(error, sqlite3.Error | StateError)
            problem = str(error) if known else f"entry {number}: {error!r}"
            raise DamagedHistory(self.path, row, problem) from error
        return instance

    def _to_fold(self, key: int, steps: bool, whole: bool) -> Iterator[tuple[int, Entry]]:
        if whole or not steps:
            yield from self._numbered(key, "" if steps else "AND step = ''")
            return
        self._show_pending(key)
        for *row, is_large in self.select(_FOLDED, (key,)):
            if is_large:
                row[-1] = Left(b"%d" % row[0])
            yield from rows.unpack(tuple(row))

    def value(self, value: bytes) -> bytes:
        """Return a value of a step, from the disk if it was `Left` there. Raises StateError."""
        if type(value) is not Left:
            return value
        statement = "SELECT value FROM entries WHERE id = ?"
        found = self.first(statement, (int(value),))
        if found is None:  # it is still to be committed
            self._show_pending()
            found = self.first(statement, (int(value),))
        if found is None or not isinstance(found[0], bytes):
            raise StateError(f"{self.path}: not read: entry {int(value)} has no value")
        return found[0]

    @contextmanager
    def reading(self, key: int) -> Iterator[None]:
        """Raise DamagedHistory for what fails while entries are read that cannot be folded.

        Raises StateError when the instance, which was listed, is not found any more.
        """
        try:
            yield
        except Exception as error:
            row = self.row(key)
            if row is None:
                text = f"instance {key} is listed and not found; the journal is damaged"
                raise StateError(f"{self.path}: {text}.") from error
            self.fold(row)
            raise

    def first(self, statement: str, parameters: tuple[object, ...] = ()) -> tuple[Any, ...] | None:
        """Return the first row of a statement that only reads, or None. Raises StateError."""
        try:
            found: tuple[Any, ...] | None
            found = self._connection.execute(statement, parameters).fetchone()
            return found
        except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
            raise self._not_read(error) from error

    def select(
        self, statement: str, parameters: tuple[object, ...] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """Yield rows. Raises StateError when they cannot be read."""
        try:
            yield from self._connection.execute(statement, parameters)
        except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
            raise self._not_read(error) from error

    def _not_read(self, error: Exception) -> StateError:
        return StateError(f"{self.path}: not read: {error}")

    def entries(self, key: int) -> Iterator[Entry]:
        """Yield the entries of an instance in the order they were decided."""
        return (entry for _, entry in self.numbered(key))

    def numbered(self, key: int) -> Iterator[tuple[int, Entry]]:
        """Yield the entries of an instance in the order they were decided, each with its id."""
        return self._numbered(key, "")

    def _numbered(self, key: int, condition: str) -> Iterator[tuple[int, Entry]]:
        self._show_pending(key)
        return self._entries(
            "SELECT id, instance, at_ms, kind, step, attempt, data, value FROM entries"
            f" WHERE instance = ? {condition} ORDER BY id",
            (key,),
        )

    def entries_after(self, key: int, entry_id: int, limit: int) -> list[tuple[int, Entry]]:
        """Return the entries in the first `limit` rows of an instance past the entry `entry_id`.

        All of them are durable. Raises StateError when they cannot be read.
        """
        return list(
            self._entries(
                "SELECT id, instance, at_ms, kind, step, attempt, data, value FROM entries"
                " WHERE instance = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?",
                (key, entry_id, self._last_durable, limit),
            )
        )

    def _entries(
        self, statement: str, parameters: tuple[object, ...]
    ) -> Iterator[tuple[int, Entry]]:
        for row in self.select(statement, parameters):
            try:
                entries = rows.unpack(row)
            except Exception as error:  # no JSON, no kind, another type: the disk has changed it
                text = f"entry {row[0]} is damaged ({error!r})"
                raise StateError(f"{self.path}: {text}.") from error
            yield from entries

    def last_ms(self) -> int:
        """Return the time of the last entry; 0 in an empty journal."""
        found = self.query("SELECT at_ms FROM entries ORDER BY id DESC LIMIT 1")
        return int(found[0][0]) if found else 0

    def query(self, statement: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a statement that only reads. Raises StateError when it fails."""
        self._show_pending()
        try:
            if not self._reads_only:
                self.file.check()  # what is told of a journal that is gone will not be so
        except sqlite.Removed as error:
            raise StateError(str(error)) from error
        return list(self.select(statement, parameters))

    def _rows(self, where: str, parameters: tuple[object, ...]) -> Iterator[InstanceRow]:
        return map(self._instance_row, self.select(f"{_INSTANCES} {where}", parameters))

    def _instance_row(self, row: tuple[Any, ...]) -> InstanceRow:
        try:
            status = Status(row[4])
        except ValueError:
            text = f"instance {row[0]} has the status {row[4]!r}; it is damaged"
            raise StateError(f"{self.path}: {text}.") from None
        return InstanceRow(row[0], row[1], row[2], row[3], status, row[5], row[6])

    def one(self, statement: str) -> int:
        """Return the number that a statement finds. Raises StateError when there is none."""
        found = self.first(statement, ())
        if found is None or not isinstance(found[0], int):
            raise StateError(
                f"{self.path}: the journal is damaged: it does not know its highest numbers."
                " Nothing was changed.\n"
                f"  {AFRESH}"
            )
        return found[0]
