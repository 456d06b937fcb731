"""`groundfog exec`: runs a command beside a worker of its own, for tests in any language."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Literal

import click
from msgspec.structs import replace

from emulator.cli.levels import Level
from emulator.cli.options import ProjectOptions, load_project, project_options
from emulator.cli.pending_migrations import apply_pending
from emulator.cli.saved_states import SavedStates
from emulator.cli.terminal import ConsoleTerminal
from emulator.config.model import Config
from emulator.errors import EmulatorError, UsageError
from emulator.runner.python.forkserver import Forkserver
from emulator.runner.python.interpreter import guest_interpreter
from emulator.server.http.loop import loop_factory
from emulator.session import Door, Project, Running, Session
from emulator.state import State

_STOP = (signal.SIGINT, signal.SIGTERM)


@click.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port [any free one].")
@click.option("--state", "name", help="Begin with the state that `groundfog state save` has saved.")
@click.option("--migrate/--no-migrate", default=True, help="Apply D1 migrations first [yes].")
@click.option("--clock", type=click.Choice(["real", "virtual"]), help="Time for workflows [real].")
@click.option("--quiet", "-q", is_flag=True, help="Do not show what the worker prints.")
@project_options
def exec_(
    command: tuple[str, ...],
    options: ProjectOptions,
    port: int,
    name: str | None,
    migrate: bool,
    clock: Literal["real", "virtual"] | None,
    quiet: bool,
) -> None:
    """Start the worker with fresh state, run COMMAND, and stop: `groundfog exec -- npm test`.

    COMMAND finds the worker's address in GROUNDFOG_URL, and in GROUNDFOG_TOKEN the token for
    control routes. The exit code is COMMAND's. The state is deleted at the end, unless --persist-to
    names a place for it.
    """
    config = load_project(options, runs_code=True)
    if clock is not None:
        settings = config.settings
        config = replace(
            config, settings=replace(settings, clock=replace(settings.clock, mode=clock))
        )
    with contextlib.ExitStack() as stack:
        if options.persist_to is not None:
            state = State.locate(config, options.persist_to)
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="groundfog-"))
            state = State(Path(folder) / "state")
        if name is not None:
            SavedStates.of(config).load(name, state)
        level = Level.ERROR if quiet else Level.LOG
        terminal = stack.enter_context(closing(ConsoleTerminal(level, Path.cwd())))
        runner = stack.enter_context(asyncio.Runner(loop_factory=loop_factory()))
        code = runner.run(
            _run(command, Project(config, lambda: config, state), terminal, port, migrate)
        )
    sys.exit(code)


async def _run(
    command: tuple[str, ...], project: Project, terminal: ConsoleTerminal, port: int, migrate: bool
) -> int:
    """Return the exit code of the command. Raises EmulatorError when the worker does not start."""
    interpreter = guest_interpreter(project.config.project_dir, None, Path(sys.executable))
    async with Session(Forkserver(interpreter)) as session:
        running = session.open(project, terminal, Door("127.0.0.1", port))
        await running.listen()
        if migrate:
            await apply_pending(project.config, project.state, terminal.notice)
        await running.start()
        failed = running.supervisor.failed_load()
        if failed is not None:
            raise UsageError("The worker does not load, so the command was not run.")
        return await _execute(command, running, project.config)


async def _execute(command: tuple[str, ...], running: Running, config: Config) -> int:
    assert running.announced is not None
    told = {
        "GROUNDFOG_URL": running.announced.url,
        "GROUNDFOG_TOKEN": running.announced.token,
        "GROUNDFOG_WORKER": config.name,
    }
    try:
        process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **told})
    except FileNotFoundError:
        raise CommandNotFound(command[0]) from None
    except OSError as error:
        raise UsageError(f"{command[0]} cannot be run: {error.strerror or error}") from None
    loop = asyncio.get_running_loop()
    for number in _STOP:
        loop.add_signal_handler(number, _pass_on, process, number)
    status = await process.wait()
    return status if status >= 0 else 128 - status


def _pass_on(process: asyncio.subprocess.Process, number: int) -> None:
    """Ctrl-C is for the command; it ends, and the worker after it."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)


class CommandNotFound(EmulatorError):
    """There is no such command."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no command {name}. Write it after `--`: groundfog exec -- {name}"
        )
