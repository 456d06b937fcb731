"""Workers that are opened before a test asks for them, while the one before it runs.

A spare has the options of the worker that was opened last. It is used only if neither its code nor
its configuration was changed since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from emulator import watch
from emulator.clock import SystemClock, VirtualClock
from emulator.errors import EmulatorError
from emulator.testing.options import Options
from emulator.testing.subject import Subject

KEPT_MAX = 2  # suites take turns between few projects


class Spares:
    """One spare for each of the options that were used last. `make` opens a worker."""

    def __init__(self, make: Callable[[Options], Awaitable[Subject]]) -> None:
        self._make = make
        self._kept: dict[str, asyncio.Task[tuple[Subject, watch.Snapshot]]] = {}

    async def take(self, wanted: Options) -> Subject:
        """Return a worker with these options, and begin to open another. Raises LoadRefused.

        One of a group has no spare: the others would call it.
        """
        if wanted.group:
            return await self._make(wanted)
        spare = self._kept.pop(repr(wanted), None)
        subject = None if spare is None else await self._fresh(spare)
        if subject is None:
            subject = await self._make(wanted)
        self._prepare(wanted)
        return subject

    def _prepare(self, wanted: Options) -> None:
        task = asyncio.get_running_loop().create_task(self._prepared(wanted), name="a spare worker")
        task.add_done_callback(_look_away)
        self._kept[repr(wanted)] = task
        while len(self._kept) > KEPT_MAX:
            oldest = next(iter(self._kept))
            discarding = asyncio.ensure_future(self._discard(self._kept.pop(oldest)))
            discarding.add_done_callback(_look_away)

    async def _prepared(self, wanted: Options) -> tuple[Subject, watch.Snapshot]:
        subject = await self._make(wanted)
        return subject, _files(subject)

    async def _fresh(self, spare: asyncio.Task[tuple[Subject, watch.Snapshot]]) -> Subject | None:
        """Return a spare as if it had just been opened; None if the project has changed."""
        try:
            subject, files = await spare
        except EmulatorError:
            return None  # opening it again says why
        if _files(subject) != files or subject.supervisor.runner.current is None:
            await subject.close()
            subject.remove()
            return None
        clock = subject.engine.clock
        if isinstance(clock, VirtualClock) and subject.options.now_ms is None:
            clock.advance(max(0, SystemClock().now_ms() - clock.now_ms()))
        return subject

    async def _discard(self, spare: asyncio.Task[tuple[Subject, watch.Snapshot]]) -> None:
        subject, _ = await spare
        await subject.close()
        subject.remove()


def _files(subject: Subject) -> watch.Snapshot:
    """Return the files that its code and its configuration are made of, as they are now."""
    code = subject.supervisor.code
    single: set[Path] = {*subject.config.files, *code.files()}
    return watch.snapshot(code.roots(), single)


def _look_away(task: asyncio.Task[Any]) -> None:
    """Whoever needed it hears of an error; here nobody does."""
    if not task.cancelled():
        task.exception()
