"""A running server: puts the parts together in order, says where it listens, waits for the end."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.cli.banner import bindings_table
from emulator.cli.dev import DevArguments
from emulator.cli.levels import Level
from emulator.cli.progress import ProgressLines
from emulator.cli.terminal import ConsoleTerminal, LogLines
from emulator.clock import SystemClock
from emulator.config.load import load_config
from emulator.config.model import Config
from emulator.config.vars_section import parse_var_flags
from emulator.custody import Custody
from emulator.engine.journal.lists import goes_on
from emulator.engine.model.plain import iso
from emulator.errors import EmulatorError, StateError, UsageError
from emulator.lock import Lock
from emulator.runner.python.forkserver import Forkserver
from emulator.runner.python.interpreter import guest_interpreter
from emulator.runner.python.launching import Launched
from emulator.server.app import create_app
from emulator.server.http.listen import DEFAULT_PORT, bind
from emulator.server.http.serve import Server, loop_factory
from emulator.server.request_log import OnRequest
from emulator.server.security import Policy, checked_host, exposure, is_control_path
from emulator.state import State
from emulator.supervisor import Project, Supervisor

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from emulator.engine.clock_control import Timekeeper
    from emulator.engine.engine import Engine

# A busy engine makes many objects and few cycles: with Python's 700, looking for them is 7 % of
# what a step costs.
GARBAGE_LOOK_OBJECTS = 10_000
_CONTINUES = "; workflows in flight continue at the next start"


def run(arguments: DevArguments, launched: Launched) -> None:
    """Serve until the process is told to stop. Raises EmulatorError when it cannot start."""
    hosts = frozenset(map(checked_host, arguments.allowed_hosts))
    arguments = replace(arguments, allowed_hosts=hosts)
    reread = partial(_read_config, arguments, parse_var_flags(arguments.cli_vars))
    config = reread()
    if not config.is_python:
        raise UsageError(
            f"{config.path.name}: main is {config.main.name}, and this version of Groundfog runs"
            ' Python workers only (main = "src/entry.py").'
        )
    state = State.locate(config, arguments.persist_to)
    interpreter = guest_interpreter(config.project_dir, arguments.python, Path(sys.executable))
    forkserver = Forkserver(interpreter, launched if launched.interpreter == interpreter else None)
    gc.set_threshold(GARBAGE_LOOK_OBJECTS)
    with (
        state.locked() as lock,
        closing(ConsoleTerminal(arguments.level, Path.cwd())) as terminal,
        asyncio.Runner(loop_factory=loop_factory()) as runner,
    ):
        logging.getLogger().addHandler(LogLines(terminal))
        runner.run(_serve(arguments, Project(config, reread, state, forkserver), lock, terminal))


def _read_config(arguments: DevArguments, cli_vars: dict[str, str]) -> Config:
    config = load_config(
        arguments.directory,
        config_path=arguments.config_path,
        environment=arguments.environment,
        cli_vars=cli_vars,
        env_files=arguments.env_files,
        process_env=os.environ,
    )
    settings = config.settings
    if arguments.clock is not None:
        settings = replace(settings, clock=replace(settings.clock, mode=arguments.clock))
    if arguments.on_divergence is not None:
        settings = replace(settings, on_divergence=arguments.on_divergence)
    return replace(config, settings=settings)


async def _serve(
    arguments: DevArguments, project: Project, lock: Lock, terminal: ConsoleTerminal
) -> None:
    config, state = project.config, project.state
    ip = arguments.ip or config.dev.ip
    port = config.dev.port if arguments.port is None else arguments.port
    sockets = bind(ip, DEFAULT_PORT if port is None else port, port is not None)
    stop = _stop_signal()
    try:
        supervisor = Supervisor(project, SystemClock(), terminal)
        listening = sockets[0].getsockname()
        announced = state.announce(str(listening[0]), int(listening[1]))
    except BaseException:
        for listener in sockets:
            listener.close()
        raise
    if arguments.level >= Level.INFO:
        lines = ProgressLines(supervisor.engine.journal, terminal.progress)
        supervisor.engine.journal.on_commit = lines.show
    _introduce(config, terminal)
    policy = Policy.for_bind(ip, announced.token, arguments.allowed_hosts)
    if exposed := exposure(policy, ip):
        terminal.warning(f"{exposed}." if arguments.ip else f"{exposed}, or take out [dev] ip.")
    server = Server(
        create_app(
            supervisor,
            policy=policy,
            routes=partial(_routes, supervisor, supervisor.engine.clock.now_ms()),
            on_error=_worker_error(terminal),
            on_request=_request_lines(terminal),
        ),
        sockets,
    )
    custody = Custody(state, lock, announced, supervisor.look_at_state, terminal.error)
    keeping = asyncio.create_task(custody.keep(), name="custody of the state")
    try:
        await server.start()
        if arguments.migrate:
            from emulator.cli.pending import apply_pending

            await apply_pending(config, state, terminal.notice)
        if await _started(supervisor.start(), stop):
            seconds = time.perf_counter() - arguments.began
            local = ip in ("localhost", "127.0.0.1")
            url = f"http://localhost:{announced.port}" if local else announced.url
            if supervisor.timekeeper.is_virtual:
                _introduce_clock(supervisor.timekeeper, terminal)
            terminal.notice(f"Ready on {url} ({seconds:.2f} s)")
            _tell_pending_migrations(config, state, terminal)
            await stop.wait()
        terminal.notice(f"stopping{_CONTINUES if _goes_on(supervisor.engine) else ''}")
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        state.retract()
        supervisor.engine.journal.stop_watching()  # streams that wait for news would hold it up
        await server.stop()
        await supervisor.stop()


async def _started(starting: Coroutine[None, None, None], stop: asyncio.Event) -> bool:
    """Wait until `starting` is done; return False, and cancel it, when `stop` comes first.

    User code may hang while it is imported, and Ctrl-C must end the server then too.
    """
    start = asyncio.ensure_future(starting)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([start, stopping], return_when=asyncio.FIRST_COMPLETED)
        if start.done():
            start.result()
            return True
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)
        return False
    finally:
        stopping.cancel()


def _routes(supervisor: Supervisor, started_ms: int) -> Sequence[BaseRoute]:
    from emulator.server.api.ai import ai_routes
    from emulator.server.api.clock import clock_routes
    from emulator.server.api.workflows.resource import Host
    from emulator.server.api.workflows.routes import workflow_routes

    host = Host(supervisor.engine, supervisor.control, lambda: supervisor.config, started_ms)
    return [
        *workflow_routes(host),
        *clock_routes(supervisor.timekeeper),
        *ai_routes(lambda: supervisor.ai),
    ]


def _introduce(config: Config, terminal: ConsoleTerminal) -> None:
    where = os.path.relpath(config.path)
    environment = f", environment {config.environment}" if config.environment else ""
    terminal.notice(f"Groundfog runs {config.name} ({where}{environment})")
    for line in bindings_table(config):
        terminal.notice(f"  {line}")
    for problem in config.warnings:
        terminal.warning(str(problem))


def _introduce_clock(timekeeper: Timekeeper, terminal: ConsoleTerminal) -> None:
    now = iso(timekeeper.now_ms())
    state = f"stands still at {now}" if timekeeper.is_frozen else f"runs, it is {now}"
    terminal.notice(f"The clock is virtual and {state}; move it with groundfog clock")


def _tell_pending_migrations(config: Config, state: State, terminal: ConsoleTerminal) -> None:
    if any(database.migrations_dir.is_dir() for database in config.d1_databases):
        from emulator.cli.pending import pending_warnings

        for warning in pending_warnings(config, state):
            terminal.warning(warning)


def _worker_error(terminal: ConsoleTerminal) -> Callable[[str, str, EmulatorError], None]:
    def report(method: str, target: str, error: EmulatorError) -> None:
        traceback = getattr(error, "traceback", "")
        terminal.error(f"{method} {target}: {error}" if not traceback else traceback.rstrip())

    return report


def _request_lines(terminal: ConsoleTerminal) -> OnRequest:
    def report(method: str, target: str, status: int, duration_ms: float) -> None:
        # The commands that watch workflows ask again and again; only what goes wrong is news.
        if method == "GET" and status < 400 and is_control_path(target):
            return
        terminal.request(method, target, status, duration_ms)

    return report


def _goes_on(engine: Engine) -> bool:
    """Whether workflows go on at the next start, as far as the journal can be read."""
    try:
        return not engine.is_lost and goes_on(engine.journal)
    except StateError:
        return True


def _stop_signal() -> asyncio.Event:
    """Return an event that SIGINT and SIGTERM set; a second SIGINT ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    loop.add_signal_handler(signal.SIGINT, interrupted)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    return stop
