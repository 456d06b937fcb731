"""The journal: the append-only record of instances. This module writes it.

Writes are collected and committed together, once in each turn of the event loop (**group commit**),
on the loop's own thread. A commit costs about 0.2 ms. To hand it to a writer thread and back would
cost as much again, and nobody gets an answer before the commit anyway. A caller that must know when
its entries are durable passes a callback to `after_commit`.

Only the end of a turn, `committed` and `close` commit, and only they call callbacks. A read in
between sees pending entries too: it writes them at once, in the transaction that the end of the
turn commits. So a caller that shows a user what it has read waits for `committed` first.

A commit that fails writes nothing of its turn. Then every callback gets the error, and `on_failure`
gets the instances whose state in memory is now ahead of the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from emulator import sqlite
from emulator.engine.journal.batch import Batch, Rows
from emulator.engine.journal.chunks import Chunks
from emulator.engine.journal.reader import Reader
from emulator.engine.journal.rows import Row
from emulator.engine.journal.schema import open_journal, read_journal, unusable
from emulator.engine.journal.watchers import Watchers
from emulator.engine.model.entries import Entry
from emulator.engine.model.instance import Status
from emulator.engine.model.step import Left
from emulator.errors import StateError

LATE_MS = 20  # the longest time that entries recorded as `late` wait for a commit

_PROBE_BYTES = 65_536  # enough for a few steps: what can be begun can then be recorded

CommitCallback = Callable[[sqlite3.Error | None], None]


class Journal(Reader):
    """One open journal file. Use from the event loop's thread only."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, *, reads_only: bool = False
    ) -> None:
        super().__init__(connection, path, reads_only=reads_only)
        self.on_failure: Callable[[set[int], sqlite3.Error], None] = lambda keys, error: None
        self.on_commit: Callable[[list[Entry]], None] = lambda entries: None
        self.watchers = Watchers()
        self._batch = Batch()
        self._new: dict[tuple[str, str], int] = {}
        self._named: dict[int, tuple[str, str]] = {}  # those of the last commit, by key
        self._gone: set[int] = set()  # keys that the next commit deletes
        self._waiting: list[CommitCallback] = []
        self._scheduled = False
        self._late: asyncio.TimerHandle | None = None
        self._next_entry = 1 + self.one(
            "SELECT max(entry, (SELECT coalesce(max(id), 0) FROM entries),"
            " (SELECT coalesce(max(stream), 0) FROM stream_chunks)) FROM high_water"
        )
        self._next_instance = 1 + self.one(
            "SELECT max(instance, (SELECT coalesce(max(key), 0) FROM instances)) FROM high_water"
        )
        if not reads_only:
            self._last_durable = self._next_entry - 1
        self._generations = {
            str(code): int(number)
            for number, code in self.select("SELECT id, code FROM generations")
        }
        self._codes = {number: code for code, number in self._generations.items()}
        self.chunks = Chunks(self, lambda: self._batch.rows, self._rows_of, self._new_id)

    @classmethod
    def open(cls, path: Path, synchronous: sqlite.Synchronous = "FULL") -> Journal:
        """Open or create the journal at `path`; a file of an earlier version is brought up to date.

        Raises StateError, having changed nothing, when it is not a journal, damaged, or was written
        by a newer Groundfog.
        """
        return cls._of(open_journal(path, synchronous), path, reads_only=False)

    @classmethod
    def open_to_read(cls, path: Path) -> Journal:
        """Open the journal at `path` as it is, or as an empty one; nothing can be recorded in it.

        Raises StateError when it is not a journal, or was written by a newer Groundfog.
        """
        return cls._of(read_journal(path), path, reads_only=True)

    @classmethod
    def _of(cls, connection: sqlite3.Connection, path: Path, *, reads_only: bool) -> Journal:
        try:
            return cls(connection, path, reads_only=reads_only)
        except sqlite3.Error as error:
            connection.close()
            raise unusable(path, error) from error

    def find(self, workflow: str, instance_id: str) -> int | None:
        """Return the key of an instance, or None if it does not exist."""
        new = self._new.get((workflow, instance_id))
        if new is not None:
            return new
        key = super().find(workflow, instance_id)
        return None if key in self._gone else key

    def name_of(self, key: int) -> tuple[str, str] | None:
        """Return the workflow and the id of an instance, or None when there is none."""
        name = self._named.get(key)
        if name is None and (row := self.row(key)) is not None:
            name = row.workflow, row.id
        return name

    def is_pending(self, key: int) -> bool:
        """Whether something about an instance is recorded and not committed yet."""
        return key in self._batch.keys

    def new_instance(self, workflow: str, instance_id: str, now_ms: int) -> int:
        """Record a new instance and return its key; the id must not be in use."""
        key = self._next_instance
        self._next_instance += 1
        self._new[workflow, instance_id] = key
        row = (key, workflow, instance_id, now_ms, Status.QUEUED.value)
        self._rows_of(key).instances.append(row)
        return key

    def generation(self, code: str, now_ms: int) -> int:
        """Return the number of this version of the user's code; an unknown version gets a new one.

        code: equal for equal code. A number is never given to another version, however often the
        host is started.
        """
        known = self._generations.get(code)
        if known is not None:
            return known
        number = self._generations[code] = len(self._generations) + 1
        self._codes[number] = code
        row = (number, code, now_ms)
        self._batch.rows.generations.append(row)
        self._batch.generations.append(row)
        self._schedule()
        return number

    def code(self, generation: int) -> str | None:
        """Return the code of a generation, or None if there is no such generation."""
        return self._codes.get(generation)

    def append(self, *entries: Entry, late: bool = False) -> None:
        """Record what was decided together; durable once a callback of `after_commit` is called.

        late: nobody waits for it, so it is part of the next commit, after `LATE_MS` at the latest.
        """
        if not entries:
            return
        self._next_entry = self._batch.add(entries, self._next_entry)
        self._rows_of(entries[0].instance, late=late)

    def left(self, key: int) -> Left:
        """Return where the last recorded value of an instance is; nothing was read since."""
        rows = self._batch.rows
        row = rows.entries[rows.last[key]]
        assert row is not None
        return Left(b"%d" % row[0])

    def set_status(
        self,
        key: int,
        status: Status,
        wake_ms: int | None,
        ended_ms: int | None,
        expires_ms: int | None = None,
        *,
        late: bool = False,
    ) -> None:
        """Record the present state of an instance, which is the fold of its entries."""
        values = (status.value, wake_ms, ended_ms, expires_ms, key)
        self._rows_of(key, late=late).statuses[key] = values

    def wipe(self, key: int) -> None:
        """Delete every entry of an instance, before it is restarted or deleted."""
        self._rows_of(key)
        self._batch.wipe(key)

    def strike(self, key: int, ids: list[int]) -> None:
        """Delete these entries of an instance, by the ids that `numbered` has just returned."""
        self._rows_of(key).struck += [(entry_id,) for entry_id in ids]

    def delete(self, key: int) -> None:
        """Delete an instance and all its entries; from now on its id can be used again."""
        self.wipe(key)
        self._batch.rows.delete(key)
        self._new = {name: new for name, new in self._new.items() if new != key}
        self._gone.add(key)

    def _rows_of(self, key: int, *, late: bool = False) -> Rows:
        """Return the rows of the next commit; the caller adds something about an instance."""
        self._batch.keys.add(key)
        if not self._scheduled:
            if not late:
                self._schedule()
            elif self._late is None:
                self._schedule_late()
        return self._batch.rows

    def _new_id(self) -> int:
        self._next_entry += 1
        return self._next_entry - 1

    def after_commit(self, callback: CommitCallback) -> None:
        """Call `callback` once everything recorded so far is durable, or with the error if not."""
        self._waiting.append(callback)
        if not self._scheduled:
            self._schedule()

    async def committed(self) -> None:
        """Return once everything recorded so far is durable. Raises StateError if it is not."""
        if not self._batch and not self._waiting:
            return
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

    def _schedule(self) -> None:
        if not self._scheduled:
            asyncio.get_running_loop().call_soon(self._flush)
            self._scheduled = True

    def _schedule_late(self) -> None:
        delay_s = LATE_MS / 1000
        self._late = asyncio.get_running_loop().call_later(delay_s, self._flush_late)

    def _flush_late(self) -> None:
        self._late = None
        if self._batch:
            self._flush()

    def end_turn(self) -> None:
        """Commit now what this turn of the event loop would commit at its end."""
        if self._scheduled:
            self._flush()

    def _flush(self) -> None:
        """Commit what is pending, then call everyone who waits."""
        self._scheduled = False
        batch = self._batch
        if not batch and not self._waiting:
            return
        self._batch = Batch()
        waiting, self._waiting = self._waiting, []
        self._named = {key: name for name, key in self._new.items()}
        self._new.clear()
        self._gone.clear()
        last_id = self._next_entry - 1
        failure = self._commit(batch) if batch else None
        if failure is None:
            self._last_durable = last_id
        else:
            self._batch.rows.generations[:0] = batch.generations  # their numbers are in use already
            self._batch.generations[:0] = batch.generations
            self.on_failure(batch.keys, failure)
        broken: list[Exception] = []
        for callback in waiting:
            try:
                callback(failure)
            except Exception as error:  # the others wait for the same commit and must hear of it
                broken.append(error)
        if failure is None:
            if batch.entries:
                self.on_commit(batch.entries)
            self.watchers.wake(batch.keys)
        if broken:
            raise ExceptionGroup("after a commit", broken)

    def _show_pending(self, key: int | None = None) -> None:
        """Write pending rows in a transaction that stays open; the end of the turn commits it.

        No callback is called now, not even after an error: the end of the turn does that.
        """
        batch = self._batch
        if batch.failure is not None or not (key is None or key in batch.keys):
            return
        if not batch.rows or not (self._scheduled or self._late):  # left over from a failed turn
            return
        batch.failure = self._written(batch)
        if batch.failure is None:
            batch.written = True
            batch.rows = Rows()

    def _commit(self, batch: Batch) -> sqlite3.Error | None:
        """Commit a turn and return None, or the reason why nothing of it was written."""
        failure = batch.failure or self._written(batch)
        if failure is not None:
            return failure
        try:
            self._connection.execute("COMMIT")
            self.file.check()  # a commit to a file that is gone is lost
        except sqlite3.Error as error:
            self._roll_back()
            return error
        return None

    def _written(self, batch: Batch) -> sqlite3.Error | None:
        """Write the rows of a turn; after an error, which is returned, nothing of it is written."""
        try:
            if not batch.written:
                self._connection.execute("BEGIN IMMEDIATE")
            batch.rows.write(self._connection, (self._next_entry - 1, self._next_instance - 1))
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            self._roll_back()
            return error if isinstance(error, sqlite3.Error) else sqlite3.DataError(str(error))
        except BaseException:
            self._roll_back()
            raise
        return None

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def is_writable(self) -> bool:
        """Whether an entry of some size can be committed now; it is deleted again at once.

        Also False while a transaction is open: its own commit will show it.
        """
        if self._connection.in_transaction:
            return False
        probe: Row = (self._next_entry, 0, 0, -1, "", 0, None, bytes(_PROBE_BYTES))
        there, gone = Batch(), Batch()
        there.rows.entries.append(probe)
        gone.rows.wiped.append((0,))
        if self._commit(there) is not None or self._commit(gone) is not None:
            return False
        if self._batch:
            self._schedule()  # generations that could not be recorded before
        return True

    async def give_back(self, live_max_bytes: int) -> int:
        """Give the space of deleted rows back to the file system; return how many bytes.

        Everything else stands still meanwhile. So it does nothing and returns 0 when more than
        `live_max_bytes` remain, when there is little to gain, and when the disk has no room for it.
        Free space inside the file is used again in any case.
        """
        with contextlib.suppress(StateError):
            await self.committed()
        while self._connection.in_transaction:  # in this turn, too, something was recorded and read
            await self.committed()
        try:
            pages, free, page_bytes = (
                self.one(f"PRAGMA {name}") for name in ("page_count", "freelist_count", "page_size")
            )
            if (pages - free) * page_bytes > live_max_bytes or free < pages / 10:
                return 0
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return (pages - self.one("PRAGMA page_count")) * page_bytes
        except sqlite3.Error:
            return 0

    @property
    def has_late(self) -> bool:
        """Whether entries that were recorded as `late` wait for a commit."""
        return self._late is not None

    def abandon(self) -> None:
        """Close the file without what is pending, as when the process is killed: tests do this."""
        self._batch = Batch()
        self._waiting.clear()
        self._connection.close()

    def close(self) -> None:
        """Commit what is pending and close the file."""
        if self._late is not None:
            self._late.cancel()
        self._flush()
        self.watchers.close()
        self._connection.close()
