"""`groundfog dev` after its options are read: a session, what it prints, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from emulator.cli.banner import (
    introduce,
    tell_missing_packages,
    tell_pending_migrations,
    tell_ready,
)
from emulator.cli.dev_arguments import DevArguments, host_of_route
from emulator.cli.keyboard import Keyboard
from emulator.cli.levels import Level
from emulator.cli.members import Member, read_members
from emulator.cli.terminal import AnyTerminal, ConsoleTerminal, LogLines
from emulator.config.model import Config
from emulator.errors import EmulatorError, StateError
from emulator.kinds.d1 import Database
from emulator.kinds.transfers import transferred
from emulator.peers import Peers
from emulator.runner.guest_source import GuestSource
from emulator.runner.python.forkserver import Forkserver
from emulator.runner.python.launching import Launched, terminal_path
from emulator.server.http.loop import loop_factory
from emulator.server.request_log import OnRequest
from emulator.server.security import checked_host, is_control_path
from emulator.session import Door, Running, Seams, Session

if TYPE_CHECKING:
    from emulator.certificate import Https
    from emulator.cli.progress import ProgressLines
    from emulator.engine.engine import Engine
    from emulator.engine.journal.journal import Journal
    from emulator.engine.model.entries import Entry
    from emulator.server.dev_flags import DevFlags

# A busy engine makes many objects and few cycles: with Python's 700, looking for them is 7 % of
# what a step costs.
GARBAGE_LOOK_OBJECTS = 10_000
_CONTINUES = "; workflows in flight continue at the next start"


def run(arguments: DevArguments, launched: Launched | None) -> None:
    """Serve until the process is told to stop. Raises EmulatorError when it cannot start.

    launched: a forkserver for Python workers, if one was started already.
    """
    hosts = frozenset(map(checked_host, arguments.allowed_hosts))
    members = read_members(replace(arguments, allowed_hosts=hosts))
    sources: dict[Path, GuestSource] = {}
    for interpreter in dict.fromkeys(member.interpreter for member in members):
        fits = launched is not None and launched.interpreter == interpreter
        sources[interpreter] = Forkserver(interpreter, launched if fits else None, terminal_path())
    gc.freeze()  # imported modules stay for ever
    gc.set_threshold(GARBAGE_LOOK_OBJECTS)
    gc.enable()
    with (
        closing(_terminal(arguments)) as terminal,
        asyncio.Runner(loop_factory=loop_factory()) as runner,
    ):
        logging.getLogger().addHandler(LogLines(terminal))
        keyboard = Keyboard()
        try:
            runner.run(_serve(members, sources, terminal, keyboard))
        finally:
            keyboard.restore()


def _terminal(arguments: DevArguments) -> AnyTerminal:
    if arguments.log_format == "json":
        from emulator.cli.json_log import JsonTerminal

        return JsonTerminal(arguments.level, Path.cwd())
    return ConsoleTerminal(arguments.level, Path.cwd(), timed=arguments.log_time)


async def _serve(
    members: Sequence[Member],
    sources: Mapping[Path, GuestSource],
    terminal: AnyTerminal,
    keyboard: Keyboard,
) -> None:
    """Run the workers; the first one owns the port that the person asked for."""
    stop = _stop_signal(keyboard)
    first, *others = members
    async with contextlib.AsyncExitStack() as stack:
        for interpreter, source in sources.items():
            if interpreter != first.interpreter:
                stack.push_async_callback(source.stop)
        session = await stack.enter_async_context(Session(sources[first.interpreter]))
        peers = Peers()
        named = [terminal.of(each.name) if others else terminal for each in members]
        if others:
            for text in transferred([(m.project.config, m.project.state) for m in members]):
                terminal.notice(text)
        opened = [
            _opened(session, each, _seams(each, sources[each.interpreter], shown), peers, shown)
            for each, shown in zip(members, named, strict=True)
        ]
        for running, member, shown in zip(opened, members, named, strict=True):
            if member.project.config.settings.shadow_replay:
                _shadow_replays(running, member.interpreter, shown, stack)
        for running, member, shown in zip(opened, members, named, strict=True):
            running.debugging.keyboard = keyboard
            introduce(running, member.arguments, shown)
            if member.project.config.is_python:
                tell_missing_packages(member.project, member.interpreter, shown)
        for running, member, shown in zip(opened, members, named, strict=True):
            await running.listen()
            if member.arguments.migrate:
                from emulator.cli.pending_migrations import apply_pending

                project = member.project
                await apply_pending(project.config, project.state, shown.introduce)
        if await _started(_all_started(opened), stop):
            for running, member, shown in zip(opened, members, named, strict=True):
                tell_ready(running, member.arguments, shown)
                tell_pending_migrations(member.project, shown)
            _listen_to_keys(keyboard, opened, first.arguments, terminal, stop)
            try:
                await _until(stop, [*zip(opened, named, strict=True)])
            finally:
                keyboard.end()
        goes_on = any(_goes_on(each.worker.engine) for each in opened)
        terminal.notice(f"stopping{_CONTINUES if goes_on else ''}")


def _seams(member: Member, source: GuestSource, terminal: AnyTerminal) -> Seams:
    """Return what stands between the parts of a worker: the faults that its project declares."""
    config = member.project.config
    if not config.settings.faults:
        return Seams(source=source)
    if not config.is_python:
        terminal.warning("[[faults]] is for Python workers; it has no effect here")
        return Seams(source=source)
    from emulator.cli.declared_faults import loading_with_faults

    loading, shown = loading_with_faults(config)
    terminal.warning(f"faults of groundfog.toml are on: {shown}")
    return Seams(source=source, loading=loading)


def _opened(
    session: Session, member: Member, seams: Seams, peers: Peers, terminal: AnyTerminal
) -> Running:
    arguments = member.arguments
    door = _door(arguments, member.project.config, terminal)
    running = session.open(member.project, terminal, door, seams, peers)
    journal = running.worker.engine.journal
    if arguments.level >= Level.INFO:
        whole = arguments.level >= Level.DEBUG
        journal.on_commit = _progress_lines(journal, terminal, whole)
    return running


async def _all_started(opened: Sequence[Running]) -> None:
    await asyncio.gather(*(each.start() for each in opened))


def _shadow_replays(
    running: Running, interpreter: Path, terminal: AnyTerminal, stack: contextlib.AsyncExitStack
) -> None:
    """Begin to replay what rests; it ends with the stack."""
    if not running.project.config.is_python:
        terminal.warning("[workflows] shadow_replay is for Python workers; it has no effect here")
        return
    from emulator.shadow import source_of
    from emulator.shadow_replays import ShadowReplays

    source, runner = source_of(interpreter), running.supervisor.runner
    shadows = ShadowReplays(running.worker, runner, source, terminal.warning)
    stack.push_async_callback(shadows.stop)
    journal = running.worker.engine.journal
    before = journal.on_commit

    def committed(entries: list[Entry]) -> None:
        before(entries)
        shadows.committed(entries)

    journal.on_commit = committed


def _listen_to_keys(
    keyboard: Keyboard,
    opened: Sequence[Running],
    arguments: DevArguments,
    terminal: AnyTerminal,
    stop: asyncio.Event,
) -> None:
    """Let keys do something, on a terminal with a person before it, and tell which."""
    is_wanted = arguments.show_interactive_dev_session is not False
    if not (is_wanted and keyboard.is_there and sys.stdout.isatty()):
        return
    if not isinstance(terminal, ConsoleTerminal) or _names_debugger():
        return  # a debugger of the person's choice reads the terminal whenever it likes
    from emulator.cli.hotkeys import Hotkeys

    keys = Hotkeys(opened, arguments, terminal, stop.set)
    keyboard.begin(keys.actions)
    terminal.introduce(keys.line)


async def _until(stop: asyncio.Event, running: Sequence[tuple[Running, AnyTerminal]]) -> None:
    """Wait for the end, and tell of migrations that are added meanwhile."""
    looking = []
    for each, terminal in running:
        if each.worker.config.bound(Database):
            from emulator.cli.pending_migrations import tell_added

            config, state = partial(getattr, each.worker, "config"), each.worker.state
            looking.append(asyncio.create_task(tell_added(config, state, terminal.warning)))
    try:
        await stop.wait()
    finally:
        for task in looking:
            task.cancel()


def _door(arguments: DevArguments, config: Config, terminal: AnyTerminal) -> Door:
    return Door(
        arguments.ip or config.dev.ip,
        config.dev.port if arguments.port is None else arguments.port,
        arguments.allowed_hosts,
        _worker_error(terminal),
        _request_lines(terminal),
        arguments.debug if config.is_python else arguments.inspector_port,
        _flags(arguments, config),
        _https(arguments, config),
    )


def _https(arguments: DevArguments, config: Config) -> Https | None:
    if (arguments.local_protocol or config.dev.local_protocol) == "http":
        return None
    key, path = arguments.https_key_path, arguments.https_cert_path
    from emulator.certificate import Certificate, Https

    given = None if key is None or path is None else Certificate(path, key)
    ip = arguments.ip or config.dev.ip
    names = [*sorted(arguments.allowed_hosts), *([] if ip in ("localhost", "*") else [ip])]
    return Https(tuple(names), given)


def _flags(arguments: DevArguments, config: Config) -> DevFlags | None:
    host = arguments.host or next((host_of_route(each) for each in arguments.routes), "")
    host = host or (config.dev.host if arguments.is_first else "")
    if not (host or arguments.test_scheduled or arguments.live_reload):
        return None
    from emulator.server.dev_flags import DevFlags

    return DevFlags(host and checked_host(host), arguments.test_scheduled, arguments.live_reload)


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
        return not engine.recovery.is_lost and goes_on(engine.journal, engine.roster.definitions)
    except StateError:
        return True


def _names_debugger() -> bool:
    """Whether `breakpoint()` starts another debugger than pdb, which the guest tells us of."""
    return os.environ.get("PYTHONBREAKPOINT", "") not in ("", "0", "pdb.set_trace")


def _stop_signal(keyboard: Keyboard) -> asyncio.Event:
    """Return an event that SIGINT and SIGTERM set; a second SIGINT ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        if stop.is_set():
            keyboard.restore()
            os._exit(130)
        stop.set()

    loop.add_signal_handler(signal.SIGINT, interrupted)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    return stop
