"""The journal: the append-only record of instances, and all of the engine's SQL.

Writes are collected and committed together once per turn of the event loop (**group commit**), on
the loop's own thread: a commit costs about 0.2 ms, a hand-over to a writer thread and back costs
as much again, and nothing may be answered before the commit anyway. Who needs to know that what it
wrote is durable passes a callback to `after_commit`.

A commit that fails writes nothing; all who waited are told, and `on_failure` says for which
instances the caller's memory is now ahead of the disk.
"""

from __future__ import annotations

import asyncio
import shlex
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from emulator import sqlite
from emulator.disk import AFRESH
from emulator.engine.journal import rows
from emulator.engine.journal.rows import Row
from emulator.engine.journal.schema import open_journal, read_journal, unusable
from emulator.engine.model import fold
from emulator.engine.model.entries import Entry, decoded
from emulator.engine.model.instance import TERMINAL, Instance, Status
from emulator.engine.model.instance_data import CodeVersion
from emulator.engine.model.kinds import EntryKind
from emulator.engine.model.step import LARGE_BYTES, Left
from emulator.errors import StateError

LATE_MS = 20  # the longest that what is recorded `late` waits for a commit of its own

_PROBE_BYTES = 65_536  # enough for a few steps: what can be begun can then be recorded

CommitCallback = Callable[[sqlite3.Error | None], None]

_INSERT_ENTRY = (
    "INSERT INTO entries (id, instance, at_ms, kind, step, attempt, data, value)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_INSTANCE = (
    "INSERT INTO instances (key, workflow, id, created_ms, status) VALUES (?, ?, ?, ?, ?)"
)
_SET_STATUS = (
    "UPDATE instances SET status = ?, wake_ms = ?, ended_ms = ?, expires_ms = ? WHERE key = ?"
)
_WIPE = "DELETE FROM entries WHERE instance = ?"
_STRIKE = "DELETE FROM entries WHERE id = ?"
_DELETE_INSTANCE = "DELETE FROM instances WHERE key = ?"
_INSERT_GENERATION = "INSERT INTO generations (id, code, since_ms) VALUES (?, ?, ?)"
_INSERT_CHUNK = "INSERT INTO stream_chunks (stream, position, instance, chunk) VALUES (?, ?, ?, ?)"
_DROP_STREAM = "DELETE FROM stream_chunks WHERE stream = ?"
_DROP_STREAMS = "DELETE FROM stream_chunks WHERE instance = ?"
# Each instance is found by one look into the index, however many chunks it has.
_WITH_CHUNKS = (
    "WITH RECURSIVE found (key) AS (SELECT min(instance) FROM stream_chunks UNION ALL"
    " SELECT (SELECT min(instance) FROM stream_chunks WHERE instance > key)"
    " FROM found WHERE key IS NOT NULL) SELECT key FROM found WHERE key IS NOT NULL"
)
_EXTENT = (
    "SELECT count(*), min(position), max(position), ifnull(sum(length(chunk)), 0)"
    " FROM stream_chunks WHERE stream = ? AND instance = ?"
)
_RAISE_HIGH_WATER = "UPDATE high_water SET entry = max(entry, ?), instance = max(instance, ?)"

# The length of a value is known without reading it.
_IS_LARGE = f"step <> '' AND ifnull(length(value), 0) > {LARGE_BYTES}"
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


@dataclass(slots=True)
class _Batch:
    """What the next commit writes, in this order; rows are as their statements take them."""

    wiped: list[tuple[int]] = field(default_factory=list)
    deleted: list[tuple[int]] = field(default_factory=list)
    struck: list[tuple[int]] = field(default_factory=list)
    instances: list[tuple[object, ...]] = field(default_factory=list)
    entries: list[Row | None] = field(default_factory=list)  # None: in a later row by now
    last: dict[int, int] = field(default_factory=dict)  # instance -> place of its last entry
    statuses: dict[int, tuple[object, ...]] = field(default_factory=dict)  # by key: the last one
    generations: list[tuple[int, str, int]] = field(default_factory=list)
    chunks: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    dropped: list[tuple[int]] = field(default_factory=list)  # streams
    committed: list[Entry] = field(default_factory=list)  # the entries again, as values

    def __bool__(self) -> bool:
        return bool(
            self.wiped
            or self.struck
            or self.instances
            or self.entries
            or self.statuses
            or self.generations
            or self.chunks
            or self.dropped
        )


@dataclass(frozen=True, slots=True)
class InstanceRow:
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


class Journal:
    """One open journal file. Use from the event loop's thread only."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, *, reads_only: bool = False
    ) -> None:
        self.path = path
        self._reads_only = reads_only
        self.on_failure: Callable[[set[int], sqlite3.Error], None] = lambda keys, error: None
        self.on_commit: Callable[[list[Entry]], None] = lambda entries: None
        self._connection = connection
        self.place = sqlite.Place(path)
        self._batch = _Batch()
        self._new: dict[tuple[str, str], int] = {}
        self._gone: set[int] = set()  # keys that the next commit deletes
        self._touched: set[int] = set()
        self._waiting: list[CommitCallback] = []
        self._watchers: dict[int, list[Callable[[], None]]] = {}
        self.watchable = True
        self._scheduled = False
        self._late: asyncio.TimerHandle | None = None
        self._next_entry = 1 + self._one(
            "SELECT max(entry, (SELECT coalesce(max(id), 0) FROM entries),"
            " (SELECT coalesce(max(stream), 0) FROM stream_chunks)) FROM high_water"
        )
        self._next_instance = 1 + self._one(
            "SELECT max(instance, (SELECT coalesce(max(key), 0) FROM instances)) FROM high_water"
        )
        self._generations = {
            str(code): int(number)
            for number, code in self._select("SELECT id, code FROM generations")
        }
        self._codes = {number: code for code, number in self._generations.items()}
        self._with_chunks = {int(key) for (key,) in self._select(_WITH_CHUNKS)}

    @classmethod
    def open(cls, path: Path, synchronous: sqlite.Synchronous = "FULL") -> Journal:
        """Open or create the journal at `path`; one of an earlier version is carried forward.

        Raises StateError, having changed nothing, when it is no journal, damaged, or was written
        by a newer Groundfog.
        """
        return cls._of(open_journal(path, synchronous), path, reads_only=False)

    @classmethod
    def open_to_read(cls, path: Path) -> Journal:
        """Open the journal at `path` as it is, or as an empty one; nothing can be recorded in it.

        Raises StateError when it is no journal, or was written by a newer Groundfog.
        """
        return cls._of(read_journal(path), path, reads_only=True)

    @classmethod
    def _of(cls, connection: sqlite3.Connection, path: Path, *, reads_only: bool) -> Journal:
        try:
            return cls(connection, path, reads_only=reads_only)
        except sqlite3.Error as error:
            connection.close()
            raise unusable(path, error) from error

    # --- writing

    def new_instance(self, workflow: str, instance_id: str, now_ms: int) -> int:
        """Record a new instance and return its key; the id must not be in use."""
        key = self._next_instance
        self._next_instance += 1
        self._new[workflow, instance_id] = key
        row = (key, workflow, instance_id, now_ms, Status.QUEUED.value)
        self._batch.instances.append(row)
        self._touch(key)
        return key

    def generation(self, code: str, now_ms: int) -> int:
        """Return the number of this version of the user's code; one not yet seen gets a new one.

        code: equal for equal code. A number is never given to another version, however often the
        host is started.
        """
        known = self._generations.get(code)
        if known is not None:
            return known
        number = self._generations[code] = len(self._generations) + 1
        self._codes[number] = code
        self._batch.generations.append((number, code, now_ms))
        self._schedule()
        return number

    def code(self, generation: int) -> str | None:
        """Return the code that a generation is of, or None when there is no such generation."""
        return self._codes.get(generation)

    def append(self, *entries: Entry, late: bool = False) -> None:
        """Record what was decided together; durable once a callback of `after_commit` is called.

        late: nobody waits for it, so it goes with the next commit, in `LATE_MS` at the latest.
        """
        if not entries:
            return
        batch = self._batch
        first_id = self._next_entry
        self._next_entry += len(entries)
        for row in rows.pack(entries, first_id):
            self._add(batch, row)
        batch.committed += entries
        key = entries[0].instance
        if late:
            self._touched.add(key)
            self._schedule_late()
        else:
            self._touch(key)

    def _add(self, batch: _Batch, row: Row) -> None:
        """Add a row to what the next commit writes, in one with the last of its instance or not."""
        place = batch.last.get(row[1])
        last = None if place is None else batch.entries[place]
        if last is not None:
            both = rows.at_once(last, row, self._next_entry)
            if both is not None:
                assert place is not None
                batch.entries[place] = None
                self._next_entry = both[0] + 1
                row = both
        batch.last[row[1]] = len(batch.entries)
        batch.entries.append(row)

    def set_status(
        self,
        key: int,
        status: Status,
        wake_ms: int | None,
        ended_ms: int | None,
        expires_ms: int | None = None,
    ) -> None:
        """Record what the fold of an instance now says."""
        self._batch.statuses[key] = (status.value, wake_ms, ended_ms, expires_ms, key)
        self._touch(key)

    def wipe(self, key: int) -> None:
        """Delete every entry of an instance: it is about to be restarted, or deleted."""
        batch = self._batch
        batch.entries = [row for row in batch.entries if row is not None and row[1] != key]
        batch.last.clear()
        batch.committed = [entry for entry in batch.committed if entry.instance != key]
        batch.wiped.append((key,))
        batch.chunks = [row for row in batch.chunks if row[2] != key]
        self._touch(key)

    def strike(self, key: int, ids: list[int]) -> None:
        """Delete these entries of an instance, as `numbered` has just given them."""
        self._batch.struck += [(entry_id,) for entry_id in ids]
        self._touch(key)

    def delete(self, key: int) -> None:
        """Delete an instance and all its entries; its id is free from now on."""
        self.wipe(key)
        batch = self._batch
        batch.instances = [row for row in batch.instances if row[0] != key]
        batch.statuses.pop(key, None)
        batch.deleted.append((key,))
        self._new = {name: new for name, new in self._new.items() if new != key}
        self._gone.add(key)

    def new_stream(self) -> int:
        """Return the number of a new stream: an entry's, so it is given once."""
        self._next_entry += 1
        return self._next_entry - 1

    def add_chunk(self, key: int, stream: int, position: int, chunk: bytes) -> None:
        """Record a piece of a stream of an instance."""
        self._with_chunks.add(key)
        self._batch.chunks.append((stream, position, key, chunk))
        self._touch(key)

    def drop_stream(self, key: int, stream: int) -> None:
        """Delete what there is of a stream."""
        batch = self._batch
        batch.chunks = [row for row in batch.chunks if row[0] != stream]
        batch.dropped.append((stream,))
        self._touch(key)

    def keep_streams(self, key: int, kept: Collection[int]) -> None:
        """Delete the streams of an instance that are not in `kept`."""
        statement = "SELECT DISTINCT stream FROM stream_chunks WHERE instance = ?"
        found = {stream for (stream,) in self._select(statement, (key,))}
        found |= {row[0] for row in self._batch.chunks if row[2] == key}
        for stream in found.difference(kept):
            self.drop_stream(key, stream)

    def after_commit(self, callback: CommitCallback) -> None:
        """Call `callback` once everything written so far is durable, or with the error if not."""
        self._waiting.append(callback)
        self._schedule()

    def watch(self, key: int, callback: Callable[[], None]) -> None:
        """Call `callback` after every commit that concerns an instance.

        It is also called once when this is no longer `watchable`: nothing is to come.
        """
        self._watchers.setdefault(key, []).append(callback)

    def unwatch(self, key: int, callback: Callable[[], None]) -> None:
        """Stop calling `callback`, which may be called no more already."""
        watchers = self._watchers.get(key, [])
        if callback in watchers:
            watchers.remove(callback)
            if not watchers:
                del self._watchers[key]

    def stop_watching(self) -> None:
        """Let everyone who waits for news go: the host is about to stop."""
        self.watchable = False
        for key in list(self._watchers):
            self._wake(key)

    async def committed(self) -> None:
        """Return once everything written so far is durable. Raises StateError if it is not."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settle(error: sqlite3.Error | None) -> None:
            if future.cancelled():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(StateError(self._not_recorded(error)))

        self.after_commit(settle)
        await future

    def _not_recorded(self, error: sqlite3.Error) -> str:
        if isinstance(error, sqlite.Removed):  # says it all
            return str(error)
        return f"{self.path}: not recorded: {error}"

    def _touch(self, key: int) -> None:
        self._touched.add(key)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)

    def _schedule_late(self) -> None:
        if self._late is None and not self._scheduled:
            delay_s = LATE_MS / 1000
            self._late = asyncio.get_running_loop().call_later(delay_s, self._flush_late)

    def _flush_late(self) -> None:
        self._late = None
        if self._batch:
            self.flush()

    def flush_if_due(self) -> None:
        """Commit now what this turn of the event loop would commit at its end."""
        if self._scheduled:
            self.flush()

    def flush(self) -> None:
        """Commit what is pending, then call everyone who waits."""
        self._scheduled = False
        if not self._batch and not self._waiting:
            return
        batch, self._batch = self._batch, _Batch()
        touched, self._touched = self._touched, set()
        waiting, self._waiting = self._waiting, []
        self._new.clear()
        self._gone.clear()
        failure: sqlite3.Error | None = None
        if batch:
            try:
                self._commit(batch)
            except (sqlite3.Error, OverflowError, UnicodeError) as error:
                failure = (
                    error if isinstance(error, sqlite3.Error) else sqlite3.DataError(str(error))
                )
                self._batch.generations[:0] = batch.generations  # known all the same
                self.on_failure(touched, failure)
        broken: list[Exception] = []
        for callback in waiting:
            try:
                callback(failure)
            except Exception as error:  # the others wait for the same commit and must hear of it
                broken.append(error)
        if batch.committed and failure is None:
            self.on_commit(batch.committed)
        if self._watchers and failure is None:
            for key in touched & self._watchers.keys():
                self._wake(key)
        if broken:
            raise ExceptionGroup("after a commit", broken)

    def _wake(self, key: int) -> None:
        for callback in list(self._watchers.get(key, ())):
            callback()

    def _commit(self, batch: _Batch) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            if batch.wiped or batch.struck:
                highest = (self._next_entry - 1, self._next_instance - 1)
                connection.execute(_RAISE_HIGH_WATER, highest)
                connection.executemany(_DROP_STREAMS, batch.wiped)
            if batch.chunks or batch.dropped:
                connection.executemany(_DROP_STREAM, batch.dropped)
                connection.executemany(_INSERT_CHUNK, batch.chunks)
            connection.executemany(_WIPE, batch.wiped)
            connection.executemany(_STRIKE, batch.struck)
            connection.executemany(_DELETE_INSTANCE, batch.deleted)
            connection.executemany(_INSERT_GENERATION, batch.generations)
            connection.executemany(_INSERT_INSTANCE, batch.instances)
            connection.executemany(_INSERT_ENTRY, filter(None, batch.entries))
            connection.executemany(_SET_STATUS, batch.statuses.values())
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.place.check()  # a commit to a file that is gone is none

    def is_writable(self) -> bool:
        """Whether a record of some size can be committed now; it is deleted again at once."""
        probe: Row = (self._next_entry, 0, 0, -1, "", 0, None, bytes(_PROBE_BYTES))
        try:
            self._commit(_Batch(entries=[probe]))
            self._commit(_Batch(wiped=[(0,)]))
        except sqlite3.Error:
            return False
        return True

    def give_back(self, live_max_bytes: int) -> int:
        """Return space that deleted rows took up to the file system; return how many bytes.

        Nothing else happens meanwhile, so it is left out (0) when what remains is larger than
        `live_max_bytes`, when there is little to gain, and when the disk has no room for it. What
        is free inside the file is used again in any case.
        """
        self.flush()
        try:
            pages, free, page_bytes = (
                self._one(f"PRAGMA {name}")
                for name in ("page_count", "freelist_count", "page_size")
            )
            if (pages - free) * page_bytes > live_max_bytes or free < pages / 10:
                return 0
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return (pages - self._one("PRAGMA page_count")) * page_bytes
        except sqlite3.Error:
            return 0

    # --- reading (what is pending for the same instance is committed first)

    def find(self, workflow: str, instance_id: str) -> int | None:
        """Return the key of an instance, or None when there is none."""
        if not instance_id.isascii():  # no id is; SQLite could not even be asked for some
            return None
        new = self._new.get((workflow, instance_id))
        if new is not None:
            return new
        statement = "SELECT key FROM instances WHERE workflow = ? AND id = ?"
        row = self._read(statement, (workflow, instance_id))
        return None if row is None or row[0] in self._gone else int(row[0])

    def row(self, key: int) -> InstanceRow | None:
        """Return the row of an instance, or None when there is none."""
        if key in self._touched:
            self.flush()
        return next(self._rows("WHERE key = ?", (key,)), None)

    def unfinished(self) -> list[InstanceRow]:
        """Return every instance that has not ended, oldest first."""
        self.flush()
        going = ",".join(f"'{status.value}'" for status in sorted(set(Status) - TERMINAL))
        return list(self._rows(f"WHERE status IN ({going}) ORDER BY key", ()))

    def moved_on(self) -> set[int]:
        """Return the instances that wait and of which more is recorded than that they began to.

        Of all others the row says when they are due; of these, only the fold can tell.
        """
        self.flush()
        last = "SELECT kind FROM entries WHERE instance = key ORDER BY entries.id DESC LIMIT 1"
        found = self._select(
            f"SELECT key FROM instances WHERE status = ? AND ifnull(({last}), -1) != ?",
            (Status.WAITING.value, int(EntryKind.WORKFLOW_WAITING)),
        )
        return {key for (key,) in found}

    def next_expiry_ms(self) -> int | None:
        """Return when the first of the finished instances expires; None when none ever does."""
        self.flush()
        statement = "SELECT min(expires_ms) FROM instances WHERE expires_ms IS NOT NULL"
        found = self._read(statement, ())
        return None if found is None else found[0]

    def expired(self, now_ms: int, limit: int) -> list[int]:
        """Return the keys of at most `limit` instances that have expired, the oldest first."""
        self.flush()
        statement = "SELECT key FROM instances WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?"
        return [key for (key,) in self._select(statement, (now_ms, limit))]

    def every(self) -> list[InstanceRow]:
        """Return every instance, oldest first."""
        self.flush()
        return list(self._rows("ORDER BY key", ()))

    def dormant(self, after: int, limit: int) -> list[InstanceRow]:
        """Return instances that wait or are paused, oldest first, past the one with key `after`."""
        self.flush()
        statuses = f"('{Status.WAITING.value}', '{Status.PAUSED.value}')"
        where = f"WHERE status IN {statuses} AND key > ? ORDER BY key LIMIT ?"
        return list(self._rows(where, (after, limit)))

    def shape(self, key: int) -> tuple[int, tuple[str, ...]]:
        """Return the generation of code an instance last ran on, and its steps as they began.

        Raises DamagedHistory.
        """
        generation, steps = 0, []
        with self.reading(key):
            for kind, step, text in self._select(_SHAPE, (key,)):
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
        self._commit_pending(key)
        for *row, is_large in self._select(_FOLDED, (key,)):
            if is_large:
                row[-1] = Left(b"%d" % row[0])
            yield from rows.unpack(tuple(row))

    def value(self, value: bytes) -> bytes:
        """Return a value of a step, from the disk if it was `Left` there. Raises StateError."""
        if type(value) is not Left:
            return value
        statement = "SELECT value FROM entries WHERE id = ?"
        found = self._read(statement, (int(value),))
        if found is None:  # it is still to be committed
            self.flush()
            found = self._read(statement, (int(value),))
        if found is None or not isinstance(found[0], bytes):
            raise StateError(f"{self.path}: not read: entry {int(value)} has no value")
        return found[0]

    def left(self, key: int) -> Left:
        """Return where the value is that was recorded last of an instance, in this turn."""
        batch = self._batch
        row = batch.entries[batch.last[key]]
        assert row is not None
        return Left(b"%d" % row[0])

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

    def has_chunks(self, key: int) -> bool:
        """Whether an instance may have streams."""
        return key in self._with_chunks

    def chunk(self, key: int, stream: int, position: int) -> bytes | None:
        """Return a piece of a stream of an instance that is durable, or None. Raises StateError."""
        found = self._read(
            "SELECT chunk FROM stream_chunks WHERE stream = ? AND position = ? AND instance = ?",
            (stream, position, key),
        )
        return found[0] if found else None

    def extent(self, key: int, stream: int) -> tuple[int, int | None, int | None, int]:
        """Return how many durable chunks a stream has, the first and last position, and its bytes.

        Raises StateError when they cannot be read.
        """
        count, first, last, size = self._read(_EXTENT, (stream, key)) or (0, None, None, 0)
        return count, first, last, size

    def streamed_bytes(self, key: int) -> int:
        """Return how many bytes all streams of an instance have. Raises StateError."""
        statement = "SELECT ifnull(sum(length(chunk)), 0) FROM stream_chunks WHERE instance = ?"
        found = self._read(statement, (key,))
        return int(found[0]) if found else 0

    def _read(self, statement: str, parameters: tuple[object, ...]) -> tuple[Any, ...] | None:
        return next(self._select(statement, parameters), None)

    def _select(
        self, statement: str, parameters: tuple[object, ...] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """Yield rows. Raises StateError when they cannot be read."""
        try:
            yield from self._connection.execute(statement, parameters)
        except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
            raise StateError(f"{self.path}: not read: {error}") from error

    def entries(self, key: int) -> Iterator[Entry]:
        """Yield the entries of an instance in the order they were decided."""
        return (entry for _, entry in self.numbered(key))

    def numbered(self, key: int) -> Iterator[tuple[int, Entry]]:
        """Yield the entries of an instance in the order they were decided, each with its id."""
        return self._numbered(key, "")

    def _commit_pending(self, key: int) -> None:
        while key in self._touched:  # a commit may start a run, which is recorded in turn
            self.flush()

    def _numbered(self, key: int, condition: str) -> Iterator[tuple[int, Entry]]:
        self._commit_pending(key)
        return self._entries(
            "SELECT id, instance, at_ms, kind, step, attempt, data, value FROM entries"
            f" WHERE instance = ? {condition} ORDER BY id",
            (key,),
        )

    def entries_after(self, key: int, entry_id: int, limit: int) -> list[tuple[int, Entry]]:
        """Return the entries in the first `limit` rows of an instance past the entry `entry_id`.

        What is pending is not among them. Raises StateError when they cannot be read.
        """
        return list(
            self._entries(
                "SELECT id, instance, at_ms, kind, step, attempt, data, value FROM entries"
                " WHERE instance = ? AND id > ? ORDER BY id LIMIT ?",
                (key, entry_id, limit),
            )
        )

    def _entries(
        self, statement: str, parameters: tuple[object, ...]
    ) -> Iterator[tuple[int, Entry]]:
        for row in self._select(statement, parameters):
            try:
                entries = rows.unpack(cast(Row, row))
            except Exception as error:  # no JSON, no kind, another type: the disk has changed it
                text = f"entry {row[0]} is damaged ({error!r})"
                raise StateError(f"{self.path}: {text}.") from error
            yield from entries

    def last_ms(self) -> int:
        """Return the time of the last entry; 0 in an empty journal."""
        found = self.query("SELECT at_ms FROM entries ORDER BY id DESC LIMIT 1")
        return int(found[0][0]) if found else 0

    def query(self, statement: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a statement that only reads. Raises StateError if it cannot be read.

        What is pending is committed first.
        """
        self.flush()
        try:
            if not self._reads_only:
                self.place.check()  # what is told of a journal that is gone will not be so
        except sqlite.Removed as error:
            raise StateError(str(error)) from error
        return list(self._select(statement, parameters))

    def _rows(self, where: str, parameters: tuple[object, ...]) -> Iterator[InstanceRow]:
        for row in self._select(
            "SELECT key, workflow, id, created_ms, status, wake_ms, ended_ms"
            f" FROM instances {where}",
            parameters,
        ):
            try:
                status = Status(row[4])
            except ValueError:
                text = f"instance {row[0]} has the status {row[4]!r}; it is damaged"
                raise StateError(f"{self.path}: {text}.") from None
            yield InstanceRow(row[0], row[1], row[2], row[3], status, row[5], row[6])

    def _one(self, statement: str) -> int:
        found = self._read(statement, ())
        if found is None or not isinstance(found[0], int):
            raise StateError(
                f"{self.path}: the journal is damaged: it does not know its highest numbers."
                " Nothing was changed.\n"
                f"  {AFRESH}"
            )
        return found[0]

    def close(self) -> None:
        """Commit what is pending and close the file."""
        if self._late is not None:
            self._late.cancel()
        self.flush()
        self.stop_watching()
        self._connection.close()
