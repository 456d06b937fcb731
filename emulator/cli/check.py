"""`groundfog check`: looks at the source of a worker without running it."""

from __future__ import annotations

from pathlib import Path

import click

from emulator.cli.cells import printable
from emulator.cli.options import ProjectOptions, load_project, project_options
from emulator.cli.output import say, show, show_json
from emulator.config.text_files import shown_path
from emulator.determinism import Finding, findings
from emulator.errors import UsageError
from emulator.words import counted


@click.command("check")
@click.option("--determinism", is_flag=True, default=True, help="The only check there is.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@project_options
def check(options: ProjectOptions, determinism: bool, as_json: bool) -> None:
    """Find what makes workflows go another way when they are replayed.

    Clocks, chance and effects outside of steps, what steps change outside of themselves, variables
    of the module. The exit code is 1 if anything is found. Python workers only.
    """
    config = load_project(options, runs_code=True)
    if not config.is_python:
        raise UsageError(
            f"{config.path.name}: main is {config.main.name}; only Python workers are checked."
        )
    found = [
        (shown_path(path, config.project_dir), finding)
        for path in sorted(config.main.parent.rglob("*.py"))
        for finding in _findings(path)
    ]
    if as_json:
        show_json([_record(file, finding) for file, finding in found])
    else:
        for file, finding in found:
            show(f"{file}:{finding.line}: [{finding.kind}] {printable(finding.text)}")
            show(f"  {finding.advice}")
        say(counted(len(found), "finding"))
    if found:
        raise SystemExit(1)


def _findings(path: Path) -> list[Finding]:
    try:
        return findings(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise UsageError(f"{path}:{error.lineno}: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: {error}") from None


def _record(file: str, finding: Finding) -> dict[str, object]:
    return {
        "file": file,
        "line": finding.line,
        "kind": finding.kind,
        "text": finding.text,
        "advice": finding.advice,
    }
