"""`groundfog workflows …` as a person types it: a real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    """Runs the workflow commands in a project's folder."""

    project: Path

    def __call__(self, *words: str, code: int = 0, text: str = "") -> Done:
        """Run one; `text` is its standard input."""
        environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
        done = subprocess.run(
            [sys.executable, "-m", "emulator", "workflows", *words],
            cwd=self.project,
            env=environment | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

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
