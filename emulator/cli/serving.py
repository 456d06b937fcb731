"""`groundfog dev` after its options are read: a session, what it prints, and its end."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.cli.banner import (
    introduce,
    tell_missing_packages,
    tell_pending_migrations,
    tell_ready,
)
from emulator.cli.dev_arguments import DevArguments
from emulator.cli.levels import Level
from emulator.cli.terminal import AnyTerminal, ConsoleTerminal, LogLines
from emulator.cli.terminal_mode import kept_mode
from emulator.config.load import load_config
from emulator.config.model import Config
from emulator.config.vars_section import parse_var_flags
from emulator.errors import EmulatorError, StateError, UsageError
from emulator.kinds.registry import kind_named
from emulator.runner.guest_source import GuestSource
from emulator.runner.python.forkserver import Forkserver
from emulator.runner.python.interpreter import guest_interpreter
from emulator.runner.python.launching import Launched, terminal_path
from emulator.server.http.serve import loop_factory
from emulator.server.request_log import OnRequest
from emulator.server.security import checked_host, is_control_path
from emulator.session import Door, Project, Session
from emulator.state import State

if TYPE_CHECKING:
    from emulator.cli.progress import ProgressLines
    from emulator.engine.engine import Engine
    from emulator.engine.journal.journal import Journal
    from emulator.engine.model.entries import Entry

# A busy engine makes many objects and few cycles: with Python's 700, looking for them is 7 % of
# what a step costs.
GARBAGE_LOOK_OBJECTS = 10_000
_CONTINUES = "; workflows in flight continue at the next start"


def run(arguments: DevArguments, launched: Launched | None) -> None:
    """Serve until the process is told to stop. Raises EmulatorError when it cannot start.

    launched: a forkserver for Python workers, if one was started already.
    """
    hosts = frozenset(map(checked_host, arguments.allowed_hosts))
    arguments = replace(arguments, allowed_hosts=hosts)
    reread = partial(_read_config, arguments, parse_var_flags(arguments.cli_vars))
    config = reread()
    _refuse_what_is_not_in_workerd(config)
    if arguments.debug is not None and not config.is_python:
        raise UsageError(
            f"--debug is for Python workers, and main is {config.main.name} ({config.path.name})."
        )
    state = State.locate(config, arguments.persist_to)
    interpreter = _interpreter(config, arguments)
    fits = launched is not None and launched.interpreter == interpreter
    forkserver = Forkserver(interpreter, launched if fits else None, terminal_path())
    gc.freeze()  # imported modules stay for ever
    gc.set_threshold(GARBAGE_LOOK_OBJECTS)
    gc.enable()
    with (
        closing(_terminal(arguments)) as terminal,
        asyncio.Runner(loop_factory=loop_factory()) as runner,
    ):
        logging.getLogger().addHandler(LogLines(terminal))
        restore = kept_mode()
        try:
            runner.run(
                _serve(arguments, Project(config, reread, state), forkserver, terminal, restore)
            )
        finally:
            restore()


def _interpreter(config: Config, arguments: DevArguments) -> Path:
    return guest_interpreter(config.project_dir, arguments.python, Path(sys.executable))


def _terminal(arguments: DevArguments) -> AnyTerminal:
    if arguments.log_format == "json":
        from emulator.cli.json_log import JsonTerminal

        return JsonTerminal(arguments.level, Path.cwd())
    return ConsoleTerminal(arguments.level, Path.cwd(), timed=arguments.log_time)


def _refuse_what_is_not_in_workerd(config: Config) -> None:
    kinds = [(bound, kind_named(bound.kind)) for bound in config.bindings]
    absent = sorted(
        {
            kind.section
            for bound, kind in kinds
            if kind is not None
            and not kind.trigger
            and (not bound.name or kind.is_front)  # another one raises an error when it is used
            and kind.workerd is None
        }
    )
    if not config.is_python and absent:
        raise UsageError(
            f"{config.path.name}: main is {config.main.name}, and this version of Groundfog has"
            f" {' and '.join(absent)} for Python workers only. Remove this from the configuration."
        )


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
    arguments: DevArguments,
    project: Project,
    source: GuestSource,
    terminal: AnyTerminal,
    restore_terminal: Callable[[], None],
) -> None:
    stop = _stop_signal()
    async with Session(source) as session:
        running = session.open(project, terminal, _door(arguments, project.config, terminal))
        journal = running.worker.engine.journal
        if arguments.level >= Level.INFO:
            whole = arguments.level >= Level.DEBUG
            journal.on_commit = _progress_lines(journal, terminal, whole)
        running.debugging.restore_terminal = restore_terminal
        introduce(running, arguments, terminal)
        if project.config.is_python:
            tell_missing_packages(project, _interpreter(project.config, arguments), terminal)
        await running.listen()
        if arguments.migrate:
            from emulator.cli.pending_migrations import apply_pending

            await apply_pending(project.config, project.state, terminal.introduce)
        if await _started(running.start(), stop):
            tell_ready(running, arguments, terminal)
            tell_pending_migrations(project, terminal)
            await stop.wait()
        terminal.notice(f"stopping{_CONTINUES if _goes_on(running.worker.engine) else ''}")


def _door(arguments: DevArguments, config: Config, terminal: AnyTerminal) -> Door:
    return Door(
        arguments.ip or config.dev.ip,
        config.dev.port if arguments.port is None else arguments.port,
        arguments.allowed_hosts,
        _worker_error(terminal),
        _request_lines(terminal),
        arguments.debug,
    )


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


def _progress_lines(
    journal: Journal, terminal: AnyTerminal, whole: bool
) -> Callable[[list[Entry]], None]:
    """Return a function that shows committed entries; the first call imports what draws them."""
    lines: list[ProgressLines] = []

    def show(entries: list[Entry]) -> None:
        from emulator.cli.progress import ProgressLines

        if not lines:
            lines.append(ProgressLines(journal, terminal, whole=whole))
        lines[0].show(entries)

    return show


def _worker_error(terminal: AnyTerminal) -> Callable[[str, str, EmulatorError], None]:
    def report(method: str, target: str, error: EmulatorError) -> None:
        traceback = getattr(error, "traceback", "")
        terminal.error(f"{method} {target}: {error}" if not traceback else traceback.rstrip())

    return report


def _request_lines(terminal: AnyTerminal) -> OnRequest:
    def report(method: str, target: str, status: int, duration_ms: float) -> None:
        # Commands that watch workflows send many requests; only errors among them are shown.
        own = status < 400 and is_control_path(target)
        terminal.request(method, target, status, duration_ms, own=own)

    return report


def _goes_on(engine: Engine) -> bool:
    """Whether workflows go on at the next start, as far as the journal can be read."""
    from emulator.engine.journal.lists import goes_on

    try:
        return not engine.recovery.is_lost and goes_on(engine.journal)
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
