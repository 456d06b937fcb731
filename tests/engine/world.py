"""A host for engine tests: a real journal, a virtual clock, scripted guests, and their deaths."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from emulator.clock import VirtualClock
from emulator.engine.control import Control
from emulator.engine.engine import Engine
from emulator.engine.guests.blame import Cause, Loss
from emulator.engine.model.definition import Definition
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Status
from emulator.engine.model.instance_entries import RestartPoint
from emulator.errors import StateError
from emulator.protocol import values
from emulator.protocol.message import Message
from emulator.protocol.runs import RunStart
from tests.engine.disk import Disk
from tests.engine.scripted import Execution, ScriptedGuest, Workflow

NAME = "orders"
CLASS = "Orders"
SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
GRACE_MS = 5 * SECOND

_QUIET_TURNS = 16  # of the event loop without a message or commit: nothing more will come
_ALARMS_AT_ONCE_MAX = 500

M = TypeVar("M", bound=Message)
Story = Callable[["World"], Awaitable[None]]


class World:
    """One project on one machine. Everything but the journal file is lost in a `crash`."""

    def __init__(
        self,
        directory: Path,
        workflows: Mapping[str, Workflow],
        *,
        concurrency: int = 50_000,
        definitions: list[Definition] | None = None,
        clock: VirtualClock | None = None,
        guest: bool = True,
        free_steps: bool = True,
    ) -> None:
        self.path = directory / "journal.sqlite"
        self.workflows = workflows
        self.executions: list[Execution] = []
        self.free_steps = free_steps  # guests begin steps by themselves
        self.reports: list[str] = []
        self.generation = 0
        self.code = ""  # what `use_guest` is told of it
        self.clock = clock or VirtualClock()
        self.definitions = definitions or [Definition(NAME, CLASS)]
        self._concurrency = concurrency
        self.commits = 0
        self.boot(guest=guest)

    # --- life and death

    def boot(self, *, guest: bool = True) -> None:
        """Start a host on the journal as it is, with a guest unless told otherwise."""
        self.disk = Disk(self.path)
        self.journal = self.disk.journal
        self.journal.on_commit = self._committed
        self.engine = Engine(
            self.journal,
            self.clock,
            concurrency=self._concurrency,
            grace_ms=GRACE_MS,
            report=self.reports.append,
        )
        self.control = Control(self.engine)
        self.engine.define(self.definitions)
        self.apart: ScriptedGuest | None = None  # where suspects run
        self.engine.apart.open = self.open_apart
        self.engine.apart.close = self._close_apart
        self.engine.start()
        self.guests: list[ScriptedGuest] = []
        if guest:
            self.load()

    def load(self, workflows: Mapping[str, Workflow] | None = None) -> ScriptedGuest:
        """Bring up a generation of the code, which serves from now on."""
        self.workflows = self.workflows if workflows is None else workflows
        self.generation += 1
        self._serving = guest = self._new_guest()
        self.engine.use_guest(guest, self.code)
        return guest

    @property
    def guest(self) -> ScriptedGuest:
        """The generation that serves."""
        return self._serving

    def lose_guest(
        self,
        reason: str = "exited with status 3",
        cause: Cause = Cause.ITSELF,
        *,
        run: int = 0,
        others: bool = False,
    ) -> None:
        """Lose the guest apart if there is one, or that which serves; `load` brings it back."""
        guest = self.apart or self.guest
        self.apart = None
        self.code = self.code or f"guest {self.guest.generation}"
        guest.die()
        self.engine.guest_lost(guest, Loss(reason, cause, run, others))

    def open_apart(self) -> None:
        """Bring up a guest for suspects, which takes some turns of the loop."""

        def opened(turns: int = _QUIET_TURNS // 2) -> None:
            if turns:
                asyncio.get_running_loop().call_soon(opened, turns - 1)
                return
            self.generation += 1
            self.apart = self._new_guest()
            self.engine.use_apart(self.apart, self.code)

        opened()

    def _close_apart(self, generation: int) -> None:
        if self.apart is not None and self.apart.generation == generation:
            self.apart = None

    def _new_guest(self) -> ScriptedGuest:
        guest = ScriptedGuest(
            self.engine,
            self.generation,
            self.workflows,
            self.executions,
            free_steps=self.free_steps,
        )
        self.guests.append(guest)
        return guest

    def crash(self) -> None:
        """Kill the host: what is not committed is lost, guests die with it."""
        self.journal.abandon()
        self.engine.roster.closed = True
        self.clock = VirtualClock(self.clock.now_ms())
        for guest in self.guests:
            guest.die()

    async def crash_and_boot(self, *, guest: bool = True) -> None:
        """Kill the host and start it again."""
        self.crash()
        self.boot(guest=guest)
        await self.settle()

    # --- time

    async def settle(self) -> None:
        """Let everything happen that happens without time passing, late commits included."""
        await self._rest()
        defects = [error for guest in self.guests for error in guest.defects]
        assert not defects, defects
        if self.journal.has_late:
            with suppress(StateError):  # a disk that refuses; the engine hears of it by itself
                await self.journal.committed()
            await self._rest()

    async def _rest(self) -> None:
        quiet, seen = 0, -1
        while quiet < _QUIET_TURNS:
            self.clock.advance(0)
            await asyncio.sleep(0)
            activity = self.commits + sum(guest.activity for guest in self.guests)
            quiet, seen = (quiet + 1, seen) if activity == seen else (0, activity)

    async def advance(self, span_ms: int) -> None:
        """Let time pass, one deadline after the other."""
        end_ms = self.clock.now_ms() + span_ms
        at_once = 0
        await self.settle()
        while (due_ms := self.clock.next_ms()) is not None and due_ms <= end_ms:
            at_once = at_once + 1 if due_ms <= self.clock.now_ms() else 0
            assert at_once < _ALARMS_AT_ONCE_MAX, "alarms go off without end"
            self.clock.advance(max(0, due_ms - self.clock.now_ms()))
            await self.settle()
        self.clock.advance(end_ms - self.clock.now_ms())
        await self.settle()

    # --- what users do

    async def create(self, instance: str | None = "a", params: Any = None) -> str:
        encoded = None if params is None else values.encode(params)
        created = await self.control.create(NAME, instance, encoded)
        await self.settle()
        return created

    async def send(self, event_type: str, payload: Any = None, instance: str = "a") -> None:
        await self.control.send_event(NAME, instance, event_type, values.encode(payload))
        await self.settle()

    async def pause(self, instance: str = "a") -> None:
        await self.control.pause(NAME, instance)
        await self.settle()

    async def resume(self, instance: str = "a") -> None:
        await self.control.resume(NAME, instance)
        await self.settle()

    async def terminate(self, instance: str = "a", *, rollback: bool = False) -> None:
        await self.control.terminate(NAME, instance, rollback)
        await self.settle()

    async def restart(self, instance: str = "a", start: RestartPoint | None = None) -> None:
        await self.control.restart(NAME, instance, start)
        await self.settle()

    async def delete(self, instance: str = "a") -> None:
        await self.control.delete(NAME, instance)
        await self.settle()

    # --- what can be seen

    def status(self, instance: str = "a") -> str:
        return str(self.control.status(NAME, instance)["status"])

    def stands(self, instance: str = "a") -> Status:
        """The status the engine knows, which REST shows; `status` is what workers are told."""
        key = self.journal.find(NAME, instance)
        assert key is not None
        return self.engine.roster.instance(key).status

    def output(self, instance: str = "a") -> Any:
        return self.control.status(NAME, instance)["output"]

    def rollback(self, instance: str = "a") -> Any:
        return self.control.status(NAME, instance)["rollback"]

    def error(self, instance: str = "a") -> tuple[str, str]:
        error = self.control.status(NAME, instance)["error"]
        assert error is not None
        return error["name"], error["message"]

    def entries(self, instance: str = "a") -> list[Entry]:
        key = self.journal.find(NAME, instance)
        assert key is not None
        return list(self.journal.entries(key))

    def kinds(self, instance: str = "a") -> list[EntryKind]:
        return [entry.kind for entry in self.entries(instance)]

    def attempts(self, step: str, instance: str = "a") -> list[int]:
        """The attempt numbers with which the callback of `step` ("charge-1") was executed."""
        return [e.attempt for e in self.executions if (e.instance, e.step) == (instance, step)]

    def started(self) -> list[str]:
        """The instances that runs were started for, in order."""
        return [message.instance for message in self.sent(RunStart)]

    def sent(self, kind: type[M]) -> list[M]:
        """What all guests of this host were sent, of one type of message."""
        return [m for guest in self.guests for m in guest.sent if isinstance(m, kind)]

    def _committed(self, entries: list[Entry]) -> None:
        self.commits += 1


def play(
    directory: Path,
    workflow: Workflow,
    story: Story,
    *,
    concurrency: int = 50_000,
    definitions: list[Definition] | None = None,
    clock: VirtualClock | None = None,
    guest: bool = True,
    free_steps: bool = True,
) -> None:
    """Run `story` in a world whose one workflow is `workflow`."""

    async def main() -> None:
        world = World(
            directory,
            {CLASS: workflow},
            concurrency=concurrency,
            definitions=definitions,
            clock=clock,
            guest=guest,
            free_steps=free_steps,
        )
        try:
            await story(world)
        finally:
            world.crash()

    asyncio.run(main())
