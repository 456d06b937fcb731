"""Processes that user code started: they end with the guest they were started in."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import edit, make_project
from tests.end_to_end.server import DevServer, is_running
from tests.waiting import eventually

STARTS_A_PROCESS = """
import subprocess
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        started = subprocess.Popen(["sleep", "300"])
        return Response(str(started.pid))

VERSION = 1
"""


def save(server: DevServer) -> None:
    edit(server.project, "VERSION = 1", "VERSION = 2")


def kill_the_forkserver(server: DevServer) -> None:
    (forkserver,) = psutil.Process(server.pid).children()
    os.kill(forkserver.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "end",
    [save, DevServer.stop, DevServer.kill, DevServer.kill_guest, kill_the_forkserver],
    ids=lambda end: end.__name__,
)
def test_what_user_code_started_ends_with_its_guest(
    tmp_path: Path, serve: Serve, end: Callable[[DevServer], object]
) -> None:
    server = serve(make_project(tmp_path / "p", STARTS_A_PROCESS))
    pid = int(server.get("/").text)
    assert is_running(pid)

    end(server)

    eventually(lambda: not is_running(pid))
