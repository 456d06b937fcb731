"""`groundfog check`: looks at the source of a worker without running it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from emulator.cli.findings import findings_options, report
from emulator.cli.options import ProjectOptions, load_project, project_options
from emulator.config.model import Config
from emulator.deployability.project import findings as what_breaks
from emulator.deployability.project import read_sources
from emulator.determinism import findings as what_differs
from emulator.errors import UsageError
from emulator.findings import Finding
from emulator.runner.python.interpreter import guest_interpreter


@click.command("check")
@click.option("--determinism", is_flag=True, help="Only what makes a replay go another way.")
@click.option("--deployability", is_flag=True, help="Only what breaks when it is deployed.")
@click.option("--python", type=click.Path(path_type=Path), help="Python that runs the worker.")
@findings_options
@project_options
def check(
    options: ProjectOptions,
    determinism: bool,
    deployability: bool,
    python: Path | None,
    output: str,
    as_json: bool,
    strict: bool,
) -> None:
    """Find what breaks when the worker is deployed, and what makes a replay go another way.

    The source is read, not run. The exit code is 1 if there is an error, or with --strict any
    finding. Python workers only.
    """
    config = load_project(options, runs_code=True)
    if not config.is_python:
        raise UsageError(
            f"{config.path.name}: main is {config.main.name}; only Python workers are checked."
        )
    found: list[Finding] = []
    if determinism or not deployability:
        found += _determinism(config)
    if deployability or not determinism:
        found += what_breaks(
            config, guest_interpreter(config.project_dir, python, Path(sys.executable))
        )
    report(sorted(found), "json" if as_json else output, config.project_dir, strict=strict)


def _determinism(config: Config) -> list[Finding]:
    return [
        finding
        for source in read_sources(config)
        for finding in what_differs(source.text, source.path)
    ]
