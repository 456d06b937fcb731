"""A worker under test: opened, reset and closed in a session; who stands between its parts."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import shutil
import signal
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bindings.ai.settings import AiSettings, Rule
from bindings.binding import Binding
from emulator.clock import VirtualClock
from emulator.config.model import Config
from emulator.engine.clock_control import Work
from emulator.engine.control import Control
from emulator.engine.engine import Engine
from emulator.engine.model.entries import Entry
from emulator.engine.model.step import StepState
from emulator.engine.model.step_key import StepKind, step_key
from emulator.errors import StateError
from emulator.kinds import ai
from emulator.peers import Peers
from emulator.protocol.loading import NETWORK
from emulator.runner.binding_calls import BindingCalls
from emulator.runner.guest import Guest
from emulator.runner.python.forkserver import Forkserver
from emulator.runner.requests import LoadError
from emulator.runner.runner import WorkerSpec
from emulator.session import Project, Running, Seams, Session
from emulator.state import State
from emulator.supervisor import Supervisor
from emulator.testing import options
from emulator.testing.ai_answers import Answers
from emulator.testing.connection import Connection
from emulator.testing.crashes import Crashes
from emulator.testing.faults import Faults, Tap
from emulator.testing.mocked_guest import Held, MockedGuest
from emulator.testing.mocks import Call, Mocks
from emulator.testing.options import Options
from emulator.testing.ordering import Ordering
from emulator.testing.outbound import Outbound
from emulator.testing.project_copy import ProjectCopy
from emulator.testing.refusals import LoadRefused
from emulator.testing.stand_ins import KIND as SERVICE
from emulator.testing.stand_ins import StandIn
from emulator.testing.states import States
from emulator.testing.terminal import Logs
from emulator.worker import Worker

if TYPE_CHECKING:
    from emulator.shadow import Seen

CRASH_WAIT_S = 2.0  # for requests that are under way
SWEEP_WAIT_S, SWEEP_LOOK_S = 5.0, 0.002
GUEST_WAIT_S = 0.5  # for an answer: code that computes for longer is not waited for


class Subject:
    """One worker of a test, used once. `folder` is its own; its state is inside.

    peers: the workers of its group.
    """

    def __init__(
        self,
        session: Session,
        config: Config,
        wanted: Options,
        folder: Path,
        line: Connection,
        states: States,
        shadow_source: Callable[[], Forkserver],
        peers: Peers,
    ) -> None:
        """shadow_source: returns what starts guests that only replay."""
        self.config = config
        self.options = wanted
        self.line = line
        self.mocks = Mocks()
        self.held: list[Held] = []
        self.looked_at: set[tuple[str, str]] = set()  # instances that the test has asked for
        self.news = asyncio.Event()  # something was committed
        self.logs = Logs(lambda: self.worker.timekeeper.now_ms() if self._running else 0)
        self.outbound = Outbound(self.call)
        self.faults = Faults()
        self.stand_ins: dict[str, int] = {}  # bindings -> functions of the test
        self.answers: Answers | None = None
        self.ai_settings: AiSettings | None = None  # in place of those of the project
        self.project_copy: ProjectCopy | None = None  # whose files the test changes
        self.conversations: dict[int, Any] = {}  # with bodies that are read piece by piece
        self.crashes = Crashes()
        self.ordering = Ordering(self)
        self._session = session
        self._peers = peers
        self.folder = folder
        self._states = states
        self._shadow_source = shadow_source
        self._kept: Any = None  # what was declared at the checkpoint
        self._answer_rules: tuple[Rule, ...] = ()
        self._running: Running | None = None
        self._calls: BindingCalls | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    # --- its parts

    @property
    def running(self) -> Running:
        """The worker in its session."""
        assert self._running is not None
        return self._running

    @property
    def worker(self) -> Worker:
        """Its parts."""
        return self.running.worker

    @property
    def supervisor(self) -> Supervisor:
        """What runs it."""
        return self.running.supervisor

    @property
    def engine(self) -> Engine:
        """What executes its workflows."""
        return self.worker.engine

    @property
    def control(self) -> Control:
        """What may be asked of its instances."""
        return self.worker.control

    @property
    def calls(self) -> BindingCalls:
        """The calls of bindings that the test itself makes."""
        assert self._calls is not None
        return self._calls

    # --- life

    async def open(self, before: Subject | None = None) -> None:
        """Begin with fresh state. Raises LoadRefused when the code does not load.

        before: begin with the state and the declarations that this one had at its checkpoint.
        """
        state = State(self.folder / "state")
        if before is None:
            await self._states.fill(
                state, self.config, self.folder.parent, migrate=self.options.migrate
            )
            self._declare_nothing()
        else:
            shutil.copytree(before.checkpoint, state.directory)
            self._declare_nothing()
            self._declare_again(before)
        for problem in self.config.warnings:
            self.logs.warning(str(problem))
        await self._run(state)

    async def restart(self) -> None:
        """Stop it, and start it again on the same state. Raises LoadRefused."""
        state, now_ms = self.worker.state, self.worker.timekeeper.now_ms()
        self.config = self.worker.config
        if self.answers is not None:
            self._answer_rules, self.answers = self.answers.rules, None
        await self.engine.journal.committed()
        await self.close()
        self.held = []
        await self._run(state, now_ms)

    async def reload(self, changed: frozenset[Path]) -> bool:
        """Load the code as it is now, with its configuration; return whether that went well.

        Returns when it is known which instances the code does not fit.
        """
        await self.worker.timekeeper.at_rest()
        loaded = await self.supervisor.reload(changed | frozenset(self.worker.config.files))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SWEEP_WAIT_S):
                await self.worker.timekeeper.at_rest()
                while self.engine.sweep.is_busy:
                    await asyncio.sleep(SWEEP_LOOK_S)
                await self.engine.journal.committed()
        return loaded

    async def _run(self, state: State, now_ms: int = 0) -> None:
        """Start on a state. now_ms: a virtual clock is there at least."""
        seams = Seams(
            make_guest=self._new_guest,
            loading=self._loading,
            follows_saves=False,
            follows_crons=False,
        )
        project = Project(self.config, lambda: options.read(self.options), state)
        try:
            running = self._session.open(project, self.logs, seams=seams, peers=self._peers)
            self._running = running
            if isinstance(clock := self.engine.clock, VirtualClock):
                clock.advance(max(0, now_ms - clock.now_ms()))
            running.worker.engine.journal.on_commit = self._committed
            running.worker.timekeeper.held_runs = lambda: {held.run for held in self.held}
            await running.listen()
            await running.start()
        except StateError as error:
            raise LoadRefused(str(error)) from None
        failed = running.supervisor.failed_load()
        if failed is not None:
            await self.close()
            raise load_refused(failed)
        bindings = self._with_answers(running.worker.bindings.of(self.config))
        self._calls = BindingCalls(asyncio.get_running_loop(), self.line, bindings)

    async def close(self) -> None:
        """End it. Its state stays until `remove`."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._calls is not None:
            await self._calls.close()
            self._calls = None
        running, self._running = self._running, None
        if running is not None:
            await self._session.close(running)

    @property
    def checkpoint(self) -> Path:
        """Where the state is kept as it was at the checkpoint."""
        return self.folder / "checkpoint"

    async def keep(self) -> None:
        """Make a checkpoint of the state and of what is declared, at rest."""
        await self.worker.timekeeper.at_rest()
        await self.engine.journal.committed()
        shutil.rmtree(self.checkpoint, ignore_errors=True)
        shutil.copytree(self.worker.state.directory, self.checkpoint)
        rules = () if self.answers is None else self.answers.rules
        kept = (self.mocks, self.outbound.rules, self.outbound.allowed, rules, self.faults.declared)
        self._kept = copy.deepcopy(kept)
        self.crashes = Crashes()

    def _declare_again(self, before: Subject) -> None:
        mocks, rules, allowed, answers, faults = copy.deepcopy(before._kept)
        self.mocks, self.outbound.rules, self.outbound.allowed = mocks, rules, allowed
        self._answer_rules, self.faults.declared = answers, faults
        self.looked_at = set(before.looked_at)
        self.stand_ins.update(before.stand_ins)
        self.ai_settings = before.ai_settings

    def take_over(self, before: Subject) -> None:
        """Answer calls as the worker before this one did, by the options of the test."""
        self.stand_ins.update(before.stand_ins)
        self.ai_settings = before.ai_settings
        if self.answers is not None and self.ai_settings is not None:
            self.answers.use(self.ai_settings)

    def remove(self) -> None:
        """Delete its state."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _declare_nothing(self) -> None:
        """Begin without mocks, rules, faults and logs."""
        self.mocks, self.held, self.looked_at = Mocks(), [], set()
        self.outbound, self.faults, self.answers = Outbound(self.call), Faults(), None
        self.outbound.allowed.update(self.options.allow_hosts)
        self.logs.refused = self.outbound.refused
        self.logs.lines.clear()

    def _loading(
        self, spec: WorkerSpec, bindings: Mapping[str, Binding]
    ) -> tuple[WorkerSpec, Mapping[str, Binding]]:
        """Let a guest ask for the network, and put what a test may declare before bindings."""
        hosts = self.options.allow_hosts
        if not self.config.is_python:  # workerd asks bindings in ways that know each kind
            return replace(spec, asks_network=not hosts), self._with_stand_ins(bindings)
        spec = replace(spec, asks_network=True, allowed_hosts=hosts)
        answered = self._with_answers(bindings)
        taps: dict[str, Binding] = {
            name: Tap(name, binding, self.faults) for name, binding in answered.items()
        }
        return spec, {**taps, NETWORK: self.outbound}

    def _with_answers(self, bindings: Mapping[str, Binding]) -> dict[str, Binding]:
        """Return the bindings, with rules of the test for the one of kind ai."""
        found = self._with_stand_ins(bindings)
        for bound in self.config.bound(AiSettings):
            if self.answers is None:
                settings = self.ai_settings or bound.record
                self.answers = Answers(settings, partial(self.worker.opened, ai.KIND))
                self.answers.rules = self._answer_rules
            found[bound.name] = self.answers
        return found

    def _with_stand_ins(self, bindings: Mapping[str, Binding]) -> dict[str, Binding]:
        """Return the bindings; an object of the test may answer for those to other workers."""
        return {
            name: StandIn(name, binding, self.stand_ins, self.call)
            if binding.kind == SERVICE
            else binding
            for name, binding in bindings.items()
        }

    def _committed(self, entries: list[Entry]) -> None:
        self.news.set()
        if entries and self.crashes.committed(entries):
            self.spawn(self.crash())

    async def crash(self) -> None:
        """Kill the guest, once it has answered the requests that are under way."""
        guest = self.supervisor.runner.current
        if guest is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CRASH_WAIT_S):
                await guest.connection.exchanges.idle()
        with contextlib.suppress(ProcessLookupError):
            os.kill(guest.pid, signal.SIGKILL)
        await guest.ended()

    def _new_guest(self, *parts: Any) -> Guest:
        guest = MockedGuest(*parts)
        guest.world = self
        return guest

    # --- for mocks

    async def call(self, function: int, *args: Any) -> Any:
        """Call a function of the test. Raises TestFailed."""
        return await self.line.call(function, *args)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this beside everything else, for as long as the worker is there."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self.news.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self.logs.error(f"Groundfog failed: {error!r}")

    def find_step(self, call: Call, kind: StepKind) -> StepState | None:
        """Return the recorded state of a step."""
        journal = self.engine.journal
        key = journal.find(call.workflow, call.instance)
        instance = None if key is None else self.engine.roster.sound(key)
        step = instance.steps.get(step_key(kind, call.name, call.count)) if instance else None
        return None if step is None else step.state

    async def replayed(self) -> list[Seen]:
        """Replay all instances, each as it was after every step; return what differs first."""
        from emulator.shadow import Shadow, prefixes

        shadow = Shadow(self.config, self._shadow_source())
        journal, found = self.engine.journal, []
        await shadow.start()
        try:
            for row in journal.every():
                if row.workflow not in self.engine.roster.definitions:
                    continue
                whole = journal.fold(row, whole=True)
                for instance in (*prefixes(journal, whole), whole):
                    if (seen := await shadow.replay(instance, journal, whole)) is not None:
                        found.append(seen)
                        break
        finally:
            await shadow.stop()
        return found

    async def guest_turn(self) -> None:
        """Return when the guest has answered, in a later turn of its loop."""
        guest = self.supervisor.runner.current
        answered = asyncio.Event()
        if guest is not None:
            guest.when_read(answered.set)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GUEST_WAIT_S):
                await answered.wait()

    def work_of(self, run: int, call: int) -> Work | None:
        """Return what the engine calls the attempt that a call executes."""
        found = self.engine.roster.run(run)
        key = None if found is None else found.calls.key_of(call)
        return None if found is None or key is None else (run, key, found.calls[key].attempt)

    @property
    def is_busy(self) -> bool:
        """Whether requests, or functions of the test, are under way."""
        guest = self.supervisor.runner.current
        return bool(self._tasks) or (guest is not None and bool(guest.connection.exchanges))


def load_refused(error: LoadError) -> LoadRefused:
    """Return the error of code that does not load, for a test."""
    place = f"{error.file}:{error.line}: " if error.file and error.line else ""
    text = f"The worker does not load: {place}{error}"
    return LoadRefused(text, traceback=error.traceback, name=error.name)
