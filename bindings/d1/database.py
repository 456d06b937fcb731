"""The D1 binding: which connection runs a call, and when the file is opened.

One connection writes and others read, so that no reader waits for a writer (WAL). A call goes to a
reader if all its statements look like queries. If one is not a query, SQLite says so before it does
anything, and the call goes to the writer.

Most queries take a few microseconds; to hand one to a thread and back takes a hundred. So a query
that has been quick on a reader's thread later runs on the event loop's thread, on a connection that
stops after `QUICK_MS`. A query that is stopped there runs on a thread again. Next:
`ruled_connection` runs it, `authorizer` says what is allowed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw

from bindings.d1.bookmarks import Bookmarks
from bindings.d1.jobs import Job, NeedsWriter, Query, TooSlow
from bindings.d1.quickness import Call, Quickness
from bindings.d1.rows import EncodedRows, encoded
from bindings.d1.ruled_connection import RuledConnection
from bindings.d1.threads import ConnectionThread
from bindings.sql.errors import DUMP_REFUSED, error_message
from bindings.sql.limits import QUERY_TIMEOUT_MS, SQL_MAX_BYTES
from bindings.sql.splitter import QUERY_KEYWORDS, split_statements
from bindings.sql.values import to_parameter, to_text
from emulator.answers.d1 import Result
from emulator.clock import SystemClock
from emulator.disk import make_folder, refuse_foreign_link
from emulator.errors import WorkerError
from emulator.sqlite import Synchronous
from emulator.words import counted

# Short reads on many threads wait for the interpreter lock: a call of 16 callers takes 110 µs with
# one reader, 170 µs with four. The second reader is for the others while one query is slow.
READERS_MAX = 2
QUICK_MS = 2  # how long a query may work on the event loop
# A query that took longer there counts as slow: a function was slow, or the machine was busy.
SLOW_MS = 20
# A call with more entries or a longer text is parsed on a thread: that takes a millisecond.
QUICK_ENTRIES = 100
QUICK_SQL_CHARS = 10_000

_READING_KEYWORDS = QUERY_KEYWORDS | {"EXPLAIN"}


class D1:
    """A D1 database in the SQLite file `path`. The first call creates file and folder.

    `name` is for messages. A call longer than `query_timeout_ms` is undone and fails.
    """

    kind = "d1"

    def __init__(
        self,
        path: Path,
        name: str = "DB",
        *,
        synchronous: Synchronous = "FULL",
        query_timeout_ms: int = QUERY_TIMEOUT_MS,
        table_missing: Callable[[], None] = lambda: None,
    ) -> None:
        """table_missing: is told of each query of user code that names a table there is not."""
        self.name = name
        self._path = path
        self._synchronous = synchronous
        self._timeout_ms = query_timeout_ms
        self._table_missing = table_missing
        self._opening = asyncio.Lock()
        self._writer: ConnectionThread | None = None
        self._quick: RuledConnection | None = None
        self._gone = ""  # the message, once the file was removed while it was open
        self._quickness = Quickness()
        self._idle_readers: list[ConnectionThread] = []
        self._reader_slots = asyncio.Semaphore(READERS_MAX)
        self._jobs: set[Job] = set()
        # Only the order of bookmarks matters, and it must not depend on a virtual clock.
        self._bookmarks = Bookmarks(str(path), SystemClock().now_ms())

    @property
    def bookmark(self) -> str:
        """The name of the state after all acknowledged calls."""
        return self._bookmarks.current()

    async def call(self, method: str, args: list[Any]) -> Any:
        """Run `query` or `exec` with a list of `{"sql", "params"}` (or SQL texts): one result each.

        `call("query", [[{"sql": "SELECT ?", "params": [1]}]])` returns
        `[{"success": True, "results": {"columns": ["?"], "rows": [[1]]}, "meta": {…}}]`. All
        entries run in one transaction. Raises WorkerError, without the prefix `D1_ERROR: `; then
        nothing was changed. With a session's constraint or bookmark as second argument, the answer
        is `{"results": [result, …], "bookmark": "…"}`. A BLOB is bytes. An answer with many rows is
        Encoded. `dump` raises production's error.
        Source: docs/platform/d1.md, "The client".
        """
        try:
            match method, args:
                case (("query" | "exec"), [list(entries)]):
                    return await self._answer(entries, in_session=False)
                case "query", [list(entries), str()]:
                    # There is one copy of the data: the condition of every session holds already.
                    return await self._answer(entries, in_session=True)
                case "dump", []:
                    raise WorkerError(DUMP_REFUSED)
        except WorkerError as error:
            if "no such table: " in error.message:
                self._table_missing()
            raise
        raise WorkerError(
            f'D1 has no method "{method}" that takes {counted(len(args), "argument")}'
        )

    async def _answer(self, entries: list[Any], *, in_session: bool) -> Any:
        if _is_short(entries):
            queries = to_queries(entries)
        else:
            queries = await asyncio.to_thread(to_queries, entries)
        results = await self.run(queries, encodes=True)
        bookmark = self.bookmark if in_session else None
        if any(isinstance(result["results"]["rows"], EncodedRows) for result in results):
            return await asyncio.to_thread(encoded, results, bookmark)
        return results if bookmark is None else {"results": results, "bookmark": bookmark}

    async def run(self, queries: list[Query], *, encodes: bool = False) -> list[Result]:
        """Run `queries` in one transaction and return one result for each.

        With `encodes`, many rows are EncodedRows.
        """
        job = Job(tuple(queries), self._timeout_ms, encodes)
        self._jobs.add(job)
        try:
            if _is_short([query.sql for query in queries]):
                reads = _are_queries(queries)
            else:
                reads = await asyncio.to_thread(_are_queries, queries)
            if reads:
                try:
                    return await self._read(job)
                except NeedsWriter:
                    pass
            writer = await self._open_writer()
            results = await writer.run(job)
            self._bookmarks.advance()
            return results
        finally:
            self._jobs.discard(job)

    def removed(self) -> str:
        """Return a message if the file was removed or replaced while it is open, else "".

        From then on every call is refused. Before that, reads may still use the removed file: a
        look before each read would double the time of a short one.
        """
        try:
            if self._writer is not None:
                self._writer.ruled.check_file(log=True)
        except WorkerError as error:
            self._gone = error.message
        return self._gone

    def is_quick(self, sql: str) -> bool:
        """Whether a query of this text runs on the event loop's thread: it was quick before."""
        return self._quickness.is_proven((sql,))

    @property
    def idle_readers(self) -> int:
        """How many threads with a connection wait for a query."""
        return len(self._idle_readers)

    async def close_idle_readers(self) -> None:
        """Close their connections; a query that needs one opens it again."""
        readers, self._idle_readers = self._idle_readers, []
        await asyncio.gather(*(reader.close() for reader in readers))

    async def close(self) -> None:
        """Stop what still runs, undo it, and close every connection."""
        for job in self._jobs:
            job.abandoned = True
        async with self._opening:
            # A reader that still works comes back to a full pool, which closes it.
            readers, self._idle_readers = self._idle_readers, []
            writer, self._writer = self._writer, None
            quick, self._quick = self._quick, None
        if quick is not None:
            quick.close()
        threads = [*readers, *([writer] if writer else [])]
        await asyncio.gather(*(thread.close() for thread in threads))

    async def _read(self, job: Job) -> list[Result]:
        writer = await self._open_writer()
        job.last_row_id = writer.ruled.last_row_id
        call = tuple(query.sql for query in job.queries)
        if self._quickness.is_proven(call):
            try:
                return self._read_here(job, call)
            except TooSlow:
                pass
        async with self._reader_slots:
            if self._idle_readers:
                # Last in, first out: its statement cache is the fullest.
                reader = self._idle_readers.pop()
            else:
                reader = await self._open(reads_only=True)
            try:
                results = await reader.run(job)
                if job.duration_ms <= QUICK_MS and _is_short(call):
                    self._quickness.was_quick(call)
                return results
            finally:
                if self._writer is writer:
                    self._idle_readers.append(reader)
                else:  # closed in between
                    await reader.close()

    def _read_here(self, job: Job, call: Call) -> list[Result]:
        """Run a query on the event loop's own thread. Raises TooSlow; then nothing was done."""
        here = Job(job.queries, QUICK_MS, job.encodes, job.last_row_id)
        try:
            if self._quick is None:
                if self._writer is not None:
                    self._writer.ruled.check_file()
                self._quick = RuledConnection(
                    self._path, self._synchronous, reads_only=True, quick=True
                )
            results = self._quick.run(here)
        except apsw.Error:  # a reader's thread can report the error, or wait for a lock
            raise TooSlow from None
        except TooSlow:
            self._quickness.was_slow(call)
            raise
        judge = (
            self._quickness.was_slow if here.duration_ms > SLOW_MS else self._quickness.was_quick
        )
        judge(call)
        return results

    async def _open_writer(self) -> ConnectionThread:
        if self._gone:
            raise WorkerError(self._gone)
        if self._writer is not None:
            return self._writer
        async with self._opening:
            if self._writer is None:
                self._writer = await self._open(reads_only=False)
            return self._writer

    async def _open(self, *, reads_only: bool) -> ConnectionThread:
        if reads_only and self._writer is not None:
            self._writer.ruled.check_file()  # a reader would create a new file there
        try:
            make_folder(self._path.parent)
            refuse_foreign_link(self._path)
            return await ConnectionThread.open(self._path, self._synchronous, reads_only=reads_only)
        except OSError as error:
            reason = error.strerror or str(error)
        except apsw.Error as error:
            reason = error_message(error)
        raise WorkerError(f'cannot open database "{self.name}" in {self._path}: {reason}')


def _is_short(entries: Sequence[object]) -> bool:
    if len(entries) > QUICK_ENTRIES:
        return False
    return sum(map(_length, entries)) <= QUICK_SQL_CHARS


def _length(entry: object) -> int:
    if isinstance(entry, dict):
        params = entry.get("params")
        given = params if isinstance(params, list | tuple) else ()  # other types are refused later
        lists = [len(item) for item in given if isinstance(item, list)]
        return _length(entry.get("sql")) + sum(lists)
    return len(entry) if isinstance(entry, str) else 0


def _are_queries(queries: list[Query]) -> bool:
    return all(
        part.keyword in _READING_KEYWORDS
        for query in queries
        # A text that is too long is refused by the first connection that gets it.
        for part in (split_statements(query.sql) if len(query.sql) <= SQL_MAX_BYTES else ())
    )


def to_queries(entries: list[Any]) -> list[Query]:
    """Return the entries of a call, SQL texts or `{"sql", "params"}`. Raises WorkerError."""
    return [_to_query(entry) for entry in entries]


def _to_query(entry: object) -> Query:
    sql: object = entry
    params: object = None
    if isinstance(entry, dict):
        sql, params = entry.get("sql"), entry.get("params")
    if not isinstance(sql, str) or not isinstance(params, list | tuple | None):
        raise WorkerError("expected SQL text, or {sql: text, params: list or null}")
    return Query(to_text(sql), tuple(to_parameter(value) for value in params or ()))
