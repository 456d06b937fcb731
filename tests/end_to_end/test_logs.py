"""What a server says, as JSON: of requests, of instances, and of what code prints for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli.workflows.command import Command
from tests.end_to_end.projects import workflow_project
from tests.end_to_end.server import DevServer

RUN = """
async def run(self, event, step):
    @step.do("slow")
    async def slow():
        print("printed in a step")
        import asyncio, logging
        await asyncio.sleep(2)
        logging.warning("logged in a step")

    await slow()
"""


def test_json_lines_say_for_whom_code_prints_and_announce_a_long_step(tmp_path: Path) -> None:
    project = workflow_project(tmp_path / "p", RUN)
    with DevServer(project, "--log-format", "json") as server:
        server.post("/create", json={"id": "one"})
        Command(project)("instances", "describe", "flow", "one")
        server.wait_for(r'"message":"complete"')
        lines = [json.loads(line) for line in server.lines]

    def told(message: str) -> dict[str, Any]:
        (line,) = (each for each in lines if each["message"] == message)
        del line["time"]
        return dict(line)

    of = {"workflow": "flow", "instance": "one"}
    assert told("printed in a step") == {
        **{"level": "log", "source": "worker", "message": "printed in a step"},
        **{"stream": "stdout", **of},
    }
    assert told("WARNING:root:logged in a step")["level"] == "warn"
    step = {"step": "slow", "count": 1}
    running = told("slow is running")
    assert running | {"kind": "ATTEMPT_START", "attempt": 1, **of, **step} == running
    done = next(line for line in lines if line["message"].startswith("slow done"))
    assert done["kind"] == "STEP_SUCCESS" and done["durationMs"] >= 1900
    assert [line["path"] for line in lines if line["source"] == "request"] == ["/create"]
