"""The real `wrangler workflows … --local`, against a running server."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.server.api.serving import Api

pytestmark = pytest.mark.wrangler


class Wrangler:
    """Runs wrangler's commands in an empty folder: they need no project."""

    def __init__(self, folder: str, cwd: Path, port: int) -> None:
        self._program = f"{folder}/node_modules/.bin/wrangler"
        self._cwd = cwd
        self._port = port

    def run(self, *words: str) -> str:
        """Return what `wrangler workflows WORDS --local` prints."""
        node = os.environ.get("GROUNDFOG_NODE", "")
        result = subprocess.run(
            [self._program, "workflows", *words, "--local", "--port", str(self._port)],
            cwd=self._cwd,
            env={
                "PATH": f"{node}:{os.environ['PATH']}",
                "HOME": str(self._cwd),
                "CI": "1",
                "WRANGLER_SEND_METRICS": "false",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == 0, f"{words}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def json(self, *words: str) -> Any:
        """Return what it prints with `--json`."""
        return json.loads(self.run(*words, "--json"))

    def instances(self, *words: str) -> str:
        """Run a command on instances of the workflow."""
        return self.run("instances", words[0], "flow", *words[1:])


@pytest.fixture
def wrangler(explorer: Api, tmp_path: Path) -> Wrangler:
    folder = os.environ.get("GROUNDFOG_WRANGLER")
    if not folder:
        pytest.skip("GROUNDFOG_WRANGLER does not name a folder with wrangler installed")
    port = urlsplit(explorer.server.url).port
    assert port is not None
    return Wrangler(folder, tmp_path, port)


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
