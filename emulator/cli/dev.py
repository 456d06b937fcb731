"""`groundfog dev`: puts the parts together in order, says where it listens, waits to be stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from emulator import wiring
from emulator.cli.banner import bindings_table
from emulator.cli.progress import ProgressLines
from emulator.cli.terminal import ConsoleTerminal, Level
from emulator.clock import SystemClock
from emulator.config.load import load_config
from emulator.config.model import Config
from emulator.errors import EmulatorError, UsageError
from emulator.server.app import create_app
from emulator.server.listen import DEFAULT_PORT, bind
from emulator.server.security import Policy
from emulator.server.serve import Server, loop_factory
from emulator.state import State
from emulator.supervisor import Project, Supervisor

_LEVELS = [level.name.lower() for level in Level]


@dataclass(frozen=True, slots=True)
class _Arguments:
    directory: Path
    config_path: Path | None
    environment: str | None
    cli_vars: dict[str, str]
    env_files: tuple[Path, ...]
    ip: str | None
    port: int | None
    persist_to: Path | None
    python: Path | None
    level: Level
    allowed_hosts: frozenset[str]

    def read_config(self) -> Config:
        return load_config(
            self.directory,
            config_path=self.config_path,
            environment=self.environment,
            cli_vars=self.cli_vars,
            env_files=self.env_files,
            process_env=os.environ,
        )


def _vars(ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for item in given:
        name, colon, value = item.partition(":")
        if not colon or not name:
            raise click.BadParameter(f'"{item}" is not KEY:VALUE, as in --var GREETING:hello')
        pairs[name] = value
    return pairs


@click.command()
@click.argument(
    "directory", default=".", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option("--config", "-c", "config_path", type=click.Path(path_type=Path), help="Config file.")
@click.option("--env", "-e", "environment", help="Environment of the configuration to use.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes any free one.")
@click.option("--ip", help="Address to listen on; loopback only unless you say otherwise.")
@click.option("--var", "cli_vars", multiple=True, callback=_vars, help="KEY:VALUE for env.")
@click.option(
    "--env-file", "env_files", multiple=True, type=click.Path(path_type=Path), help="A .env file."
)
@click.option("--persist-to", type=click.Path(path_type=Path), help="State directory [.groundfog].")
@click.option("--python", type=click.Path(path_type=Path), help="Python that runs the worker.")
@click.option("--host", "allowed_hosts", multiple=True, help="Another name clients may use.")
@click.option("--log-level", type=click.Choice(_LEVELS), default="info", show_default=True)
def dev(log_level: str, allowed_hosts: tuple[str, ...], **options: object) -> None:
    """Run the worker in DIRECTORY and reload it whenever a file is saved."""
    arguments = _Arguments(
        level=Level[log_level.upper()],
        allowed_hosts=frozenset(allowed_hosts),
        **options,  # type: ignore[arg-type]
    )
    began = time.perf_counter()
    config = arguments.read_config()
    if not config.is_python:
        raise UsageError(
            f"{config.path.name}: main is {config.main.name}, and this version of Groundfog runs"
            ' Python workers only (main = "src/entry.py").'
        )
    state = State.locate(config, arguments.persist_to)
    with state.locked(), asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(arguments, config, state, began))


async def _serve(arguments: _Arguments, config: Config, state: State, began: float) -> None:
    ip = arguments.ip or config.dev.ip
    port = config.dev.port if arguments.port is None else arguments.port
    sockets = bind(ip, DEFAULT_PORT if port is None else port, port is not None)
    terminal = ConsoleTerminal(arguments.level, Path.cwd())
    stop = _stop_signal()
    try:
        interpreter = wiring.guest_interpreter(config, arguments.python, Path(sys.executable))
        project = Project(config, arguments.read_config, state, interpreter)
        supervisor = Supervisor(project, SystemClock(), terminal)
    except BaseException:
        for listener in sockets:
            listener.close()
        raise
    supervisor.engine.journal.on_commit = ProgressLines(
        supervisor.engine.journal, terminal.progress
    ).show
    _introduce(config, terminal)
    listening = sockets[0].getsockname()
    announced = state.announce(str(listening[0]), int(listening[1]))
    policy = Policy.for_bind(ip, announced.token, arguments.allowed_hosts)
    server = Server(
        create_app(
            supervisor, policy=policy, on_error=_worker_error(terminal), on_request=terminal.request
        ),
        sockets,
    )
    try:
        await server.start()
        await supervisor.start()
        seconds = time.perf_counter() - began
        shown = "localhost" if ip in ("localhost", "127.0.0.1") else announced.ip
        terminal.notice(f"Ready on http://{shown}:{announced.port} ({seconds:.2f} s)")
        await stop.wait()
        terminal.notice("stopping; workflows in flight continue at the next start")
    finally:
        state.retract()
        await server.stop()
        await supervisor.stop()
        terminal.flush()


def _introduce(config: Config, terminal: ConsoleTerminal) -> None:
    where = os.path.relpath(config.path)
    environment = f", environment {config.environment}" if config.environment else ""
    terminal.notice(f"Groundfog runs {config.name} ({where}{environment})")
    for line in bindings_table(config):
        terminal.notice(f"  {line}")
    for problem in config.warnings:
        terminal.warning(str(problem))


def _worker_error(terminal: ConsoleTerminal) -> Callable[[str, str, EmulatorError], None]:
    def report(method: str, target: str, error: EmulatorError) -> None:
        traceback = getattr(error, "traceback", "")
        terminal.error(f"{method} {target}: {error}" if not traceback else traceback.rstrip())

    return report


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
