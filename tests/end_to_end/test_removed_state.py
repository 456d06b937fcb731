"""State that is removed under a running server, as by `git clean -fdx`: noticed, said, refused."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.cli.in_process import groundfog
from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import workflow_project
from tests.end_to_end.test_bad_input import refused
from tests.end_to_end.test_workflows import create, wait_for_status
from tests.waiting import eventually

RUN = """
async def run(self, event, step):
    await step.sleep("nap", "1 minute")
"""
SAID = r"journal\.sqlite was removed or replaced while it was open.*workflows stand still"


def test_state_that_is_removed_is_said_at_once_and_nothing_more_is_acknowledged(
    tmp_path: Path, serve: Serve
) -> None:
    project = workflow_project(tmp_path / "p", RUN)
    state = project / ".groundfog"
    server = serve(project)
    create(server, "before")
    wait_for_status(server, "before", "waiting")

    shutil.rmtree(state)

    server.wait_for(SAID)
    assert server.post("/create", json={"id": "after"}).status_code == 500
    assert server.get("/counts").status_code == 500  # D1, which was not in use before
    eventually((state / "dev.json").exists)
    listed = groundfog(project, "workflows", "instances", "list", "flow", code=1)
    assert "was removed" in listed.stderr
    second = refused("--port", "0", cwd=project)
    assert f"{state} is in use by a running server (pid {server.pid}, " in second
    assert server.stop() == 0
    assert "continue at the next start" not in server.output
    assert sorted(path.name for path in state.iterdir()) == [".gitignore", "lock"]

    again = serve(project)
    create(again, "after")
    wait_for_status(again, "after", "waiting")


def test_a_database_that_is_removed_is_said_and_takes_no_more_writes(
    tmp_path: Path, serve: Serve
) -> None:
    project = workflow_project(tmp_path / "p", RUN)
    server = serve(project)
    assert server.get("/counts").json() == {}

    for path in (project / ".groundfog" / "d1").iterdir():
        path.unlink()

    server.wait_for(r"error: .*d1/db\.sqlite was removed or replaced while it was open")
    assert server.get("/counts").status_code == 500
    create(server, "other-state-is-fine")
    assert server.stop() == 0

    assert serve(project).get("/counts").json() == {}


def test_a_lock_and_an_announcement_that_are_removed_are_put_back(
    tmp_path: Path, serve: Serve
) -> None:
    project = workflow_project(tmp_path / "p", RUN)
    state = project / ".groundfog"
    server = serve(project)
    (state / "lock").unlink()
    (state / "dev.json").unlink()

    eventually((state / "dev.json").exists)

    groundfog(project, "workflows", "instances", "list", "flow")
    create(server, "a")
    wait_for_status(server, "a", "waiting")
