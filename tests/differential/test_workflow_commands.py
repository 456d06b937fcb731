"""wrangler's workflow commands on our server work, and print the JSON that ours print."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.cli.workflows.command import Command
from tests.end_to_end.projects import workflow_project
from tests.end_to_end.server import DevServer
from tests.end_to_end.wrangler import wrangler as run_wrangler
from tests.server.api.serving import EXPLORER, RUN, Api

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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    with DevServer(workflow_project(tmp_path_factory.mktemp("flow") / "p", RUN)) as running:
        yield running


@pytest.fixture
def explorer(server: DevServer) -> Api:
    return Api(server, EXPLORER)


@pytest.fixture
def workflows(server: DevServer) -> Command:
    return Command(server.project)


@pytest.fixture
def wrangler(server: DevServer, tmp_path: Path) -> Wrangler:
    port = urlsplit(server.url).port
    assert port is not None
    return Wrangler(tmp_path, port)


def test_what_is_shown_is_the_same(workflows: Command, wrangler: Wrangler) -> None:
    workflows("trigger", "flow", '{"do": "echo"}', "--id", "told")
    workflows("trigger", "flow", '{"do": "wait"}', "--id", "waits")
    workflows.until("told", "complete")
    workflows.until("waits", "waiting")

    for words in (
        ("list",),
        ("instances", "list", "flow"),
        ("instances", "list", "flow", "--reverse", "--per-page", "2"),
        ("instances", "list", "flow", "--status", "waiting", "--date-start", "2020-01-01"),
        ("instances", "describe", "flow", "told"),
        ("instances", "describe", "flow"),
    ):
        assert wrangler.json(*words) == workflows.json(*words), words
    assert wrangler.json("describe", "flow").items() <= workflows.json("describe", "flow").items()


def test_what_is_answered_to_a_change_is_the_same(workflows: Command, wrangler: Wrangler) -> None:
    """Identical but for the time; each change is made by both, one after the other."""
    workflows("trigger", "flow", '{"do": "wait"}', "--id", "changed-by-both")
    workflows.until("changed-by-both", "waiting")

    tools: tuple[Wrangler | Command, ...] = (wrangler, workflows)
    for words in (
        ("pause", "flow", "changed-by-both"),
        ("resume", "flow", "changed-by-both"),
        ("send-event", "flow", "changed-by-both", "--type", "other"),
        ("restart", "flow", "changed-by-both"),
    ):
        theirs, ours = (run.json("instances", *words) for run in tools)
        assert theirs.keys() == ours.keys(), words
    created = [run.json("trigger", "flow", "{}") for run in tools]
    assert created[0].keys() == created[1].keys()
    deleted = [
        run.json("instances", "delete", "flow", made["id"])
        for run, made in zip(tools, created, strict=True)
    ]
    assert [result["errors"] for result in deleted] == [[], []]


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
