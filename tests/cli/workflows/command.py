"""`groundfog workflows …` as a person types it, run in this process: it is quicker so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from emulator.cli.main import cli
from tests.waiting import eventually

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Command:
    """Runs the workflow commands on a project."""

    project: Path

    def __call__(self, *words: str, code: int = 0, text: str = "") -> Done:
        """Run one; `text` is its standard input."""
        done = CliRunner(env={"COLUMNS": "120"}).invoke(
            cli, ["workflows", *words, "--cwd", str(self.project)], input=text
        )
        assert done.exit_code == code, done.output
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return Done(done.exit_code, done.stdout, done.stderr)

    def json(self, *words: str) -> Any:
        """Run one with --json; return what it prints."""
        return json.loads(self(*words, "--json").out)

    def detail(self, instance: str) -> dict[str, Any]:
        """Return what is told of an instance of `flow`."""
        detail = self.json("instances", "describe", "flow", instance)
        assert isinstance(detail, dict)
        return detail

    def until(self, instance: str, status: str) -> dict[str, Any]:
        """Wait until an instance of `flow` has this status."""

        def reached() -> dict[str, Any] | None:
            detail = self.detail(instance)
            return detail if detail["status"] == status else None

        return eventually(reached)
