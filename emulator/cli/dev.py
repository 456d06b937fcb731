"""`groundfog dev`: its options, and the order of the start.

The forkserver is launched before the rest of the host is imported, so that both start together;
`serving.py` is what is imported meanwhile.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click

from emulator.cli.levels import Level
from emulator.config.load import load_config
from emulator.config.model import Config
from emulator.config.vars_section import parse_var_flags
from emulator.errors import UsageError
from emulator.runner.forkserver import Forkserver
from emulator.runner.interpreter import guest_interpreter
from emulator.state import State

_LEVELS = [level.name.lower() for level in Level]


@dataclass(frozen=True, slots=True)
class DevArguments:
    """The options of `groundfog dev`, checked."""

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
        """Read the configuration as it is now. Raises ConfigError."""
        return load_config(
            self.directory,
            config_path=self.config_path,
            environment=self.environment,
            cli_vars=self.cli_vars,
            env_files=self.env_files,
            process_env=os.environ,
        )


@dataclass(frozen=True, slots=True)
class Start:
    """What a server is started from. `began`: when, on the performance counter, in seconds."""

    arguments: DevArguments
    config: Config
    state: State
    forkserver: Forkserver
    began: float


@click.command()
@click.argument(
    "directory", default=".", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option("--config", "-c", "config_path", type=click.Path(path_type=Path), help="Config file.")
@click.option("--env", "-e", "environment", help="Environment of the configuration to use.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes any free one.")
@click.option("--ip", help="Address to listen on; loopback only unless you say otherwise.")
@click.option("--var", "cli_vars", multiple=True, help="KEY:VALUE for env.")
@click.option(
    "--env-file", "env_files", multiple=True, type=click.Path(path_type=Path), help="A .env file."
)
@click.option("--persist-to", type=click.Path(path_type=Path), help="State directory [.groundfog].")
@click.option("--python", type=click.Path(path_type=Path), help="Python that runs the worker.")
@click.option("--allowed-host", "allowed_hosts", multiple=True, help="Another Host to accept.")
@click.option("--log-level", type=click.Choice(_LEVELS), default="info", show_default=True)
def dev(
    log_level: str,
    allowed_hosts: tuple[str, ...],
    cli_vars: tuple[str, ...],
    **options: object,
) -> None:
    """Run the worker in DIRECTORY and reload it whenever a file is saved."""
    arguments = DevArguments(
        level=Level[log_level.upper()],
        cli_vars=parse_var_flags(cli_vars),
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
    with state.locked():
        interpreter = guest_interpreter(config.project_dir, arguments.python, Path(sys.executable))
        forkserver = Forkserver(interpreter)
        forkserver.launch()
        from emulator.cli.serving import run

        run(Start(arguments, config, state, forkserver, began))
