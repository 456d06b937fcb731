"""Finds out whether the code on disk fits what instances have done, without executing any step.

Each history is replayed as a probe: no step begins, and no binding is called. The journal is only
read, so a server may use it meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from msgspec import Struct

from emulator.config.model import Config
from emulator.engine.guard.probes import Probe, Probes
from emulator.engine.guests.blame import Loss
from emulator.engine.guests.feed import Feed
from emulator.engine.journal.journal import Journal
from emulator.engine.model.divergence import Divergence
from emulator.engine.model.instance import Instance, Status
from emulator.errors import EmulatorError
from emulator.protocol.message import ProtocolError
from emulator.protocol.runs import (
    RunMessage,
    StepChunk,
    StepDelayed,
    StepEnd,
)
from emulator.runner.guest import Guest
from emulator.runner.guest_source import GuestSource
from emulator.runner.requests import LoadError
from emulator.runner.runner import Runner
from emulator.worker import definitions, worker_spec

AT_ONCE = 16  # replays in flight


class Checked(Struct, frozen=True):
    """The result for one instance.

    divergence: how the code differs; None when it fits. problem: why it could not be replayed.
    place: of the workflow's class, `"src/entry.py:12"`, or "". cut: the steps whose recorded output
    is not whole: what follows from it may differ only for that reason.
    """

    workflow: str
    id: str
    divergence: Divergence | None = None
    problem: str = ""
    place: str = ""
    cut: tuple[str, ...] = ()

    @property
    def outcome(self) -> str:
        """`"fits"`, `"diverges"`, or `"unknown"`: it does I/O outside steps, so nobody can tell."""
        if self.problem:
            return "diverges"
        if self.divergence is None:
            return "fits"
        cannot_tell = self.divergence.stands == "restless" or self.cut
        return "unknown" if cannot_tell else "diverges"


def instances_of(journal: Journal, *, finished: bool) -> Iterator[Instance]:
    """Yield the instances of a journal that have done something. finished: also ended ones."""
    for row in journal.every() if finished else journal.unfinished():
        if row.status is Status.ROLLING_BACK:
            continue
        instance = journal.fold(row, whole=True)
        if instance.steps:
            yield instance


async def check(
    config: Config, source: GuestSource, instances: Iterable[Instance], now_ms: int
) -> list[Checked]:
    """Replay `instances` on the code of `config`, in their order.

    Raises EmulatorError when the code cannot be loaded or the guest ends.
    """
    checks = _Checks(now_ms)
    runner = Runner(
        source, checks, lambda line: None, checks.report, config.settings.hang_timeout_ms
    )
    await runner.start()
    try:
        try:
            guest = await runner.load(worker_spec(config), {})
        except LoadError as error:
            raise EmulatorError(f"the worker could not be loaded.\n{error.traceback}") from error
        classes = {each.name: each.class_name for each in definitions(config)}
        room = asyncio.Semaphore(AT_ONCE)

        async def one(instance: Instance) -> Checked:
            problem = _missing(instance, classes, guest.loaded.workflows)
            if problem:
                return Checked(instance.workflow, instance.id, problem=problem)
            async with room:
                divergence = await checks.replay(guest, instance, classes[instance.workflow])
            place = guest.loaded.workflows[classes[instance.workflow]]
            return Checked(instance.workflow, instance.id, divergence, place=place)

        return list(await asyncio.gather(*map(one, instances)))
    finally:
        await runner.stop()


def _missing(instance: Instance, classes: dict[str, str], exported: dict[str, str]) -> str:
    if instance.workflow not in classes:
        return f'no workflow named "{instance.workflow}" is configured'
    if classes[instance.workflow] not in exported:
        return f'the worker exports no class "{classes[instance.workflow]}"'
    return ""


class _Checks:
    """Hears probes, as the engine of a server hears runs."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._last = 0
        self._probes = Probes(self._judged, self._damaged)
        self._verdicts: dict[int, asyncio.Future[Divergence | None]] = {}
        self._names: dict[int, str] = {}
        self._reported = ""
        self._feed: Feed | None = None

    async def replay(self, guest: Guest, instance: Instance, class_name: str) -> Divergence | None:
        """Return how the code differs from the history of `instance`, or None."""
        self._last += 1
        number = self._last
        self._names[number] = f'{instance.workflow} instance "{instance.id}"'
        verdict: asyncio.Future[Divergence | None] = asyncio.get_running_loop().create_future()
        self._verdicts[number] = verdict
        try:
            self._feed = self._feed or Feed(guest)
            self._probes.start(number, instance, class_name, guest, self._feed)
            return await verdict
        finally:
            self._probes.drop(number)
            del self._verdicts[number], self._names[number]

    def _judged(self, probe: Probe, divergence: Divergence | None) -> None:
        verdict = self._verdicts[probe.number]
        if not verdict.done():
            verdict.set_result(divergence)

    def _damaged(self, probe: Probe, error: Exception) -> None:
        text = f"{self._names[probe.number]}: a recorded value is damaged: {error}"
        self._fail(probe.number, text)

    def _fail(self, number: int, text: str) -> None:
        verdict = self._verdicts.get(number)
        if verdict is not None and not verdict.done():
            verdict.set_exception(EmulatorError(text))

    def report(self, text: str) -> None:
        self._reported = text

    def hear(self, guest: Guest, message: RunMessage) -> None:
        """A probe reports what it asks for; no step may begin in it."""
        if isinstance(message, StepEnd | StepDelayed | StepChunk):
            raise ProtocolError(f"{message.type} of a probe, in which no step may begin")
        self._probes.hear(message, self._now_ms)

    def all_heard(self) -> None:
        """Nothing is recorded here."""

    def mishap(self, guest: Guest, number: int, problem: str) -> None:
        if number in self._names:
            self._fail(number, f"{self._names[number]}: {problem}")

    def guest_lost(self, guest: Guest, loss: Loss) -> None:
        doing = ", ".join(self._names.values())
        text = self._reported or f"the worker {loss.reason} while it was replaying {doing}"
        for number in self._verdicts:
            self._fail(number, text)

    def work_of(self, guest: Guest) -> list[str]:
        return list(self._names.values())
