"""What a server says when it is stopped."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import workflow_project
from tests.end_to_end.test_workflows import create, wait_for_status

RUN = """
async def run(self, event, step):
    if event["payload"]["naps"]:
        await step.sleep("nap", "1 minute")
"""
REST = "/client/v4/accounts/a/workflows/flow/instances"


def test_workflows_continue_at_the_next_start_only_where_some_do(
    tmp_path: Path, serve: Serve
) -> None:
    project = workflow_project(tmp_path / "p", RUN)

    idle = serve(project)
    create(idle, "done", {"naps": False})
    wait_for_status(idle, "done", "complete")
    idle.stop()
    assert idle.lines[-1].endswith(" stopping")

    busy = serve(project)
    create(busy, "naps", {"naps": True})
    wait_for_status(busy, "naps", "waiting")
    busy.stop()
    assert busy.lines[-1].endswith(" stopping; workflows in flight continue at the next start")

    with (project / "wrangler.toml").open("a") as configuration:
        configuration.write("[env.other]\n")  # which has no workflows
    elsewhere = serve(project, "--env", "other")
    elsewhere.stop()
    assert elsewhere.lines[-1].endswith(" stopping")

    paused = serve(project)
    paused.client.patch(f"{REST}/naps/status", json={"status": "pause"}).raise_for_status()
    wait_for_status(paused, "naps", "paused")
    paused.stop()
    assert paused.lines[-1].endswith(" stopping")
