"""`groundfog check`: the source of a worker is looked at, and not run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.testing.projects import FIXTURES


def check(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "groundfog", "check", "--cwd", str(project), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_planted_mistakes_are_told_with_file_and_line() -> None:
    told = check(FIXTURES / "planted", "--determinism")

    assert told.returncode == 1
    assert "src/entry.py:45: [write] a step changes seen" in told.stdout
    assert told.stderr == "2 findings\n"
    records = json.loads(check(FIXTURES / "planted", "--json").stdout)
    assert [(record["line"], record["kind"]) for record in records] == [
        (45, "write"),
        (49, "state"),
    ]


def test_nothing_is_found_in_the_sample() -> None:
    done = check(FIXTURES / "brief-analysis")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "0 findings\n")
