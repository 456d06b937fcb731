"""The storage of one object: a SQLite file with its keys and the tables of its own.

The guest that runs the object calls it by method names, and its code waits for each answer. What
it writes is one transaction until `commit`. A commit is written at once, so it outlives this
process, and `durable` waits until it outlives a power cut too. Nobody else writes the file.
Source: docs/platform/durable-objects.md, "Storage".
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from bindings.durable_objects.alarms import (
    ALARM,
    ALARM_DUE,
    ALARM_RETRIES,
    RESTORE,
    Alarm,
    mark,
    unmark,
)
from bindings.durable_objects.bookmarks import Bookmarks
from bindings.durable_objects.file import open_file
from bindings.durable_objects.syncing import Syncing
from bindings.durable_objects.user_sql import TooSlow, UserSql
from bindings.sql.errors import error_message
from emulator.disk import refusal
from emulator.errors import WorkerError
from emulator.sqlite import DatabaseFile, Removed, Synchronous

NO_SQL = (
    "SQL is not enabled for this Durable Object class. To enable it, list the class in "
    "new_sqlite_classes in place of new_classes, in the migrations of the configuration."
)
NO_BOOKMARKS = "This Durable Object's storage back-end does not implement point-in-time recovery."


class Storage:
    """The file `path`; the first call creates it.

    name: the name that the object's id was made of, which is kept in the file. now_ms: the time of
    its bookmarks. alarm_changed is called with when the alarm is due, once that is committed.
    """

    def __init__(
        self,
        path: Path,
        synchronous: Synchronous,
        syncing: Syncing,
        *,
        name: str | None = None,
        has_sql: bool = True,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        alarm_changed: Callable[[int | None], None] = lambda due_ms: None,
    ) -> None:
        self.path = path
        self._name = name
        self._has_sql = has_sql
        self._alarm_changed = alarm_changed
        self._has_new_alarm = False  # set or deleted in this transaction
        self._is_ringing = False
        self._synced = syncing.of(path, synchronous)
        self._bookmarks = Bookmarks(path, now_ms, synced=synchronous == "FULL")
        # `durable` does what FULL would do at each commit, for many commits at a time.
        self._synchronous: Synchronous = "NORMAL" if synchronous == "FULL" else synchronous
        self._connection: apsw.Connection | None = None
        self._file: DatabaseFile | None = None
        self._sql: UserSql | None = None
        self._savepoints = 0
        # A cached statement is not authorized again, so a worker's text must never equal ours.
        self._mark = f" /* {secrets.token_hex(8)} */"
        self._methods: dict[str, Callable[..., Any]] = {
            "bookmark": self._bookmark,
            "bookmark_at": self._bookmark_at,
            "commit": self._commit,
            "delete_all": self._delete_all,
            "exec": self._exec,
            "get": self._get,
            "get_alarm": self._get_alarm,
            "list": self._list,
            "release": self._release,
            "restore": self._restore,
            "roll_back": self._roll_back,
            "savepoint": self._savepoint,
            "set_alarm": self._set_alarm,
            "size": self._size,
            "write": self._write,
        }

    def call(self, method: str, args: list[Any]) -> Any:
        """Run a method for the guest and return its answer.

        Raises WorkerError, and TooSlow for a query that is better run by `call_long`.
        """
        found = self._methods.get(method)
        if found is None:
            raise WorkerError(f"storage has no method {method}")
        try:
            return found(*args)
        except Removed as error:
            raise WorkerError(str(error)) from None
        except apsw.Error as error:
            raise WorkerError(f"{self.path}: {error_message(error)}") from None
        except OSError as error:
            raise WorkerError(refusal(self.path, "cannot be used", error)) from None

    def call_long(self, method: str, args: list[Any]) -> Any:
        """Do the same on a thread, and take as long as it needs."""
        if self._sql is not None:
            self._sql.is_quick = False
        try:
            return self.call(method, args)
        finally:
            if self._sql is not None:
                self._sql.is_quick = True

    async def durable(self) -> None:
        """Return when everything that was committed is as durable as the configuration asks."""
        await self._synced.reached()

    @property
    def is_behind(self) -> bool:
        """Whether something was committed that may not be durable."""
        return self._synced.is_behind

    def alarm(self) -> Alarm | None:
        """Return the alarm, None if there is none."""
        at_ms = self._metadata(ALARM)
        if at_ms is None:
            return None
        due_ms = self._metadata(ALARM_DUE)
        return Alarm(at_ms, at_ms if due_ms is None else due_ms, self._metadata(ALARM_RETRIES) or 0)

    def begin_ringing(self) -> None:
        """The alarm rings: until it is over, or is set anew, the object sees none."""
        self._is_ringing = True

    def end_ringing(self, again_ms: int | None) -> None:
        """It has rung: forget it, or let it ring again at this time, unless it was set anew."""
        if not self._is_ringing:
            return
        self._is_ringing = False
        # What the object is about to commit takes this along.
        joins = self._open().in_transaction
        alarm = self.alarm()
        self._set_alarm(None if again_ms is None or alarm is None else alarm.at_ms)
        if again_ms is not None and alarm is not None:
            self._note(ALARM_DUE, again_ms)
            self._note(ALARM_RETRIES, alarm.retries + 1)
        if not joins:
            self._commit([])

    def abandon(self) -> None:
        """Undo what was not committed: whoever wrote it is gone."""
        self._savepoints = 0
        self._has_new_alarm = False
        if self._connection is not None and self._connection.in_transaction:
            self._execute("ROLLBACK")

    def stop_query(self) -> None:
        """Let a query that another thread runs fail."""
        if self._connection is not None:
            self._connection.interrupt()

    def close(self) -> None:
        """Undo what was not committed, and close the file."""
        self.abandon()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # --- keys

    def _get(self, keys: list[str]) -> list[str | None]:
        select = "SELECT value FROM _cf_KV WHERE key = ?"
        found = [self._execute(select, (key,)).fetchone() for key in keys]
        return [None if row is None else row[0] for row in found]

    def _list(
        self, start: str, end: str | None, reverse: bool, limit: int | None
    ) -> list[list[str]]:
        """Return the pairs of a range; `end` is not included."""
        where, values = "key >= ?", [start]
        if end is not None:
            where += " AND key < ?"
            values.append(end)
        order = "DESC" if reverse else "ASC"
        sql = f"SELECT key, value FROM _cf_KV WHERE {where} ORDER BY key {order} LIMIT ?"
        found = self._execute(sql, (*values, -1 if limit is None else limit))
        return [list(pair) for pair in found]

    def _write(self, pairs: list[list[Any]]) -> None:
        """Store pairs of key and value; a value None deletes the key."""
        if pairs:
            self._begin()
        for key, value in pairs:
            if value is None:
                self._execute("DELETE FROM _cf_KV WHERE key = ?", (key,))
            else:
                self._execute("INSERT OR REPLACE INTO _cf_KV VALUES (?, ?)", (key, value))

    def _delete_all(self, with_alarm: bool) -> None:
        """Delete keys and tables, and the alarm too if it is asked for."""
        self._begin()
        self._execute("PRAGMA defer_foreign_keys = on")
        self._execute("DELETE FROM _cf_KV")
        own = "SELECT type, name FROM sqlite_schema WHERE type IN ('view', 'table')"
        shown = own + " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type DESC"
        found: list[Any] = self._execute(shown).fetchall()
        for kind, name in found:
            if not name.lower().startswith("_cf_") and self._exists(name):
                quoted = name.replace('"', '""')
                self._execute(f'DROP {kind} "{quoted}"')
        if with_alarm:
            self._set_alarm(None)

    def _exists(self, name: str) -> bool:
        """Whether it is there still: a virtual table takes others with it."""
        found = self._execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (name,))
        return found.fetchone() is not None

    # --- alarm

    def _get_alarm(self) -> int | None:
        alarm = None if self._is_ringing else self.alarm()
        return None if alarm is None else alarm.at_ms

    def _set_alarm(self, ms: int | None) -> None:
        self._begin()
        self._has_new_alarm, self._is_ringing = True, False
        for name in (ALARM, ALARM_DUE, ALARM_RETRIES):
            self._execute("DELETE FROM _cf_METADATA WHERE name = ?", (name,))
        if ms is not None:
            self._note(ALARM, ms)

    def _note(self, name: str, value: int | str) -> None:
        self._execute("INSERT OR REPLACE INTO _cf_METADATA VALUES (?, ?)", (name, value))

    # --- transactions

    def _commit(self, pairs: list[list[Any]]) -> None:
        """Store these pairs, and end the transaction, unless a transaction of user code goes on."""
        self._write(pairs)
        connection = self._connection
        if self._savepoints or connection is None or not connection.in_transaction:
            return
        assert self._file is not None
        self._file.check()  # never acknowledge a write to a file that was removed
        if not self._has_new_alarm:
            self._execute("COMMIT")
            self._synced.written()
            return
        self._has_new_alarm = False
        alarm = self.alarm()
        if alarm is not None and mark(self.path):
            self._synced.named()
        self._execute("COMMIT")
        self._synced.written()
        if alarm is None:
            unmark(self.path)
        self._alarm_changed(None if alarm is None else alarm.due_ms)

    def _savepoint(self) -> None:
        self._begin()
        self._savepoints += 1
        self._execute(f"SAVEPOINT _cf_{self._savepoints}")

    def _release(self) -> None:
        self._execute(f"RELEASE _cf_{self._savepoints}")
        self._savepoints -= 1

    def _roll_back(self) -> None:
        """Undo what was done since the last savepoint, which ends."""
        self._execute(f"ROLLBACK TO _cf_{self._savepoints}")
        self._release()

    def _begin(self) -> None:
        if not self._open().in_transaction:
            self._execute("BEGIN IMMEDIATE")

    # --- SQL

    def _exec(self, sql: str, params: list[Any]) -> list[Any]:
        if not self._has_sql:
            raise WorkerError(NO_SQL)
        self._open()
        assert self._sql is not None
        return self._sql.run(sql, params)

    def _size(self) -> int:
        pages: int = self._execute("PRAGMA page_count").get
        size: int = self._execute("PRAGMA page_size").get
        return pages * size

    # --- bookmarks

    def _bookmark(self) -> str:
        """Return a bookmark of what is committed. Raises TooSlow: it copies the file."""
        self._open()
        self._check_bookmarks()
        assert self._sql is not None
        if self._sql.is_quick:
            raise TooSlow
        return self._bookmarks.take(self._synced.count)

    def _bookmark_at(self, ms: int) -> str:
        self._check_bookmarks()
        return self._bookmarks.at(ms)

    def _restore(self, bookmark: str) -> str:
        """Let the next opening restore a bookmark; return that of the moment before it does."""
        self._check_bookmarks()
        self._bookmarks.check(bookmark)
        undo = self._bookmarks.reserve()
        self._begin()
        self._note(RESTORE, f"{bookmark} {undo}")
        return undo

    def _check_bookmarks(self) -> None:
        if not self._has_sql:
            raise WorkerError(NO_BOOKMARKS)

    def _restore_noted(self, connection: apsw.Connection) -> None:
        """Restore the bookmark that the object asked for when it was in memory last."""
        noted = self._metadata(RESTORE)
        if noted is None:
            return
        if not self._bookmarks.restore(connection, *noted.split(" ")):
            self._execute("DELETE FROM _cf_METADATA WHERE name = ?", (RESTORE,))
        self._synced.written()
        alarm = self.alarm()
        if alarm is None:
            unmark(self.path)
        elif mark(self.path):
            self._synced.named()
        self._alarm_changed(None if alarm is None else alarm.due_ms)

    # --- the file

    def _metadata(self, name: str) -> Any:
        found = self._execute("SELECT value FROM _cf_METADATA WHERE name = ?", (name,)).fetchone()
        return None if found is None else found[0]

    def _execute(self, sql: str, values: tuple[Any, ...] = ()) -> apsw.Cursor:
        return self._open().execute(sql + self._mark, values)

    def _open(self) -> apsw.Connection:
        if self._connection is not None:
            return self._connection
        connection, is_new = open_file(self.path, self._synchronous, self._name)
        if is_new:
            self._synced.written()
        self._connection = connection
        try:
            self._restore_noted(connection)
        except BaseException:
            self.close()
            raise
        self._file = DatabaseFile(self.path)
        self._sql = UserSql(connection, self._execute, self._begin)
        return connection
