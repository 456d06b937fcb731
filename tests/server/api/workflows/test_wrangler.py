"""The real `wrangler workflows … --local`, against a running server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.wrangler import wrangler as run_wrangler
from tests.server.api.serving import Api

pytestmark = pytest.mark.wrangler


class Wrangler:
    """Runs wrangler's commands in an empty folder: they need no project."""

    def __init__(self, cwd: Path, port: int) -> None:
        self._cwd = cwd
        self._port = port

    def run(self, *words: str) -> str:
        """Return what `wrangler workflows WORDS --local` prints."""
        return run_wrangler(self._cwd, "workflows", *words, "--local", "--port", str(self._port))

    def json(self, *words: str) -> Any:
        """Return what it prints with `--json`."""
        return json.loads(self.run(*words, "--json"))

    def instances(self, *words: str) -> str:
        """Run a command on instances of the workflow."""
        return self.run("instances", words[0], "flow", *words[1:])


@pytest.fixture
def wrangler(explorer: Api, tmp_path: Path) -> Wrangler:
    port = urlsplit(explorer.server.url).port
    assert port is not None
    return Wrangler(tmp_path, port)


def test_every_workflow_command_of_wrangler_works(wrangler: Wrangler, explorer: Api) -> None:
    assert "under-test" in wrangler.run("list")
    assert "Flow" in wrangler.run("describe", "flow")

    triggered = wrangler.run("trigger", "flow", '{"do": "wait"}', "--id", "wrangled")
    assert "triggered successfully" in triggered
    explorer.until("wrangled", "waiting", steps=2)

    listed = wrangler.json("instances", "list", "flow", "--status", "waiting")
    assert "wrangled" in [item["id"] for item in listed]
    described = wrangler.instances("describe", "latest")
    assert "greet-1" in described and "answer-1" in described

    wrangler.instances("pause", "wrangled")
    assert explorer.detail("wrangled")["status"] == "paused"
    wrangler.instances("resume", "wrangled")
    wrangler.instances("send-event", "wrangled", "--type", "answered", "--payload", '{"a": 1}')
    assert explorer.until("wrangled", "complete")["output"] == {"a": 1}

    wrangler.instances(
        "restart", "wrangled", "--from-step-name", "answer", "--from-step-type", "waitForEvent"
    )
    explorer.until("wrangled", "waiting", steps=2)
    wrangler.instances("terminate", "wrangled")
    assert explorer.detail("wrangled")["status"] == "terminated"
    assert '"wrangled"' in wrangler.instances("delete", "wrangled")
    assert explorer.error("GET", "/flow/instances/wrangled")[0] == 404

    explorer.create("left")
    assert "removed successfully" in wrangler.run("delete", "flow")
    assert explorer.get("/flow/instances") == []
