"""`groundfog check`: the source of a worker is looked at, and not run."""

from __future__ import annotations

import json

from click.testing import CliRunner, Result

from emulator.cli.main import cli
from tests.testing.projects import FIXTURES


def check(project: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["check", "--cwd", str(FIXTURES / project), *arguments])


def test_the_planted_mistakes_are_told_with_file_and_line() -> None:
    told = check("planted", "--determinism")

    assert told.exit_code == 1
    assert "src/entry.py:45: [write] a step changes seen" in told.stdout
    assert "2 findings" in told.output
    records = json.loads(check("planted", "--json").stdout)
    assert [(record["line"], record["kind"]) for record in records] == [
        (45, "write"),
        (49, "state"),
    ]


def test_nothing_is_found_in_the_sample() -> None:
    done = check("brief-analysis")

    assert (done.exit_code, done.stdout) == (0, "")
