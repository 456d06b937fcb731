"""The sample with queues: deliveries, a worker that exits, a kill, pull consumers, commands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cloudflare import Cloudflare

from emulator.cli.main import cli
from emulator.server.api.queues import queue_id
from tests.end_to_end.projects import FIXTURES
from tests.end_to_end.server import DevServer
from tests.end_to_end.wrangler import ACCOUNT
from tests.waiting import eventually

V4 = f"/client/v4/accounts/{ACCOUNT}/queues"


def copied(folder: Path) -> Path:
    shutil.copytree(FIXTURES / "queues", folder / "queues")
    (folder / "queues" / "groundfog.toml").write_text("[queues]\nbatch_timeout = 0\n")
    return folder / "queues"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    with DevServer(copied(tmp_path_factory.mktemp("queues"))) as running:
        yield running


def groundfog(project: Path, *words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, ["queues", *words, "--cwd", str(project)])
    assert done.exit_code == code, done.output
    return done


def ask(server: DevServer, method: str, path: str, **options: Any) -> Any:
    answer = server.client.request(method, V4 + path, **options)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


def done(server: DevServer) -> dict[str, str]:
    return dict(server.get("/").json())


def test_jobs_are_done_tried_again_and_given_up(server: DevServer) -> None:
    jobs = [{"name": "a"}, {"name": "b", "fails": 1}, {"name": "c", "fails": 9}]
    assert server.post("/", json=jobs).status_code == 202

    eventually(lambda: len(done(server)) == 2)
    assert done(server) == {"a": "attempt 1", "b": "attempt 2"}
    (dead,) = eventually(
        lambda: ask(server, "POST", "/failed-jobs/messages/peek", json={})["messages"]
    )
    assert json.loads(dead["body"]) == {"name": "c", "fails": 9}
    server.wait_for("1 message moved to failed-jobs after 3 tries")


def test_a_worker_that_exits_costs_an_attempt_and_loses_nothing(server: DevServer) -> None:
    server.post("/", json=[{"name": "exits", "exits": True}])
    eventually(lambda: done(server).get("exits") == "attempt 2")


def test_what_waits_survives_a_kill_and_is_delivered(tmp_path: Path) -> None:
    project = copied(tmp_path)
    groundfog(project, "pause-delivery", "jobs")
    with DevServer(project) as server:
        server.post("/", json=[{"name": str(n)} for n in range(25)])
        server.kill()
    told = json.loads(groundfog(project, "info", "jobs", "--json").output)
    assert (told["backlog_count"], told["delivery_paused"]) == (25, True)
    groundfog(project, "resume-delivery", "jobs")
    with DevServer(project) as server:
        eventually(lambda: len(done(server)) == 25)
        assert set(done(server).values()) == {"attempt 1"}


def test_messages_are_pulled_over_rest(server: DevServer) -> None:
    path = "/failed-jobs/messages"
    ask(server, "POST", f"{path}/batch", json={"messages": [{"body": n} for n in (1, 2, 3)]})
    pull = {"batch_size": 100, "visibility_timeout_ms": 60_000}
    pulled = ask(server, "POST", f"{path}/pull", json=pull)["messages"]
    numbers = {each["body"]: each for each in pulled}
    assert {"1", "2", "3"} <= numbers.keys() and numbers["1"]["attempts"] == 1
    assert ask(server, "POST", f"{path}/pull", json=pull)["messages"] == []
    settled = ask(
        server,
        "POST",
        f"{path}/ack",
        json={
            "acks": [{"lease_id": each["lease_id"]} for each in pulled if each["body"] != "2"],
            "retries": [{"lease_id": numbers["2"]["lease_id"]}],
        },
    )
    assert (settled["ackCount"], settled["retryCount"]) == (len(pulled) - 1, 1)
    (again,) = ask(server, "POST", f"{path}/pull", json=pull)["messages"]
    assert (again["body"], again["attempts"]) == ("2", 2)
    ask(server, "POST", "/failed-jobs/purge", json={"delete_messages_permanently": True})
    assert ask(server, "GET", "/failed-jobs/metrics")["backlog_count"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/none", None, 404),
        ("POST", "/jobs/messages/pull", {}, 405),
        ("POST", "/jobs/messages", {"body": "x" * 128_001}, 413),
        ("POST", "/jobs/messages", {"body": 1, "content_type": "text"}, 400),
        ("POST", "/jobs/messages", {"body": "?", "content_type": "bytes"}, 400),
        ("POST", "/jobs/messages", {"body": 1, "delay_seconds": -1}, 400),
        ("POST", "/jobs/messages/batch", {"messages": [1]}, 400),
        ("POST", "/failed-jobs/messages/pull", {"batch_size": 0}, 400),
        ("POST", "/failed-jobs/messages/ack", {"acks": [{}]}, 400),
        ("POST", "/jobs/purge", {}, 400),
    ],
)
def test_a_wrong_request_is_refused(
    server: DevServer, method: str, path: str, body: Any, status: int
) -> None:
    answer = server.client.request(method, V4 + path, json=body)
    assert (answer.status_code, answer.json()["success"]) == (status, False)


def test_the_official_sdk_lists_sends_and_pulls(server: DevServer) -> None:
    with Cloudflare(api_token="none", base_url=f"{server.url}/client/v4") as client:
        names = [each.queue_name for each in client.queues.list(account_id=ACCOUNT)]
        failed = queue_id("failed-jobs")
        client.queues.messages.push(failed, account_id=ACCOUNT, body="hello", content_type="text")
        pulled = client.queues.messages.pull(failed, account_id=ACCOUNT, batch_size=10)
    assert names == ["failed-jobs", "jobs"]
    assert pulled.messages is not None and pulled.messages[0].body == "hello"


def test_the_command_line_sends_lists_and_purges(server: DevServer) -> None:
    groundfog(server.project, "send", "jobs", '{"name": "from the command line"}')
    eventually(lambda: "from the command line" in done(server))
    groundfog(server.project, "send", "failed-jobs", "a text", "--content-type", "text")
    listed = json.loads(groundfog(server.project, "list", "--json").output)
    assert [each["queue_name"] for each in listed] == ["failed-jobs", "jobs"]
    assert "failed-jobs" in groundfog(server.project, "list").output
    assert "│ dead letters │ failed-jobs │" in groundfog(server.project, "info", "jobs").output
    assert (
        "Purged failed-jobs" in groundfog(server.project, "purge", "failed-jobs", "--force").output
    )
    assert (
        "There are: failed-jobs, jobs" in groundfog(server.project, "info", "none", code=1).output
    )
    assert "BODY is not JSON" in groundfog(server.project, "send", "jobs", "x", code=1).output
