"""A SQLite file of a binding: many writers share one commit, and readers wait for nobody.

A write is a function that gets the connection. Those that arrive while a commit is under way are
one transaction together, on a thread, each inside a savepoint of its own. A write is answered when
that transaction is durable. A read runs at once on the thread of the event loop and sees what is
committed; one that may take long runs on a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from emulator.disk import make_folder, refusal, refuse_foreign_link
from emulator.errors import WorkerError
from emulator.sqlite import DatabaseFile, Removed, Synchronous, connect

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


class Store:
    """The file `path`; the first call creates it.

    schema: SQL scripts, one a version of the file; a file gets those that it does not have yet.
    """

    def __init__(self, path: Path, schema: Sequence[str], synchronous: Synchronous) -> None:
        self.path = path
        self._schema = schema
        self._synchronous = synchronous
        self._database_file: DatabaseFile | None = None
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._slow_reader: sqlite3.Connection | None = None
        self._writing = ThreadPoolExecutor(1, "writes")
        self._reading = ThreadPoolExecutor(1, "reads")
        self._waiting: list[tuple[Work[Any], asyncio.Future[Any]]] = []
        self._commits: asyncio.Task[None] | None = None

    def read(self, work: Work[T]) -> T:
        """Return `work(connection)`, run here and now. Raises WorkerError."""
        with self._told():
            self._open()
            if self._reader is None:
                self._reader = connect(self.path, self._synchronous)
            return work(self._reader)

    async def read_long(self, work: Work[T]) -> T:
        """Do the same on a thread. Raises WorkerError."""

        def run() -> T:
            if self._slow_reader is None:
                self._slow_reader = connect(self.path, self._synchronous)
            return work(self._slow_reader)

        with self._told():
            self._open()
            return await asyncio.get_running_loop().run_in_executor(self._reading, run)

    async def write(self, work: Work[T]) -> T:
        """Return `work(connection)` once what it changed is durable.

        Raises what it raises, and WorkerError; then nothing of it was changed.
        """
        loop = asyncio.get_running_loop()
        with self._told():
            self._open()
        done: asyncio.Future[T] = loop.create_future()
        self._waiting.append((work, done))
        if self._commits is None:
            self._commits = loop.create_task(self._commit_all(), name=f"commits {self.path.name}")
        return await done

    def removed(self) -> str:
        """Return a message if the file was removed or replaced while it is open, else ""."""
        try:
            if self._database_file is not None:
                self._database_file.look()
        except Removed as error:
            return str(error)
        return ""

    async def close(self) -> None:
        """Commit what waits, and close the file."""
        if self._commits is not None:
            await self._commits
        await asyncio.to_thread(self._writing.shutdown)
        await asyncio.to_thread(self._reading.shutdown)
        for connection in (self._reader, self._writer, self._slow_reader):
            if connection is not None:
                connection.close()
        self._reader = self._writer = self._slow_reader = None

    async def _commit_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            works = [work for work, _ in batch]
            try:
                with self._told():
                    results = await loop.run_in_executor(self._writing, self._commit, works)
            except Exception as error:
                results = [error] * len(batch)
            for (_, done), result in zip(batch, results, strict=True):
                if done.done():
                    continue
                if isinstance(result, Exception):
                    done.set_exception(result)
                else:
                    done.set_result(result)
        self._commits = None

    def _commit(self, works: Sequence[Work[Any]]) -> list[Any]:
        """Return what each work returns or raises. Raises sqlite3.Error when nothing is durable."""
        if self._writer is None:
            self._writer = connect(self.path, self._synchronous)
        writer = self._writer
        assert self._database_file is not None
        self._database_file.check()
        writer.execute("BEGIN IMMEDIATE")
        try:
            results = [self._apart(writer, work) for work in works]
            writer.execute("COMMIT")
        except BaseException:
            if writer.in_transaction:
                writer.execute("ROLLBACK")
            raise
        return results

    def _apart(self, writer: sqlite3.Connection, work: Work[Any]) -> Any:
        """Return what one work returns or raises; what it changed before it raised is undone."""
        writer.execute("SAVEPOINT work")
        try:
            result = work(writer)
        except sqlite3.Error:  # the disk, or a defect: nothing of this transaction may stay
            raise
        except Exception as error:
            writer.execute("ROLLBACK TO work")
            result = error
        writer.execute("RELEASE work")
        return result

    def _open(self) -> None:
        if self._database_file is not None:
            return
        make_folder(self.path.parent)
        refuse_foreign_link(self.path)
        with contextlib.closing(connect(self.path, self._synchronous)) as connection:
            self._prepare(connection)
        self._database_file = DatabaseFile(self.path)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(self._schema):
            connection.execute("ROLLBACK")
            raise WorkerError(
                f"{self.path} has version {version}, and this Groundfog knows version "
                f"{len(self._schema)}. Use the Groundfog that wrote it, or a newer one."
            )
        for script in self._schema[version:]:
            for statement in script.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(self._schema)}")
        connection.execute("COMMIT")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Raise what the disk refuses as an error for user code."""
        try:
            yield
        except Removed as error:
            raise WorkerError(str(error)) from None
        except (sqlite3.Error, OSError) as error:
            raise WorkerError(refusal(self.path, "cannot be used", error)) from None
