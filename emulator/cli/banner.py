"""What `groundfog dev` prints at its start: bindings, warnings, clock, migrations, address.

It never shows the value of a secret.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.cli.dev_arguments import DevArguments
from emulator.cli.terminal import AnyTerminal
from emulator.config.model import Config
from emulator.errors import UsageError
from emulator.kinds.d1 import Database
from emulator.kinds.durable_objects import ForeignClass
from emulator.kinds.service import ServiceRecord
from emulator.kinds.shown import shown_bindings
from emulator.kinds.workflow import ForeignWorkflow
from emulator.server.http.listen import DEFAULT_PORT
from emulator.server.security import exposure
from emulator.session import Project, Running
from emulator.user_code import PYTHON_MODULES

if TYPE_CHECKING:
    from emulator.engine.clock_control import Timekeeper


def introduce(running: Running, arguments: DevArguments, terminal: AnyTerminal) -> None:
    """Show the name of the worker, its bindings, and the warnings about its configuration."""
    config = running.worker.config
    where = os.path.relpath(config.path if config.path.exists() else config.main)
    environment = f", environment {config.environment}" if config.environment else ""
    terminal.introduce(f"Groundfog runs {config.name} ({where}{environment})")
    for line in bindings_table(config):
        terminal.introduce(f"  {line}")
    for problem in config.warnings:
        terminal.warning(str(problem))
    for name, target in _workers_bound(config):
        if running.worker.peers.find(target) is None:
            terminal.warning(
                f"env.{name} is bound to the worker {target}, which is not started here: its "
                f"calls raise an error. Start both: groundfog dev {config.name} {target}, with the "
                "directory of each."
            )
    assert running.access is not None
    if exposed := exposure(running.access, arguments.ip or config.dev.ip):
        terminal.warning(f"{exposed}." if arguments.ip else f"{exposed}, or take out [dev] ip.")


def _workers_bound(config: Config) -> list[tuple[str, str]]:
    """Return the bindings that lead to a worker: (name on `env`, worker) of each."""
    services = [(bound.name, bound.record.target.worker) for bound in config.bound(ServiceRecord)]
    workflows = [(bound.name, bound.record.worker) for bound in config.bound(ForeignWorkflow)]
    objects = [(bound.name, bound.record.worker) for bound in config.bound(ForeignClass)]
    return services + workflows + objects


def tell_ready(running: Running, arguments: DevArguments, terminal: AnyTerminal) -> None:
    """Show where the worker listens, and which clock its workflows live by."""
    if running.worker.timekeeper.is_virtual:
        _introduce_clock(running.worker.timekeeper, terminal)
    announced = running.announced
    assert announced is not None
    seconds = time.perf_counter() - arguments.began
    url = url_of(running, arguments)
    asked = running.worker.config.dev.port if arguments.port is None else arguments.port
    if asked is None and announced.port != DEFAULT_PORT:
        terminal.introduce(f"Port {DEFAULT_PORT} is in use by another program.")
    if announced.debug_port is not None and running.may_be_debugged:
        tell_debugger(running, terminal)
    if arguments.is_first:
        terminal.introduce(f"Ready on {url} ({seconds:.2f} s)")
    else:
        terminal.introduce(f"  {running.worker.config.name} on {url}")


def url_of(running: Running, arguments: DevArguments) -> str:
    """Return where the worker listens, as a person would type it."""
    announced = running.announced
    assert announced is not None
    is_local = (arguments.ip or running.worker.config.dev.ip) in ("localhost", "127.0.0.1")
    return announced.url_for("localhost") if is_local else announced.url


def tell_debugger(running: Running, terminal: AnyTerminal) -> None:
    """Show where a debugger can attach."""
    assert running.announced is not None
    address = f"127.0.0.1:{running.announced.debug_port}"
    terminal.introduce(f"Debugger on {address} (docs/debugging.md)")
    if not running.worker.config.is_python:
        from emulator.runner.workerd.inspector_door import TARGET, devtools_url

        terminal.introduce(f"  in Chrome: {devtools_url(f'{address}/{TARGET}')}")


def _introduce_clock(timekeeper: Timekeeper, terminal: AnyTerminal) -> None:
    from emulator.engine.model.plain import iso

    now = iso(timekeeper.now_ms())
    state = f"stands still at {now}" if timekeeper.is_frozen else f"runs, it is {now}"
    terminal.notice(f"The clock is virtual and {state}; move it with groundfog clock")


def tell_pending_migrations(project: Project, terminal: AnyTerminal) -> None:
    """Warn about migrations of D1 databases that are not applied."""
    databases = project.config.bound(Database)
    if any(bound.record.migrations.directory.is_dir() for bound in databases):
        from emulator.cli.pending_migrations import pending_warnings

        for warning in pending_warnings(project.config, project.state):
            terminal.warning(warning)


def tell_missing_packages(project: Project, interpreter: Path, terminal: AnyTerminal) -> None:
    """Warn about dependencies in pyproject.toml that the worker's Python lacks."""
    folder = project.config.project_dir
    if not (folder / "pyproject.toml").exists():
        return
    from emulator.packages.declared import find, read
    from emulator.packages.installed import missing

    path = find(folder)
    assert path is not None
    try:
        names = missing(read(path), interpreter, folder / PYTHON_MODULES)
    except UsageError as error:
        terminal.warning(str(error))
        return
    if names:
        terminal.warning(
            f"pyproject.toml names {', '.join(names)}, which {interpreter} lacks. "
            "Run groundfog sync."
        )


def bindings_table(config: Config) -> list[str]:
    """Return one aligned line per binding or trigger: `env.DB   D1 Database   brief-db`."""
    rows = shown_bindings(config)
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    return [f"{name:<{widths[0]}}   {kind:<{widths[1]}}   {detail}" for name, kind, detail in rows]
