"""Whether the code on disk fits what instances have done, found out without executing anything.

Each history is replayed in a guest of its own kind, a probe: no step begins in it and no binding is
called. The journal is only read, so a server may run on it meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from emulator.config.model import Config
from emulator.engine.guard.replay_guard import Guard
from emulator.engine.guests.blame import Loss
from emulator.engine.guests.feeding import Feed
from emulator.engine.guests.opening import opening
from emulator.engine.journal.journal import Journal
from emulator.engine.model.divergence import Divergence
from emulator.engine.model.instance import Instance, Status
from emulator.errors import EmulatorError
from emulator.protocol.message import Message, ProtocolError
from emulator.protocol.runs import (
    Replayed,
    RunAbort,
    RunMessage,
    StepBegin,
    StepChunk,
    StepDelayed,
    StepEnd,
)
from emulator.runner.guest import Guest
from emulator.runner.requests import LoadError
from emulator.runner.runner import Runner
from emulator.runner.source import GuestSource
from emulator.worker import definitions, worker_spec

AT_ONCE = 16  # replays in flight


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found about one instance.

    divergence: how the code differs; None when it fits. problem: why it could not be replayed.
    """

    workflow: str
    id: str
    divergence: Divergence | None = None
    problem: str = ""

    @property
    def outcome(self) -> str:
        """`"fits"`, `"diverges"`, or `"unknown"`: it does I/O outside steps, so nobody can tell."""
        if self.problem:
            return "diverges"
        if self.divergence is None:
            return "fits"
        return "unknown" if self.divergence.stands == "restless" else "diverges"


def instances_of(journal: Journal, *, finished: bool) -> Iterator[Instance]:
    """Yield the instances of a journal that have done something: live ones, or all of them."""
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
    probes = _Probes(now_ms)
    runner = Runner(
        source, probes, lambda line: None, probes.report, config.settings.hang_timeout_ms
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
                divergence = await probes.replay(guest, instance, classes[instance.workflow])
            return Checked(instance.workflow, instance.id, divergence)

        return list(await asyncio.gather(*map(one, instances)))
    finally:
        await runner.stop()


def _missing(instance: Instance, classes: dict[str, str], exported: dict[str, str]) -> str:
    if instance.workflow not in classes:
        return f'no workflow named "{instance.workflow}" is configured'
    if classes[instance.workflow] not in exported:
        return f'the worker exports no class "{classes[instance.workflow]}"'
    return ""


class _Probes:
    """Hears what probes say; a `RunHandler` that lets nothing begin."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._next_run = 1
        self._guards: dict[int, Guard] = {}
        self._verdicts: dict[int, asyncio.Future[Divergence | None]] = {}
        self._names: dict[int, str] = {}
        self._reported = ""
        self._feed: Feed | None = None

    async def replay(self, guest: Guest, instance: Instance, class_name: str) -> Divergence | None:
        """Return how the code differs from the history of `instance`, or None."""
        number = self._next_run
        self._next_run += 1
        self._guards[number] = Guard(instance)
        self._names[number] = f'{instance.workflow} instance "{instance.id}"'
        verdict: asyncio.Future[Divergence | None] = asyncio.get_running_loop().create_future()
        self._verdicts[number] = verdict
        try:
            self._feed = self._feed or Feed(guest)
            self._feed.put(self._opening(number, instance, class_name, verdict))
            return await verdict
        finally:
            guest.send(RunAbort(number))
            del self._guards[number], self._verdicts[number], self._names[number]

    def _opening(
        self,
        number: int,
        instance: Instance,
        class_name: str,
        verdict: asyncio.Future[Divergence | None],
    ) -> Iterator[Message]:
        try:
            for message in opening(number, instance, class_name, probe=True):
                if verdict.done():
                    return
                yield message
        except ValueError as error:
            if not verdict.done():
                text = f"{self._names[number]}: a recorded value is damaged: {error}"
                verdict.set_exception(EmulatorError(text))

    def report(self, text: str) -> None:
        self._reported = text

    def hear(self, guest: Guest, message: RunMessage) -> None:
        """A probe says what it asks for; no step may begin in it."""
        guard = self._guards.get(message.run)
        match message:
            case StepBegin() if guard is not None:
                guard.hear_step(message, self._now_ms)
                self._judge(message.run, guard)
            case Replayed() if guard is not None:
                guard.hear(message)
                self._judge(message.run, guard)
            case StepEnd() | StepDelayed() | StepChunk():
                raise ProtocolError(f"{message.type} of a probe, in which no step may begin")
            case _:  # it is over; or it reads a stream, of which a history holds no bytes
                return

    def _judge(self, number: int, guard: Guard) -> None:
        verdict = self._verdicts[number]
        if guard.is_decided and not verdict.done():
            verdict.set_result(guard.divergence(self._now_ms))

    def all_heard(self) -> None:
        """Nothing is recorded here."""

    def mishap(self, guest: Guest, number: int, problem: str) -> None:
        verdict = self._verdicts.get(number)
        if verdict is not None and not verdict.done():
            verdict.set_exception(EmulatorError(f"{self._names[number]}: {problem}"))

    def guest_lost(self, guest: Guest, loss: Loss) -> None:
        doing = ", ".join(self._names.values())
        text = self._reported or f"the worker {loss.reason} while it was replaying {doing}"
        for verdict in self._verdicts.values():
            if not verdict.done():
                verdict.set_exception(EmulatorError(text))

    def work_of(self, guest: Guest) -> list[str]:
        return list(self._names.values())
