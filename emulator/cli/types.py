"""`groundfog types`: writes the types of what a Python worker has on `env`."""

from __future__ import annotations

import os
from pathlib import Path

import click
from msgspec.structs import replace

from emulator.cli.options import ProjectOptions, load_project, project_options
from emulator.cli.output import say
from emulator.config.model import Config
from emulator.errors import UsageError
from emulator.typings.env import EnvText
from emulator.typings.files import DEFAULT, outdated, stubs, write


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if something differs.")
@click.option("--env-interface", "interface", default="Env", help="Name of the class [Env].")
@click.option("--include-env", type=bool, default=True, help="Write the class [true].")
@click.option("--include-runtime", type=bool, default=True, help="Write the stubs [true].")
@click.option("--strict-vars", type=bool, default=True, help="Variables as literals [true].")
@project_options
def types(
    options: ProjectOptions,
    path: Path | None,
    check: bool,
    interface: str,
    include_env: bool,
    include_runtime: bool,
    strict_vars: bool,
) -> None:
    """Write the types of env, and stubs of workers, js and pyodide, for type checkers.

    PATH is the file of the class; the stubs go beside it [typings/worker_env.pyi].
    """
    config = load_project(options, runs_code=True)
    _refuse(config, path, interface)
    env = (options.directory / path).absolute() if path else config.project_dir / DEFAULT
    wanted: dict[Path, str] = {}
    if include_env:
        text = EnvText(interface, config.main, strict_vars=strict_vars)
        for name, each in _environments(options, config):
            text.add(name, each)
        wanted[env] = text.text()
    if include_runtime:
        own = {path: text for path, text in stubs(env, interface).items() if path != env}
        wanted |= own
    _check(wanted) if check else _write(wanted, env)


def _refuse(config: Config, path: Path | None, interface: str) -> None:
    if not config.is_python:
        raise UsageError(
            f"{config.path.name}: main is {config.main.name}; for TypeScript, use `wrangler types`."
        )
    if path is not None and path.suffix != ".pyi":
        raise UsageError(f'{path}: expected a file that ends in ".pyi"')
    if path is not None and not path.stem.isidentifier():
        raise UsageError(f"{path}: {path.stem!r} cannot be imported; choose another name")
    if not interface.isidentifier():
        raise UsageError(f"--env-interface {interface!r} is not the name of a class")


def _environments(options: ProjectOptions, config: Config) -> list[tuple[str, Config]]:
    """Return all environments, or the one that was asked for."""
    if options.environment is not None or config.environment is not None:
        return [(config.environment or "", config)]
    names = config.environments
    return [
        ("", config),
        *(
            (name, load_project(replace(options, environment=name), runs_code=True))
            for name in names
        ),
    ]


def _check(wanted: dict[Path, str]) -> None:
    if different := outdated(wanted):
        names = "\n".join(f"  {os.path.relpath(path)}" for path in different)
        raise UsageError(f"these types are out of date; run `groundfog types`:\n{names}")
    say("The types are up to date")


def _write(wanted: dict[Path, str], env: Path) -> None:
    write(wanted)
    say(f"Wrote {os.path.relpath(env)}" if env in wanted else "Wrote the stubs")
    if env.parent.name != "typings":
        folder = os.path.relpath(env.parent)
        say(f'Tell type checkers: mypy_path = "{folder}" of mypy, stubPath of pyright')
