"""The D1 binding: which connection does a call, and when the file is opened.

One connection writes; others read, so that no reader waits for a writer (WAL). A call goes to a
reader when every statement in it looks like a query; if it turns out not to be one, SQLite says so
before it does anything and the call goes to the writer.

Most queries take a few microseconds, and handing one to a thread and back takes a hundred. So a
query is first tried where we are, on a connection that gives up after `QUICK_MS`; one that does not
make it is run again on a reader's thread, and for a while begins there. Next: `session` runs it,
`authorizer` says what is allowed.
"""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from bindings.d1.bookmarks import Bookmarks
from bindings.d1.errors import DUMP_REFUSED, error_message
from bindings.d1.jobs import Job, NeedsWriter, Query, Result, TooSlow
from bindings.d1.limits import QUERY_TIMEOUT_MS
from bindings.d1.session import Session
from bindings.d1.slowness import Slowness
from bindings.d1.splitter import split_statements
from bindings.d1.threads import SessionThread
from bindings.d1.values import to_parameter
from emulator.clock import SystemClock
from emulator.disk import make_folder, refuse_foreign_link
from emulator.errors import WorkerError
from emulator.sqlite import Synchronous

# Short reads on more threads only fight for the interpreter lock: 16 callers get 110 µs a call from
# one reader, 170 µs from four. The second is for everyone else while one query is slow.
READERS_MAX = 2
QUICK_MS = 2  # the longest a query may hold up the event loop

_QUERY_KEYWORDS = frozenset({"SELECT", "WITH", "VALUES", "EXPLAIN"})


class D1:
    """A D1 database in the SQLite file `path`, created with its folder at the first call.

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
    ) -> None:
        self.name = name
        self._path = path
        self._synchronous = synchronous
        self._timeout_ms = query_timeout_ms
        self._opening = asyncio.Lock()
        self._writer: SessionThread | None = None
        self._quick: Session | None = None
        self._slowness = Slowness()
        self._idle_readers: list[SessionThread] = []
        self._reader_slots = asyncio.Semaphore(READERS_MAX)
        self._jobs: set[Job] = set()
        # Only the order of bookmarks matters, and it must outlive a virtual clock.
        self._bookmarks = Bookmarks(str(path), SystemClock().now_ms())

    @property
    def bookmark(self) -> str:
        """The name of the state that every acknowledged call has led to."""
        return self._bookmarks.current()

    async def call(self, method: str, args: list[Any]) -> Any:
        """Run `query` or `exec` with a list of `{"sql", "params"}` (or SQL texts): one result each.

        `call("query", [[{"sql": "SELECT ?", "params": [1]}]])` returns
        `[{"success": True, "results": {"columns": ["?"], "rows": [[1]]}, "meta": {…}}]`. All
        entries run in one transaction. Raises WorkerError, without the prefix `D1_ERROR: `; then
        nothing was changed. With a session's constraint or bookmark as second argument, the answer
        is `{"results": [result, …], "bookmark": "…"}`. `dump` raises what production answers.
        Source: workerd src/cloudflare/internal/d1-api.ts.
        """
        match method, args:
            case (("query" | "exec"), [list(entries)]):
                return await self.run([_to_query(entry) for entry in entries])
            case "query", [list(entries), str()]:
                # There is one copy of the data: every session's condition is met already.
                results = await self.run([_to_query(entry) for entry in entries])
                return {"results": results, "bookmark": self.bookmark}
            case "dump", []:
                raise WorkerError(DUMP_REFUSED)
        raise WorkerError(f'D1 has no method "{method}" that takes {len(args)} argument(s)')

    async def run(self, queries: list[Query]) -> list[Result]:
        """Run `queries` in one transaction and return one result for each."""
        job = Job(tuple(queries), self._timeout_ms)
        self._jobs.add(job)
        try:
            if all(_is_query(query) for query in queries):
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

    async def close(self) -> None:
        """Stop what still runs, undo it, and close every connection."""
        for job in self._jobs:
            job.abandoned = True
        async with self._opening:
            # A reader that is still at work comes back to a full pool and is closed there.
            readers, self._idle_readers = self._idle_readers, []
            writer, self._writer = self._writer, None
            quick, self._quick = self._quick, None
        if quick is not None:
            quick.close()
        for thread in [*readers, *([writer] if writer else [])]:
            await thread.close()

    async def _read(self, job: Job) -> list[Result]:
        writer = await self._open_writer()
        job.last_row_id = writer.session.last_row_id
        text = tuple(query.sql for query in job.queries)
        if self._slowness.may_be_quick(text):
            try:
                results = self._read_here(job)
            except TooSlow:
                self._slowness.was_slow(text)
            else:
                self._slowness.was_quick(text)
                return results
        async with self._reader_slots:
            if self._idle_readers:
                # Last in, first out: its statement cache is the warmest.
                reader = self._idle_readers.pop()
            else:
                reader = await self._open(reads_only=True)
            try:
                return await reader.run(job)
            finally:
                if self._writer is writer:
                    self._idle_readers.append(reader)
                else:  # closed meanwhile
                    await reader.close()

    def _read_here(self, job: Job) -> list[Result]:
        """Run a query on the event loop's own thread. Raises TooSlow, having done nothing."""
        if self._quick is None:
            try:
                self._quick = Session(self._path, self._synchronous, reads_only=True, quick=True)
            except sqlite3.Error:  # a reader's thread will say what is wrong, or wait for it
                raise TooSlow from None
        return self._quick.run(Job(job.queries, QUICK_MS, job.last_row_id))

    async def _open_writer(self) -> SessionThread:
        if self._writer is not None:
            self._writer.session.check_place()  # before a reader would open another file there
            return self._writer
        async with self._opening:
            if self._writer is None:
                self._writer = await self._open(reads_only=False)
            return self._writer

    async def _open(self, *, reads_only: bool) -> SessionThread:
        try:
            make_folder(self._path.parent)
            refuse_foreign_link(self._path)
            return await SessionThread.open(self._path, self._synchronous, reads_only=reads_only)
        except OSError as error:
            reason = error.strerror or str(error)
        except sqlite3.Error as error:
            reason = error_message(error, "", lambda _: None)
        raise WorkerError(f'cannot open database "{self.name}" in {self._path}: {reason}')


def _is_query(query: Query) -> bool:
    return all(part.keyword in _QUERY_KEYWORDS for part in split_statements(query.sql))


def _to_query(entry: object) -> Query:
    sql: object = entry
    params: object = None
    if isinstance(entry, dict):
        sql, params = entry.get("sql"), entry.get("params")
    if not isinstance(sql, str) or not isinstance(params, list | tuple | None):
        raise WorkerError("expected SQL text, or {sql: text, params: list or null}")
    # SQLite reads C strings: everything after a NUL does not exist.
    sql = sql.partition("\0")[0]
    return Query(sql, tuple(to_parameter(value) for value in params or ()))
