"""Makes committed writes outlive a power cut: one sync for all commits that came before it.

A commit has written SQLite's log already; the log's checksums say which part of it is whole. So to
sync the log afterwards gives what SQLite's own `synchronous = FULL` gives, and the object goes on
meanwhile. Objects have files of their own, which are synced on several threads at a time.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from emulator.disk import refusal, sync_folder
from emulator.errors import WorkerError
from emulator.sqlite import Synchronous

THREADS = 16
# What SQLite uses too: it does not wait for the times of the file.
_sync_file = getattr(os, "fdatasync", os.fsync)


class Syncing:
    """The threads that sync files. They are started when the first file needs one."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(THREADS, "syncs")

    def of(self, path: Path, synchronous: Synchronous) -> Synced:
        """Return what knows how durable the database `path` is."""
        return Synced(path, self, needed=synchronous == "FULL")

    def close(self) -> None:
        """End the threads."""
        self.threads.shutdown()


class Synced:
    """How much of one database is durable. needed: whether anybody asks for it."""

    def __init__(self, path: Path, syncing: Syncing, *, needed: bool) -> None:
        self._path = path
        self._syncing = syncing
        self._needed = needed
        self._has_new_name = True  # the folder must be synced too, or a power cut takes the file
        self.count = 0  # of commits
        self._durable = 0
        self._running: asyncio.Task[None] | None = None

    @property
    def is_behind(self) -> bool:
        """Whether something was committed that may not be durable."""
        return self._needed and self._durable < self.count

    def written(self) -> None:
        """Something was committed."""
        self.count += 1

    def named(self) -> None:
        """A file was created beside it."""
        self._has_new_name = True

    async def reached(self) -> None:
        """Return when what was committed before this call is durable. Raises WorkerError."""
        until = self.count
        while self._needed and self._durable < until:
            if self._running is None:
                self._running = asyncio.ensure_future(self._sync())
            await asyncio.shield(self._running)

    async def _sync(self) -> None:
        written = self.count
        loop = asyncio.get_running_loop()
        has_new_name, self._has_new_name = self._has_new_name, False
        try:
            await loop.run_in_executor(self._syncing.threads, self._sync_files, has_new_name)
        except OSError as error:
            self._has_new_name |= has_new_name
            raise WorkerError(refusal(self._path, "cannot be made durable", error)) from None
        finally:
            self._running = None
        self._durable = written

    def _sync_files(self, has_new_name: bool) -> None:
        if has_new_name:
            _sync(os.fspath(self._path))
            sync_folder(self._path.parent)  # all of it: `fdatasync` may leave new names out
        for path in (f"{self._path}-wal", os.fspath(self._path)):
            try:
                _sync(path)
                break
            except FileNotFoundError:  # SQLite has copied the log into the file, and synced that
                continue


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _sync_file(descriptor)
    finally:
        os.close(descriptor)
