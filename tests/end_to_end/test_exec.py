"""`groundfog exec`: a command beside a worker of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testing.projects import FIXTURES

ASK = """
import os, sys, urllib.request
print("answer", urllib.request.urlopen(os.environ["GROUNDFOG_URL"]).read().decode())
assert os.environ["GROUNDFOG_TOKEN"]
sys.exit(3)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(FIXTURES / "orders", tmp_path / "orders")
    return tmp_path / "orders"


def groundfog(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "groundfog", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60)


def test_the_command_finds_the_worker_and_its_exit_code_is_returned(project: Path) -> None:
    done = groundfog(project, "exec", "--", sys.executable, "-c", ASK)

    assert done.returncode == 3, done.stderr
    assert 'answer {"greeting": "hello", "orders": []}' in done.stdout
    assert "listing the orders" in done.stdout
    assert not (project / ".groundfog").exists()


def test_a_command_that_is_not_there_and_a_worker_that_does_not_load_are_told(
    project: Path,
) -> None:
    absent = groundfog(project, "exec", "--", "no-such-command")
    assert (absent.returncode, "There is no command no-such-command" in absent.stderr) == (1, True)
    (project / "src" / "entry.py").write_text("import nothing_like_this\n")

    broken = groundfog(project, "exec", "-q", "--", sys.executable, "-c", "print('ran')")

    assert broken.returncode == 1 and "ran" not in broken.stdout
    assert "nothing_like_this" in broken.stderr
    assert "so the command was not run" in broken.stderr
