"""What `groundfog dev` says by itself, before anybody looks for the reason."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from emulator.cli.banner import tell_ready
from emulator.server.http.listen import DEFAULT_PORT
from emulator.state import RunningServer
from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import edit, make_project

ENTRY = """
from workers import Response, WorkerEntrypoint, WorkflowEntrypoint

class Flow(WorkflowEntrypoint):
    async def run(self, event, step): ...

class Main(WorkerEntrypoint):
    async def fetch(self, request):
        breakpoint()
        return Response("served")
"""
HOOK = """
def stop():
    print("my own debugger")
"""


def test_frequent_mistakes_are_told_without_being_asked(tmp_path: Path, serve: Serve) -> None:
    project = make_project(tmp_path / "p", ENTRY)
    (project / "src" / "mine.py").write_text(HOOK)

    server = serve(project, env={"PYTHONBREAKPOINT": "mine.stop"})
    server.wait_for("class Main answers no requests; only the class Default does")

    (project / "migrations").mkdir()
    (project / "migrations" / "0001_init.sql").write_text("CREATE TABLE t (x);")
    server.wait_for("1 migration is pending for db: 0001_init.sql")

    edit(project, "class Main(", "class Default(")
    server.wait_for("reloaded")
    assert server.get("/").text == "served"
    server.wait_for("my own debugger")

    edit(
        project,
        "class Default(WorkerEntrypoint):\n    async def fetch(self, request):",
        "if True:\n    async def on_fetch(request, env, ctx):",
    )
    server.wait_for("handlers that are functions, such as on_fetch")


@pytest.mark.parametrize(
    ("port", "asked", "is_told"),
    [(DEFAULT_PORT + 1, None, True), (DEFAULT_PORT, None, False), (3000, 3000, False)],
)
def test_a_usual_port_that_is_taken_is_told(port: int, asked: int | None, is_told: bool) -> None:
    told: list[str] = []
    keeper = SimpleNamespace(is_virtual=False)
    config = SimpleNamespace(dev=SimpleNamespace(ip="localhost", port=None))
    running: Any = SimpleNamespace(
        worker=SimpleNamespace(timekeeper=keeper, config=config),
        announced=RunningServer(1, "127.0.0.1", port, ""),
    )
    arguments: Any = SimpleNamespace(began=0.0, ip=None, port=asked, is_first=True)
    terminal: Any = SimpleNamespace(introduce=told.append)

    tell_ready(running, arguments, terminal)

    assert (f"Port {DEFAULT_PORT} is in use by another program." in told) is is_told
