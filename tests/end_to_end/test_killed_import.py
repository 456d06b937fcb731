"""A worker process that something outside kills while it imports the code."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.end_to_end.projects import make_project
from tests.end_to_end.server import DevServer
from tests.waiting import eventually

ENTRY = """
import os, pathlib, time
from workers import Response, WorkerEntrypoint

FOLDER = pathlib.Path({folder!r})
if not (FOLDER / "go-on").exists():
    (FOLDER / "importing").write_text(str(os.getpid()))
    while True:
        time.sleep(1)

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("served")
"""


def test_the_code_is_loaded_again_though_nothing_is_saved(tmp_path: Path) -> None:
    server = DevServer(make_project(tmp_path / "p", ENTRY.format(folder=str(tmp_path))))
    try:
        importing = tmp_path / "importing"
        pid = int(str(eventually(lambda: importing.exists() and importing.read_text())))

        (tmp_path / "go-on").touch()
        os.kill(pid, signal.SIGKILL)

        server.wait_for(r"while importing src/entry\.py; something outside ended it")
        server.wait_until_ready()
        server.wait_for("the worker could be started again")
        assert server.get("/").text == "served"
        assert "Correct the code" not in server.output
    finally:
        server.stop()
