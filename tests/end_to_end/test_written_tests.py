"""`groundfog test new`: what it writes passes, for what happened in a server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from emulator.cli.main import cli
from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import workflow_project
from tests.end_to_end.test_workflows import create, wait_for_status
from tests.testing import projects

FLOW = """
async def run(self, event, step):
    import random

    @step.do("draw")
    async def draw():
        return {"number": random.random(), "of": "a step whose result is another one each time"}

    drawn = await draw()
    first = await step.wait_for_event("first", "word")
    second = await step.wait_for_event("second", "word")

    @step.do("refuse")
    async def refuse():
        raise ValueError(f"no {second['payload']}")

    words = [first["payload"], second["payload"]]
    if event["payload"].get("fails"):
        await refuse()
    return {"words": words, "drawn": drawn, "params": event["payload"]}
"""


def new(project: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(cli, ["test", "new", *arguments, "--cwd", str(project)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_tests_written_from_what_happened_pass_as_they_are(tmp_path: Path, serve: Serve) -> None:
    project = workflow_project(tmp_path / "p", FLOW)
    server = serve(project)
    for instance, params in (("a", {"it's": 'a "quote"'}), ("b", {"fails": True})):
        create(server, instance, params)
        for word in ("one", "other"):
            wait_for_status(server, instance, "waiting")
            server.post(f"/event/{instance}/word", json=word)
    wait_for_status(server, "a", "complete")

    written = new(project, "flow", "a")
    assert written.exit_code == 0, written.output
    assert new(project, "GET /none").exit_code == 0
    text = (project / "tests" / "test_flow_a.py").read_text()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests", *projects.PLAIN],
        cwd=project,
        env=projects.environment(),
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert "2 passed" in done.stdout, done.stdout
    assert 'workflow.mock_step_result(\n            "draw",' in text
    assert 'word_payloads = iter(["one", "other"])' in text
    assert "exists already" in new(project, "flow", "a").output
    assert "it must be complete or errored" in new(project, "flow", "b").output
