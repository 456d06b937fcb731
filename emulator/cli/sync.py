"""`groundfog sync`: installs the project's packages natively, into its `.venv`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from emulator.cli.output import say
from emulator.errors import UsageError
from emulator.packages.declared import Declared, find, read
from emulator.packages.installer import Wishes, creation, find_uv, installation
from emulator.runner.python.interpreter import environment_interpreter, likely_project
from emulator.words import counted

ENVIRONMENT = ".venv"


@click.command()
@click.option("--cwd", default=".", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--config", "-c", "config_path", type=click.Path(path_type=Path), help="Config file.")
@click.option("--python", type=click.Path(path_type=Path), help="Python for a new .venv.")
@click.option("--upgrade", is_flag=True, help="Take the newest versions that are allowed.")
@click.option("--no-index", is_flag=True, help="Ask no package index.")
@click.option("--find-links", multiple=True, help="A folder or page with packages.")
@click.option("--index-url", help="Package index to ask.")
def sync(
    cwd: Path,
    config_path: Path | None,
    python: Path | None,
    upgrade: bool,
    no_index: bool,
    find_links: tuple[str, ...],
    index_url: str | None,
) -> None:
    """Install the dependencies of pyproject.toml into .venv, where `groundfog dev` uses them.

    With uv if there is one, else with pip. [tool.uv.sources] counts for both.
    """
    project = likely_project(cwd.absolute(), config_path)
    path = find(project)
    if path is None:
        raise UsageError(_NO_FILE.format(project=project))
    declared = read(path)
    links = tuple(each if "://" in each else os.path.abspath(each) for each in find_links)
    uv = find_uv()
    wishes = Wishes(upgrade, no_index, links, index_url)
    installation(uv, declared, Path(sys.executable), wishes)  # refuses before anything is made
    interpreter = environment_interpreter(project / ENVIRONMENT)
    is_new = interpreter is None
    if interpreter is None:
        interpreter = _create(uv, project / ENVIRONMENT, python or Path(sys.executable))
    if declared.requirements or declared.is_dynamic:
        _run(installation(uv, declared, interpreter, wishes), path.parent)
    _tell(declared, project, is_new)


_NO_FILE = (
    "{project} has no pyproject.toml. Create one there with what the worker needs:\n"
    "    [project]\n"
    '    name = "my-worker"\n'
    '    version = "0.1.0"\n'
    '    dependencies = ["fastapi"]'
)


def _create(uv: str | None, environment: Path, python: Path) -> Path:
    _run(creation(uv, environment, python), environment.parent)
    interpreter = environment_interpreter(environment)
    if interpreter is None:
        raise UsageError(f"{environment} has no Python after it was made; remove it and try again")
    return interpreter


def _run(command: list[str], folder: Path) -> None:
    """Run a command whose output the person sees. Raises UsageError when it fails."""
    try:
        code = subprocess.run(command, cwd=folder, check=False).returncode
    except OSError as error:
        raise UsageError(f"{command[0]} cannot be started: {error.strerror}") from None
    if code != 0:
        raise UsageError(f"`{' '.join(command)}` ended with {code}; it says above why")


def _tell(declared: Declared, project: Path, is_new: bool) -> None:
    found = counted(len(declared.requirements), "dependency", "dependencies")
    say(f"{ENVIRONMENT} has the {found} of {declared.path.name}" if declared.requirements else
        f"{declared.path.name} has no dependencies")  # fmt: skip
    if is_new:
        say(f"{project / ENVIRONMENT} is new: start `groundfog dev` again if it runs")
