"""Shadow replays of a running server: each instance that rests or ends is replayed by a shadow.

A difference is told once for each place in the code that serves. The shadow loads the code with the
first replay, and again after a save; it ends when there has been nothing to replay for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.errors import EmulatorError
from emulator.runner.python.forkserver import Forkserver
from emulator.runner.runner import Runner
from emulator.shadow import Seen, Shadow
from emulator.worker import Worker

IDLE_S = 30.0
QUEUED_MAX = 1000  # more are not replayed: they would be replayed long after they rested
_RESTS = frozenset(
    {EntryKind.WORKFLOW_WAITING, EntryKind.WORKFLOW_SUCCESS, EntryKind.WORKFLOW_FAILURE}
)


class ShadowReplays:
    """Those of one worker. `runner` has its code; `source` starts shadows and is ended here."""

    def __init__(
        self,
        worker: Worker,
        runner: Runner,
        source: Forkserver,
        warn: Callable[[str], None],
    ) -> None:
        self._worker = worker
        self._runner = runner
        self._source = source
        self._warn = warn
        self._due: dict[int, None] = {}  # keys of instances, in order
        self._came = asyncio.Event()
        self._told: set[tuple[str, str]] = set()
        self._shadow: Shadow | None = None
        self._generation = 0
        self._task = asyncio.create_task(self._work(), name="shadow replays")

    def committed(self, entries: Sequence[Entry]) -> None:
        """Note which instances rest or have ended."""
        for entry in entries:
            if entry.kind in _RESTS and len(self._due) < QUEUED_MAX:
                self._due[entry.instance] = None
                self._came.set()

    async def stop(self) -> None:
        """End the shadow, and what starts it."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._end()
        await self._source.stop()

    async def _work(self) -> None:
        while True:
            self._came.clear()
            try:
                async with asyncio.timeout(IDLE_S if self._shadow is not None else None):
                    await self._came.wait()
            except TimeoutError:
                await self._end()
                continue
            while self._due:
                key = next(iter(self._due))
                del self._due[key]
                try:
                    await self._replay(key)
                except EmulatorError:
                    await self._end()  # a history that cannot be read, code that does not load

    async def _replay(self, key: int) -> None:
        journal = self._worker.engine.journal
        row, shadow = journal.row(key), await self._loaded()
        if row is None or shadow is None:
            return
        instance = journal.fold(row, whole=True)
        if instance.steps and (seen := await shadow.replay(instance, journal)) is not None:
            self._tell(seen)

    def _tell(self, seen: Seen) -> None:
        if (seen.workflow, seen.line or seen.text) in self._told:
            return
        self._told.add((seen.workflow, seen.line or seen.text))
        where = f"{seen.line}: " if seen.line else ""
        self._warn(
            f"{where}{seen.workflow} / {seen.id} depends on what is not recorded: under another"
            f" clock and with other chance, {seen.text}. Ask for times and random values in steps."
        )

    async def _loaded(self) -> Shadow | None:
        """Return a shadow with the code that serves; None where no code serves."""
        current = self._runner.current
        if current is None:
            return None
        if self._shadow is None or self._generation != current.generation:
            await self._end()
            shadow = Shadow(self._worker.config, self._source)
            await shadow.start()
            if self._generation != current.generation:
                self._told.clear()
            self._shadow, self._generation = shadow, current.generation
        return self._shadow

    async def _end(self) -> None:
        shadow, self._shadow = self._shadow, None
        if shadow is not None:
            await shadow.stop()
