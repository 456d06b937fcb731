"""Connections on threads of their own: connects aiosqlite and `RuledConnection`.

aiosqlite gives each connection a thread and a queue. Its public coroutines would cost one hop
between threads per statement and per fetch, 60 µs each, and a D1 call is BEGIN, the statements,
their rows, counters and COMMIT. So a whole job is one function on that thread, by `_execute`, which
every public coroutine of aiosqlite uses; a test checks its behaviour. aiosqlite does not need to
know which SQLite the connection belongs to: it only closes it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiosqlite
import apsw

from bindings.d1.jobs import Job
from bindings.d1.ruled_connection import RuledConnection
from emulator.answers.d1 import Result
from emulator.sqlite import Synchronous

CLOSE_MAX_S = 2.0  # SQLite cannot be interrupted inside a function


class ConnectionThread(aiosqlite.Connection):
    """A `RuledConnection` and its thread; await `open` before anything else."""

    ruled: RuledConnection

    @classmethod
    async def open(
        cls, path: Path, synchronous: Synchronous, *, reads_only: bool
    ) -> ConnectionThread:
        """Open `path` on a new thread. Raises apsw.Error when the file cannot be used."""

        failures: list[apsw.Error] = []

        def connect() -> Any:
            try:
                thread.ruled = RuledConnection(path, synchronous, reads_only=reads_only)
                return thread.ruled.connection
            except apsw.Error as error:
                # If this raised, aiosqlite's thread could end after the event loop, with an
                # exception in the thread. An empty connection can be closed.
                failures.append(error)
                return apsw.Connection(":memory:")

        thread = cls(connect, iter_chunk_size=64)
        thread._thread.daemon = True  # its work must not keep the process alive
        await thread
        if failures:
            await thread.close()
            raise failures[0]
        return thread

    async def run(self, job: Job) -> list[Result]:
        """Run `job` and return its results; when the caller is cancelled, undo it.

        Raises WorkerError or NeedsWriter. Jobs of one thread run one after another.
        """
        try:
            results: list[Result] = await self._execute(self.ruled.run, job)  # type: ignore[no-untyped-call]
        except asyncio.CancelledError:
            job.abandoned = True
            raise
        return results

    async def close(self) -> None:
        """Close the connection after the current job; wait at most `CLOSE_MAX_S` for the job.

        A job that is not committed by then never will be.
        """
        closed = self.stop()
        if closed is None:  # the event loop has ended
            return
        try:
            await asyncio.wait([closed], timeout=CLOSE_MAX_S)
        except asyncio.CancelledError:
            # The loop ends. The thread must not report its end to a loop that is gone.
            await asyncio.wait([closed], timeout=CLOSE_MAX_S)
            raise
