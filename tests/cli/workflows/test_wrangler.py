"""The same commands of the real wrangler and of ours, on the same server: the same JSON."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cli.workflows.command import Command
from tests.end_to_end.server import DevServer
from tests.server.api.workflows.test_wrangler import Wrangler

pytestmark = pytest.mark.wrangler


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
