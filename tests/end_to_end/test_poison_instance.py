"""One instance, or a request, that takes the worker down, with many healthy instances beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.projects import make_project
from tests.end_to_end.server import DevServer
from tests.waiting import eventually

WRANGLER = """
name = "poison"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]

[[workflows]]
name = "flow"
binding = "FLOW"
class_name = "Flow"
"""
INSTANCES = "/cdn-cgi/local/explorer/api/workflows/flow/instances"

POISON = """
import os
from workers import Response, WorkerEntrypoint, WorkflowEntrypoint

class Flow(WorkflowEntrypoint):
    async def run(self, event, step):
        await step.sleep("nap", 300)
        if event["payload"].get("bad"):
            os._exit(3)

        @step.do("work")
        async def work():
            return 1

        return await work()

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("ok")
"""

# `work` ends once there is a file; a request to /exit takes the worker down.
SLOW = """
import asyncio, os, pathlib
from urllib.parse import urlparse
from workers import Response, WorkerEntrypoint, WorkflowEntrypoint

GO_ON = pathlib.Path(__file__).parents[1] / "go-on"

class Flow(WorkflowEntrypoint):
    async def run(self, event, step):
        @step.do("work", config={"retries": {"limit": 0, "delay": 0}})
        async def work():
            while not GO_ON.exists():
                await asyncio.sleep(0.01)
            return 1

        return await work()

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if urlparse(request.url).path == "/exit":
            os._exit(3)
        return Response("ok")
"""


def create(server: DevServer, name: str, params: dict[str, Any] | None = None) -> None:
    body = {"id": name, "params": params or {}}
    assert server.post(INSTANCES, json=body).status_code < 300


def counts(server: DevServer) -> dict[str, int]:
    found = server.get(INSTANCES.removesuffix("/instances")).json()["result"]["instances"]
    return {status: count for status, count in found.items() if count}


def attempts(server: DevServer, name: str) -> list[dict[str, Any]]:
    steps = server.get(f"{INSTANCES}/{name}").json()["result"]["steps"]
    found: list[dict[str, Any]] = steps[0]["attempts"] if steps else []
    return found


def test_one_bad_instance_does_not_fail_thirty_healthy_ones(tmp_path: Path) -> None:
    with DevServer(make_project(tmp_path / "p", POISON, WRANGLER)) as server:
        for number in range(31):
            create(server, f"i{number}", {"bad": number == 7})

        eventually(lambda: counts(server) == {"complete": 30, "errored": 1})

        error = server.get(f"{INSTANCES}/i7").json()["result"]["error"]
        assert "The worker went away 5 times while it ran this instance" in error["message"]
        assert "exited with status 3" in error["message"]
        assert server.get("/").text == "ok"


def test_no_instance_is_charged_for_a_request_that_ends_the_worker(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", SLOW, WRANGLER)
    with DevServer(project) as server:
        for name in "abc":
            create(server, name)
        eventually(lambda: all(attempts(server, name) for name in "abc"))
        for _ in range(3):
            with pytest.raises((AssertionError, httpx.HTTPError)):
                assert server.get("/exit").status_code == 200
            eventually(lambda: server.get("/").text == "ok")

        (project / "go-on").touch()

        eventually(lambda: counts(server) == {"complete": 3})


def test_a_worker_that_is_killed_is_an_interruption_that_uses_up_no_retry(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", SLOW, WRANGLER)
    with DevServer(project) as server:
        create(server, "a")
        eventually(lambda: len(attempts(server, "a")) == 1)

        server.kill_guest()
        eventually(lambda: len(attempts(server, "a")) == 2)
        (project / "go-on").touch()

        eventually(lambda: counts(server) == {"complete": 1})
        assert "end of the worker" in attempts(server, "a")[0]["error"]["message"]
