"""Nothing is left of a test process, however it ended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

from tests.testing import projects
from tests.waiting import eventually

HANGS = """
import sys, time

def test_hangs(worker):
    worker.get("/")
    print("ready", flush=True)
    time.sleep(600)
"""


def test_kill_9_of_the_test_process_ends_host_forkserver_and_guests_and_leaves_no_state(
    tmp_path: Path,
) -> None:
    project = projects.orders(tmp_path, test_hangs=HANGS)
    (project / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider"]
    tests = subprocess.Popen(
        [*command, f"--basetemp={tmp_path / 'base'}"],
        cwd=project,
        stdout=subprocess.PIPE,
        text=True,
        env=projects.environment(),
    )
    assert tests.stdout is not None
    assert any("ready" in line for line in tests.stdout)
    family = psutil.Process(tests.pid).children(recursive=True)
    assert len(family) >= 3  # host, forkserver, guest

    tests.kill()
    tests.wait()
    tests.stdout.close()

    eventually(lambda: not [each for each in family if each.is_running()])
    assert not list((tmp_path / "base").rglob("*.sqlite"))
