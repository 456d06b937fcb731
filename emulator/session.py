"""A running server: its workers, the source of their guests, and the order of start and stop.

Every worker runs in a session: for `groundfog dev` with a terminal, for tests without one.

    async with Session(source) as session:               owns the source of guests
        running = session.open(project, terminal, door)  lock, address, engine; runs nothing yet
        await running.listen()                           HTTP, where there is a door
        await running.start()                            loads the code, takes up instances
                                                         the end: the other way round
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING

from msgspec import Struct
from starlette.types import ASGIApp

from emulator.clock import SystemClock
from emulator.config.model import Config
from emulator.custody import Custody
from emulator.generations import Loading, ToLoad
from emulator.kinds.registry import KINDS, attribute
from emulator.peers import Peers
from emulator.runner.debugging import Debugging
from emulator.runner.guest import Guest, MakeGuest
from emulator.runner.guest_source import GuestSource, WorkerSpec
from emulator.runner.loads import Loads
from emulator.runner.runner import Runner
from emulator.server.http.listen import DEFAULT_PORT, bind
from emulator.server.ingress import OnError
from emulator.server.request_log import OnRequest
from emulator.server.security import Access, front_rules
from emulator.state import RunningServer, State, private_files
from emulator.supervisor import Supervisor
from emulator.terminal import Terminal
from emulator.user_code import PythonCode, UserCode
from emulator.worker import Worker, open_clock

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from bindings.binding import Binding
    from emulator.certificate import Https
    from emulator.runner.debug_door import DebugDoor
    from emulator.runner.workerd.inspector_door import InspectorDoor
    from emulator.server.dev_flags import DevFlags
    from emulator.server.http.serve import Server
    from emulator.workerd_parts import WorkerdParts


def _ignore(method: str, target: str, error: Exception) -> None:
    return None


class Project(Struct, frozen=True):
    """A project to run: its configuration, how to read it again after a save, its state."""

    config: Config
    reread: Callable[[], Config]
    state: State


class Door(Struct, frozen=True):
    """Where a worker listens for HTTP.

    port: None takes the usual one, or the next free one. debug_port: where editors' debuggers
    attach, on loopback; 0 takes any free one, None is for none. on_error, on_request, flags: see
    `create_app`. https: None for HTTP.
    """

    ip: str = "localhost"
    port: int | None = None
    allowed_hosts: frozenset[str] = frozenset()
    on_error: OnError = _ignore
    on_request: OnRequest | None = None
    debug_port: int | None = None
    flags: DevFlags | None = None
    https: Https | None = None


@dataclass(frozen=True, slots=True)
class Seams:
    """What may stand between the parts of a worker, for tests. By default nothing does.

    source: starts its guests in place of the session's. make_guest: makes what stands for a guest
    process. loading: returns what a guest is told to load, and what it calls by the names of
    bindings, in place of these. follows_saves: changed files are loaded. follows_crons: cron
    triggers and schedules of workflows fire when their time comes.
    """

    source: GuestSource | None = None
    make_guest: MakeGuest = Guest
    loading: Loading | None = None
    follows_saves: bool = True
    follows_crons: bool = True


class Session:
    """The workers of one process. `source` starts their guests; it is stopped with the session."""

    def __init__(self, source: GuestSource) -> None:
        self._source = source
        self._running: list[Running] = []
        self._private = contextlib.ExitStack()

    async def __aenter__(self) -> Session:
        self._private.enter_context(private_files())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def open(
        self,
        project: Project,
        terminal: Terminal,
        door: Door | None = None,
        seams: Seams = Seams(),
        peers: Peers | None = None,
    ) -> Running:
        """Take a project's state and address, and put its parts together. Executes nothing.

        terminal: gets what a person is told about this worker. door: None for a worker that only
        code in this process can call. peers: the workers that it calls and is called by; None for
        itself alone. Raises EmulatorError; then nothing is taken.
        """
        source = seams.source or self._source
        running = Running(project, source, terminal, door, seams, peers or Peers())
        self._running.append(running)
        return running

    async def close(self, running: Running) -> None:
        """Stop one worker; the others and the source of guests go on."""
        self._running.remove(running)
        await running.stop()

    async def stop(self) -> None:
        """Stop every worker, the last one first, and then the source of guests."""
        async with contextlib.AsyncExitStack() as stopping:
            stopping.push(self._private)
            stopping.push_async_callback(self._source.stop)
            for running in self._running:
                stopping.push_async_callback(running.stop)
            self._running = []


class Running:
    """One worker of a session. `announced` is its address and token, where it has a door."""

    def __init__(
        self,
        project: Project,
        source: GuestSource,
        terminal: Terminal,
        door: Door | None,
        seams: Seams,
        peers: Peers,
    ) -> None:
        self.project = project
        self._debug: DebugDoor | InspectorDoor | None = None
        if door is not None and door.debug_port is not None:
            seams = replace(seams, loading=partial(_with_debugger, seams.loading))
        self._terminal = terminal
        self._workerd: WorkerdParts | None = None
        self.announced: RunningServer | None = None
        self.access: Access | None = None
        self._server: Server | None = None
        self._app: ASGIApp | None = None
        self._custody: asyncio.Task[None] | None = None
        with contextlib.ExitStack() as taken:
            self._lock = project.state.lock()
            taken.callback(self._lock.release)
            if not project.config.is_python:
                self._workerd = self._workerd_parts(door)
                taken.callback(self._workerd.discard)
            sockets = _bound(door, shared=self._workerd is not None)
            for listener in sockets:
                taken.callback(listener.close)
            self.worker = _put_together(project, terminal, seams, peers)
            taken.callback(self.worker.engine.journal.close)
            code: UserCode = PythonCode(self._config)
            if self._workerd is not None:
                code, source = self._workerd.code, self._workerd.source
            halted = self.worker.engine.halted
            self.debugging = Debugging(terminal.notice, halted.halt, halted.go_on)
            if door is not None and door.debug_port is not None:
                self._debug = self._debug_door(door.debug_port)
                taken.callback(self._debug.discard)
            self.supervisor = _supervised(
                self.worker, project, source, code, terminal, seams, self.debugging
            )
            if self._workerd is not None:
                self._workerd.connect(self.supervisor)
            peers.add(project.config.name, self.supervisor)
            taken.callback(peers.remove, project.config.name, self.supervisor)
            if door is not None:
                self._open_door(door, sockets)
            taken.pop_all()

    @property
    def may_be_debugged(self) -> bool:
        """Whether an editor's debugger can attach to the code that serves."""
        guest = self.supervisor.runner.current
        return guest is not None and (guest.halts.port > 0 or guest.inspected is not None)

    async def listen(self) -> None:
        """Begin to answer HTTP, where there is a door, and to watch over the state directory."""
        look = self.supervisor.look_at_state
        state, told = self.project.state, self._terminal.error
        custody = Custody(state, self._lock, self.announced, look, told)
        self._custody = asyncio.create_task(custody.keep(), name="custody of the state")
        if self._debug is not None:
            await self._debug.start()
        if self._workerd is not None and self._app is not None:
            await self._workerd.listen(self._app)
        elif self._server is not None:
            await self._server.start()

    async def start(self) -> None:
        """Load the code and go on with instances; return when the first load was tried."""
        await self.supervisor.start()

    async def open_door(self, door: Door) -> RunningServer:
        """Let a Python worker without a door listen for HTTP from now on; return its address."""
        assert self._workerd is None and self.announced is None
        self._open_door(door, _bound(door, shared=False))
        assert self._server is not None and self.announced is not None
        await self._server.start()
        return self.announced

    async def stop(self) -> None:
        """Stop everything of this worker; what is in flight continues at the next start."""
        if self._custody is not None:
            self._custody.cancel()
            await asyncio.gather(self._custody, return_exceptions=True)
        if self.announced is not None:
            self.project.state.retract()
        self.worker.peers.remove(self.project.config.name, self.supervisor)
        self.worker.engine.journal.watchers.close()  # open streams of events would delay the stop
        try:
            if self._debug is not None:
                await self._debug.stop()
            if self._server is not None:
                await self._server.stop()
            if self._workerd is not None:
                await self._workerd.close_door()
            await self.supervisor.stop()
            if self._workerd is not None:
                await self._workerd.stop()
        finally:
            self._lock.release()

    def _open_door(self, door: Door, sockets: list[socket.socket]) -> None:
        ip, port = sockets[0].getsockname()[:2]
        debug_port = None if self._debug is None else self._debug.port
        state, certificate, named = self.project.state, None, ""
        if door.https is not None:
            certificate = door.https.certificate(state.directory)
            named = str(certificate.path.absolute())
        self.announced = state.announce(str(ip), int(port), debug_port, named)
        self.access = Access.for_bind(door.ip, self.announced.token, door.allowed_hosts)
        # A worker in a test has no door, so these are not imported for it.
        from emulator.server.app import create_app
        from emulator.server.http.serve import Server

        app = create_app(
            self.supervisor,
            access=self.access,
            routes=partial(_routes, self.worker, self.supervisor.loads),
            on_error=door.on_error,
            on_request=door.on_request,
            flags=door.flags,
        )
        if self._workerd is None:
            tls = None if certificate is None else certificate.context()
            self._server = Server(app, sockets, tls=tls)
        else:
            self._app = app
            rules = front_rules(self.access)
            if door.flags is not None:
                rules = door.flags.front_rules(rules)
            self._workerd.open_door(sockets, rules, certificate)

    def _debug_door(self, port: int) -> DebugDoor | InspectorDoor:
        serving = lambda: self.supervisor.runner.current  # noqa: E731
        if self._workerd is not None:
            from emulator.runner.workerd.inspector_door import InspectorDoor

            return InspectorDoor(port, self.debugging, serving, self.project.config.name)
        from emulator.runner.debug_door import DebugDoor

        return DebugDoor(port, self.debugging, serving)

    def _config(self) -> Config:
        """The configuration in use, which a save may have changed since the start."""
        return self.worker.config if hasattr(self, "worker") else self.project.config

    def _workerd_parts(self, door: Door | None) -> WorkerdParts:
        from emulator.workerd_parts import WorkerdParts

        told = (_ignore, None) if door is None else (door.on_error, door.on_request)
        return WorkerdParts(self._config, self.project.state, self._terminal, *told)


def _bound(door: Door | None, *, shared: bool) -> list[socket.socket]:
    if door is None:
        return []
    port = DEFAULT_PORT if door.port is None else door.port
    return bind(door.ip, port, door.port is not None, shared=shared)


def _put_together(project: Project, terminal: Terminal, seams: Seams, peers: Peers) -> Worker:
    return Worker(
        project.config,
        project.state,
        open_clock(project.config, project.state, SystemClock()),
        warn=terminal.warning,
        announce=terminal.notice,
        error=terminal.error,
        follows_crons=seams.follows_crons,
        peers=peers,
    )


def _supervised(
    worker: Worker,
    project: Project,
    source: GuestSource,
    code: UserCode,
    terminal: Terminal,
    seams: Seams,
    debugging: Debugging,
) -> Supervisor:
    runner = Runner(
        source,
        worker.engine,
        terminal.output,
        terminal.error,
        worker.config.settings.hang_timeout_ms,
        make_guest=seams.make_guest,
        debugging=debugging,
        address=worker.peers.address,
    )
    return Supervisor(
        worker,
        runner,
        code,
        project.reread,
        SystemClock(),
        terminal,
        loading=seams.loading,
        follows_saves=seams.follows_saves,
    )


def _routes(worker: Worker, loads: Loads) -> Sequence[BaseRoute]:
    from emulator.server.api.clock import clock_routes
    from emulator.server.api.loads import loads_routes
    from emulator.server.api.page import page_routes

    of_kinds = [attribute(kind.routes)(worker) for kind in KINDS if kind.routes]
    return [
        *chain.from_iterable(of_kinds),
        *clock_routes(worker.timekeeper),
        *loads_routes(loads),
        *page_routes(worker),
    ]


def _with_debugger(
    loading: Loading | None, spec: WorkerSpec, bindings: Mapping[str, Binding]
) -> ToLoad:
    if loading is not None:
        spec, bindings = loading(spec, bindings)
    return replace(spec, debug=True), bindings
