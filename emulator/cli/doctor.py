"""`groundfog doctor`: which programs were found for a project, and how to get what is missing."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from msgspec import Struct
from msgspec.structs import asdict

from emulator.bundling.tools import ESBUILD, WORKERD, Program, ToolError, find_program
from emulator.bundling.tools import install_command as install_tools
from emulator.cli.options import ProjectOptions, load_project
from emulator.cli.output import show, show_json
from emulator.errors import ConfigError
from emulator.runner.python.interpreter import guest_interpreter, likely_project

_OLDEST_PYTHON = (3, 11)
_TIMEOUT_S = 20.0


class Finding(Struct, frozen=True):
    """One program. version: "" if it is missing or does not run; then `problem` and `fix` say more.

    needed: whether this project runs at all without it. note: what it is for.
    """

    name: str
    note: str
    needed: bool
    version: str = ""
    path: str = ""
    problem: str = ""
    fix: str = ""


@click.command()
@click.argument(
    "directory", default=".", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option("--config", "-c", "config_path", type=click.Path(path_type=Path), help="Config file.")
@click.option("--python", type=click.Path(path_type=Path), help="Python that runs the worker.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(
    context: click.Context,
    directory: Path,
    config_path: Path | None,
    python: Path | None,
    as_json: bool,
) -> None:
    """Show which programs were found for the worker in DIRECTORY, and what is missing.

    The exit code is 1 if something is missing without which the worker does not run.
    """
    project = likely_project(directory, config_path)
    bundles = _is_bundled(directory, config_path)
    findings = [*_python(project, python, bundles), *_sqlite(), *_javascript(project, bundles)]
    if as_json:
        show_json([asdict(finding) for finding in findings])
    else:
        show("\n".join(_lines(findings)))
    if any(finding.needed and finding.problem for finding in findings):
        context.exit(1)


def _is_bundled(directory: Path, config_path: Path | None) -> bool:
    """Whether the worker is TypeScript or JavaScript, as far as its configuration can be read."""
    try:
        config = load_project(ProjectOptions(directory, config_path, None, None), runs_code=True)
    except ConfigError:
        return False
    return not config.is_python


def _python(project: Path, chosen: Path | None, bundles: bool) -> Iterator[Finding]:
    own = Path(sys.executable)
    yield Finding("Python", "Groundfog", True, platform.python_version(), str(own))
    guest = guest_interpreter(project, chosen, own)
    version, problem = _asked(guest, "--version")
    version = version.removeprefix("Python ")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    oldest = ".".join(map(str, _OLDEST_PYTHON))
    if not problem and numbers < _OLDEST_PYTHON:
        problem = f"it is older than {oldest}"
    fix = f"python{oldest} -m venv {project / '.venv'}, or --python PATH" if problem else ""
    note = "Python workers"
    yield Finding("guest Python", note, not bundles, version, str(guest), problem, fix)


def _sqlite() -> Iterator[Finding]:
    import _sqlite3

    import apsw

    ours = getattr(_sqlite3, "__file__", sys.executable)  # some Pythons have it built in
    d1 = apsw.__file__ or ""
    yield Finding("SQLite", "the journal", True, sqlite3.sqlite_version, ours)
    yield Finding("SQLite of D1", "databases", True, apsw.sqlite_lib_version(), d1)


def _javascript(project: Path, bundles: bool) -> Iterator[Finding]:
    for program in (ESBUILD, WORKERD):
        yield _found(program, "TypeScript and JavaScript workers", project, bundles)
    node = shutil.which("node")
    if node is None:
        yield Finding("node", _NODE_NOTE, False, problem="not on PATH", fix="https://nodejs.org")
        return
    version, problem = _asked(Path(node), "--version")
    yield Finding("node", _NODE_NOTE, False, version.removeprefix("v"), node, problem)


_NODE_NOTE = "npm and wrangler"


def _found(program: Program, note: str, project: Path, needed: bool) -> Finding:
    fix = f"{install_tools(project)} (in {project})"
    try:
        found = find_program(program, project, os.environ)
    except ToolError as error:
        problem, _, _ = str(error).partition("\n")
        return Finding(program.name, note, needed, problem=problem, fix=fix)
    _, problem = _asked(found.path, "--version")
    return Finding(
        program.name, note, needed, found.version, str(found.path), problem, fix if problem else ""
    )


def _asked(path: Path, *arguments: str) -> tuple[str, str]:
    """Return what a program says of itself, and why it does not run or ""."""
    try:
        said = subprocess.run(
            [path, *arguments], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", f"it cannot be run: {getattr(error, 'strerror', None) or error}"
    if said.returncode != 0:
        return "", f"it ended with {said.returncode}: {said.stderr.strip()[-200:]}"
    return said.stdout.strip(), ""


def _lines(findings: list[Finding]) -> Iterator[str]:
    names = max(len(finding.name) for finding in findings)
    versions = max(len(finding.version or "missing") for finding in findings)
    for finding in findings:
        version = finding.version or "missing"
        spare = "" if finding.needed else ", this worker does not need it"
        where = finding.path or f"for {finding.note}{spare}"
        yield f"{finding.name:{names}}  {version:{versions}}  {where}"
        if finding.problem:
            yield f"  {finding.problem}"
        if finding.problem and finding.fix:
            yield f"  Fix: {finding.fix}"
