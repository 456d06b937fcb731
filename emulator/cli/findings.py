"""Shows findings: as text, JSON, SARIF for code scanning, or annotations on GitHub.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html;
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from emulator.cli.cells import printable
from emulator.cli.output import say, show, show_json
from emulator.config.text_files import shown_path
from emulator.findings import Finding, Severity
from emulator.words import counted

FORMATS = ("text", "json", "sarif", "github")
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def findings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --format (`output`), --json (`as_json`) and --strict (`strict`)."""
    strict = click.option("--strict", is_flag=True, help="Warnings are errors.")
    as_json = click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
    output = click.option(
        "--format",
        "output",
        type=click.Choice(FORMATS),
        default="text",
        help="How to print [text].",
    )
    return output(as_json(strict(command)))


def report(found: Sequence[Finding], output: str, project: Path, *, strict: bool = False) -> None:
    """Print findings in one of `FORMATS`, and end with exit code 1 if one of them is an error.

    project: text and JSON name files relative to it, the others relative to the current folder,
    which is the repository's in CI. strict: warnings are errors.
    """
    if strict:
        found = [replace(each, severity=Severity.ERROR) for each in found]
    if output == "json":
        show_json([_record(each, project) for each in found])
    elif output == "sarif":
        show_json(_sarif(found))
    elif output == "github":
        for each in found:
            show(_annotation(each))
    else:
        for each in found:
            show(f"{_place(each, project)}: [{each.kind}] {printable(each.text)}")
            show(f"  {printable(each.advice)}")
        say(_total(found))
    if any(each.severity is Severity.ERROR for each in found):
        raise SystemExit(1)


def _total(found: Sequence[Finding]) -> str:
    errors = sum(each.severity is Severity.ERROR for each in found)
    total = counted(len(found), "finding")
    return f"{total}, {counted(errors, 'error')}" if found else total


def _place(finding: Finding, project: Path) -> str:
    file = shown_path(finding.path, project)
    return f"{file}:{finding.line}" if finding.line else file


def _record(finding: Finding, project: Path) -> dict[str, object]:
    return {
        "file": shown_path(finding.path, project),
        "line": finding.line,
        "kind": finding.kind,
        "severity": finding.severity,
        "text": finding.text,
        "advice": finding.advice,
    }


def _sarif(found: Sequence[Finding]) -> dict[str, object]:
    advice = {each.kind: each.advice for each in found}
    driver = {
        "name": "Groundfog",
        "version": version("groundfog"),
        "rules": [
            {"id": kind, "shortDescription": {"text": text}}
            for kind, text in sorted(advice.items())
        ],
    }
    results = [_result(each) for each in found]
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def _result(finding: Finding) -> dict[str, object]:
    place = {
        "artifactLocation": {"uri": _from_here(finding.path)},
        "region": {"startLine": max(finding.line, 1)},  # there is no line 0
    }
    return {
        "ruleId": finding.kind,
        "level": finding.severity,
        "message": {"text": f"{finding.text}: {finding.advice}"},
        "locations": [{"physicalLocation": place}],
    }


def _annotation(finding: Finding) -> str:
    properties = {
        "file": _from_here(finding.path),
        "line": str(max(finding.line, 1)),
        "title": finding.kind,
    }
    shown = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
    return f"::{finding.severity} {shown}::{_escaped(f'{finding.text}: {finding.advice}')}"


def _escaped(text: str, further: str = "") -> str:
    """Return text with the characters escaped that mean something to GitHub."""
    for character in f"%\r\n{further}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _from_here(path: Path) -> str:
    return Path(os.path.relpath(path)).as_posix()
