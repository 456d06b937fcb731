"""Cron triggers of a running server: by the clock, by hand, and when the handler fails."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emulator.cli.main import cli
from tests.end_to_end.projects import FIXTURES
from tests.end_to_end.server import DevServer
from tests.waiting import eventually

HANDLER = """
from workers import WorkerEntrypoint

class Default(WorkerEntrypoint):
    {signature}
        {body}
"""
PATHS = [
    "/cdn-cgi/local/scheduled",
    "/cdn-cgi/handler/scheduled",
    "/cdn-cgi/mf/scheduled",
    "/cdn-cgi/local/explorer/api/local/scheduled",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    project = tmp_path_factory.mktemp("cron") / "cron"
    shutil.copytree(FIXTURES / "cron", project)
    (project / "groundfog.toml").write_text("[clock]\nstart = 2026-01-02T08:50:00Z\n")
    with DevServer(project, "--clock", "virtual") as running:
        yield running


def groundfog(project: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["cron", *words, "--cwd", str(project)])


def test_ticks_fire_by_the_clock_once_each(server: DevServer) -> None:
    assert "triggers   Cron Trigger   */15 * * * * (UTC)" in server.output
    server.post("/cdn-cgi/groundfog/clock/advance", json={"span": "30 minutes"}).raise_for_status()

    assert list(server.get("/").json()) == ["1767344400000", "1767345300000"]
    eventually(lambda: server.output.count('cron "*/15 * * * *" ok') == 2)
    eventually(lambda: server.output.count('cron "0 9 * * MON-FRI" ok') == 1)
    clock = server.get("/cdn-cgi/groundfog/clock").json()["result"]
    assert clock["next"].startswith("2026-01-02T09:30:00")


@pytest.mark.parametrize("path", PATHS)
def test_the_handler_is_called_by_hand_at_every_path_of_wrangler(
    server: DevServer, path: str
) -> None:
    time = str(1_000_000 + PATHS.index(path))
    asked = {"cron": "1 2 3 4 *", "time": time}
    answer = server.get(path, params=asked)
    as_json = server.post(path, params=asked | {"format": "json"})

    assert (answer.status_code, answer.text) == (200, "ok")
    assert as_json.json() == {"outcome": "ok", "noRetry": False}
    assert server.get("/").json()[time] == "1 2 3 4 *"


def test_what_fires_next_is_listed(server: DevServer) -> None:
    listed = json.loads(groundfog(server.project, "list", "--json").output)
    told = server.get("/cdn-cgi/groundfog/cron").json()["result"]
    v4 = server.get("/client/v4/accounts/a/workers/scripts/cron/schedules").json()["result"]

    assert [each["cron"] for each in listed] == ["*/15 * * * *", "0 9 * * MON-FRI"]
    assert told["fires"] and [each["cron"] for each in told["triggers"]] == [
        each["cron"] for each in listed
    ]
    assert [each["cron"] for each in v4["schedules"]] == [each["cron"] for each in listed]


def test_the_command_line_runs_it(server: DevServer) -> None:
    done = groundfog(server.project, "run", "--time", "77")
    assert (done.exit_code, done.output) == (0, "ok\n")
    assert server.get("/").json()["77"] == "*/15 * * * *"


def test_a_wrong_time_is_refused(server: DevServer) -> None:
    answer = server.get(PATHS[0], params={"time": "soon"})
    assert (answer.status_code, "expected milliseconds" in answer.text) == (400, True)


@pytest.mark.parametrize(
    ("signature", "body", "told", "no_retry"),
    [
        ("def scheduled(self, controller, env, ctx):", "pass", "", False),
        (
            "async def scheduled(self, controller):",
            "pass",
            "takes 2 positional arguments but 4 were given",
            False,
        ),
        (
            "async def scheduled(self, controller, env, ctx):",
            "controller.noRetry(); raise ValueError('broken')",
            "ValueError: broken",
            True,
        ),
        ("def fetch(self):", "pass", "Handler does not export a scheduled() function.", False),
    ],
)
def test_how_a_handler_ends_is_answered_and_told(
    handlers: DevServer, signature: str, body: str, told: str, no_retry: bool
) -> None:
    entry = handlers.project / "src" / "entry.py"
    count = len(handlers.lines)
    entry.write_text(HANDLER.format(signature=signature, body=body))
    handlers.wait_for("[Rr]eload", after=count)

    answer = handlers.get(PATHS[0], params={"format": "json", "cron": "* * * * *"})

    outcome = "exception" if told else "ok"
    assert answer.json() == {"outcome": outcome, "noRetry": no_retry}
    assert answer.status_code == (500 if told else 200)
    handlers.wait_for(re.escape(told))


@pytest.fixture(scope="module")
def handlers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    project = tmp_path_factory.mktemp("handlers") / "cron"
    shutil.copytree(FIXTURES / "cron", project)
    (project / "groundfog.toml").write_text("[cron]\nfire = false\n")
    with DevServer(project) as running:
        yield running


def test_without_a_server_a_run_says_so(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "cron", tmp_path / "cron")
    done = groundfog(tmp_path / "cron", "run")
    assert done.exit_code == 1 and "No server runs on this project" in done.output
