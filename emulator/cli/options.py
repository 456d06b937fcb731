"""The options of every command about a project, with wrangler's names."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from emulator.config.load import load_config
from emulator.config.model import Config


class ProjectOptions(Struct, frozen=True):
    """Which project a command is about; with `environment` None, CLOUDFLARE_ENV decides.

    env_files: as in `load_config`.
    """

    directory: Path
    config_path: Path | None
    environment: str | None
    persist_to: Path | None
    env_files: tuple[Path, ...] = ()


def project_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` --cwd, --config, --env, --env-file, --persist-to as `options`.

    Scripts for wrangler may pass --profile, which selects an account. It has no effect here.
    """

    @click.option("--config", "-c", "config_path", type=_PATH, help="Configuration file.")
    @click.option("--env", "-e", "environment", help="Environment of the configuration to use.")
    @click.option("--env-file", "env_files", multiple=True, type=_PATH, help="A .env file.")
    @click.option("--profile", expose_value=False, hidden=True)
    @click.option("--persist-to", type=_PATH, help="Folder of the state instead of .groundfog.")
    @click.option("--cwd", type=_DIRECTORY, default=".", help="Run as if started in this folder.")
    @functools.wraps(command)
    def with_options(
        *args: Any,
        config_path: Path | None,
        environment: str | None,
        persist_to: Path | None,
        cwd: Path,
        env_files: tuple[Path, ...],
        **rest: Any,
    ) -> Any:
        options = ProjectOptions(cwd, config_path, environment, persist_to, env_files)
        return command(*args, options=options, **rest)

    return with_options


_PATH = click.Path(path_type=Path)
_DIRECTORY = click.Path(path_type=Path, exists=True, file_okay=False)


def load_project(options: ProjectOptions, *, runs_code: bool = False) -> Config:
    """Return the project's configuration. Raises ConfigError listing every problem.

    A command that does not run the worker's code also works when the code does not exist yet.
    """
    return load_config(
        options.directory,
        config_path=options.config_path,
        environment=options.environment,
        env_files=options.env_files,
        process_env=os.environ,
        runs_code=runs_code,
    )
