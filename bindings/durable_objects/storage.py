"""The storage of one object: a SQLite file with its keys and the tables of its own.

The guest that runs the object calls it by method names, and its code waits for each answer. What
it writes is one transaction until `commit`. A commit is written at once, so it outlives this
process, and `durable` waits until it outlives a power cut too. Nobody else writes the file.
Source: docs/platform/durable-objects.md, "Storage".
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from bindings.durable_objects.syncing import Syncing
from bindings.durable_objects.user_sql import UserSql
from bindings.sql.errors import error_message
from bindings.sql.opening import open_connection
from emulator.disk import make_folder, refusal, refuse_foreign_link
from emulator.errors import WorkerError
from emulator.sqlite import DatabaseFile, Removed, Synchronous

NO_SQL = (
    "SQL is not enabled for this Durable Object class. To enable it, list the class in "
    "new_sqlite_classes in place of new_classes, in the migrations of the configuration."
)
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS _cf_METADATA (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
)
_ALARM = "alarm"
_NAME = "name"


class Storage:
    """The file `path`; the first call creates it.

    name: the name that the object's id was made of, which is kept in the file. alarm_changes is
    called before a change of the alarm is committed.
    """

    def __init__(
        self,
        path: Path,
        synchronous: Synchronous,
        syncing: Syncing,
        *,
        name: str | None = None,
        has_sql: bool = True,
        alarm_changes: Callable[[int | None], None] = lambda ms: None,
    ) -> None:
        self.path = path
        self._name = name
        self._has_sql = has_sql
        self._alarm_changes = alarm_changes
        self._new_alarm: tuple[int | None] | None = None  # set by this transaction
        self._synced = syncing.of(path, synchronous)
        # `durable` does what FULL would do at each commit, for many commits at a time.
        self._synchronous: Synchronous = "NORMAL" if synchronous == "FULL" else synchronous
        self._connection: apsw.Connection | None = None
        self._file: DatabaseFile | None = None
        self._sql: UserSql | None = None
        self._savepoints = 0
        # A cached statement is not authorized again, so a worker's text must never equal ours.
        self._mark = f" /* {secrets.token_hex(8)} */"
        self._methods: dict[str, Callable[..., Any]] = {
            "commit": self._commit,
            "delete_all": self._delete_all,
            "exec": self._exec,
            "get": self._get,
            "get_alarm": self.alarm,
            "list": self._list,
            "release": self._release,
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

    def alarm(self) -> int | None:
        """Return when the alarm is to ring, in milliseconds; None without an alarm."""
        found: int | None = self._metadata(_ALARM)
        return found

    def change_alarm(self, ms: int | None) -> None:
        """Set or delete the alarm, in a transaction of its own."""
        self._set_alarm(ms)
        self._commit([])

    def abandon(self) -> None:
        """Undo what was not committed: whoever wrote it is gone."""
        self._savepoints = 0
        self._new_alarm = None
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

    def _set_alarm(self, ms: int | None) -> None:
        self._begin()
        self._new_alarm = (ms,)
        if ms is None:
            self._execute("DELETE FROM _cf_METADATA WHERE name = ?", (_ALARM,))
        else:
            self._execute("INSERT OR REPLACE INTO _cf_METADATA VALUES (?, ?)", (_ALARM, ms))

    # --- transactions

    def _commit(self, pairs: list[list[Any]]) -> None:
        """Store these pairs, and end the transaction, unless a transaction of user code goes on."""
        self._write(pairs)
        connection = self._connection
        if self._savepoints or connection is None or not connection.in_transaction:
            return
        assert self._file is not None
        self._file.check()  # never acknowledge a write to a file that was removed
        if self._new_alarm is not None:
            self._alarm_changes(self._new_alarm[0])
            self._new_alarm = None
        self._execute("COMMIT")
        self._synced.written()

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
        if self._new_alarm is not None:
            self._new_alarm = (self.alarm(),)
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

    # --- the file

    def _metadata(self, name: str) -> Any:
        found = self._execute("SELECT value FROM _cf_METADATA WHERE name = ?", (name,)).fetchone()
        return None if found is None else found[0]

    def _execute(self, sql: str, values: tuple[Any, ...] = ()) -> apsw.Cursor:
        return self._open().execute(sql + self._mark, values)

    def _open(self) -> apsw.Connection:
        if self._connection is not None:
            return self._connection
        make_folder(self.path.parent)
        refuse_foreign_link(self.path)
        connection = open_connection(self.path, self._synchronous, reads_only=False, waits=True)
        try:
            if connection.execute("PRAGMA schema_version").get == 0:
                self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._file = DatabaseFile(self.path)
        self._sql = UserSql(connection, self._execute, self._begin)
        return connection

    def _prepare(self, connection: apsw.Connection) -> None:
        with connection:
            for statement in _SCHEMA:
                connection.execute(statement)
            if self._name is not None:
                connection.execute("INSERT INTO _cf_METADATA VALUES (?, ?)", (_NAME, self._name))
        self._synced.written()
