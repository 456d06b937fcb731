"""What goes wrong at the start or under way: said clearly, losing nothing, without our trace."""

from __future__ import annotations

import hashlib
import resource
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import WRANGLER, make_project, workflow_project
from tests.end_to_end.test_workflows import SEQUENCE, SLEEPING, create, wait_for_status
from tests.waiting import eventually

HELLO = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("hello")
"""


def refused(*arguments: str, cwd: Path | None = None) -> str:
    """Run `groundfog dev …`, which must refuse to start; return what it says."""
    result = subprocess.run(
        [sys.executable, "-m", "groundfog", "dev", *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        cwd=cwd,
        check=False,
    )
    assert result.returncode == 1, result.stdout + result.stderr
    assert "Traceback" not in result.stderr, result.stderr
    return result.stderr


def test_a_port_in_use_is_named_with_what_to_do(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", HELLO)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        message = refused(str(project), "--port", str(port))

    assert f"{port} is already in use" in message
    assert "--port" in message


def test_a_folder_without_configuration_is_named(tmp_path: Path) -> None:
    assert "wrangler.toml" in refused(str(tmp_path))


def test_an_empty_configuration_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "wrangler.toml").write_text("")

    assert "main" in refused(str(tmp_path))


def test_a_configuration_with_several_problems_reports_them_all_with_lines(
    tmp_path: Path,
) -> None:
    text = WRANGLER.replace('name = "flow"', 'name = "bad name!"').replace(
        'binding = "DB"', "binding = 5"
    )

    message = refused(str(make_project(tmp_path / "p", HELLO, text)))

    assert "wrangler.toml:8" in message
    assert "wrangler.toml:13" in message


def test_a_workflow_class_that_the_code_lacks_is_named_with_what_it_has(
    tmp_path: Path, serve: Serve
) -> None:
    code = HELLO + "\nfrom workers import WorkflowEntrypoint\n\nclass Flows(WorkflowEntrypoint):\n"
    code += "    async def run(self, event, step):\n        pass\n"

    server = serve(make_project(tmp_path / "p", code))

    server.wait_for(r'wrangler\.toml:\d+: .*class_name is "Flow"')
    server.wait_for(r"Flows \(src/entry\.py:\d+\)")


def test_a_second_server_on_the_same_state_names_the_first(tmp_path: Path, serve: Serve) -> None:
    project = make_project(tmp_path / "p", HELLO)
    first = serve(project)

    message = refused(str(project), "--port", "0")

    assert f"pid {first.pid}" in message
    assert first.url.rsplit(":", 1)[1] in message
    assert "--persist-to" in message
    assert first.get("/").text == "hello"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: path.write_text("this is no database" * 100), "not a SQLite database"),
        (lambda path: _sqlite(path, "CREATE TABLE t (x)"), "not a journal"),
        (lambda path: _sqlite(path, "PRAGMA user_version = 99"), "newer Groundfog"),
    ],
    ids=["corrupt", "foreign", "newer"],
)
def test_a_journal_that_cannot_be_used_is_refused_and_left_as_it_is(
    tmp_path: Path, make: object, expected: str
) -> None:
    project = make_project(tmp_path / "p", HELLO)
    journal = project / ".groundfog" / "journal.sqlite"
    journal.parent.mkdir()
    make(journal)  # type: ignore[operator]
    before = hashlib.sha256(journal.read_bytes()).hexdigest()

    message = refused(str(project), "--port", "0")

    assert expected in message
    assert hashlib.sha256(journal.read_bytes()).hexdigest() == before


def _sqlite(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.execute("CREATE TABLE IF NOT EXISTS filler (x)")
    connection.commit()
    connection.close()


def test_a_full_disk_is_an_error_for_create_and_work_goes_on_when_there_is_room(
    tmp_path: Path, serve: Serve
) -> None:
    server = serve(workflow_project(tmp_path / "p", SLEEPING))
    create(server, "before", {"nap": "2 seconds"})
    wait_for_status(server, "before", "waiting")

    # No file of the host may grow any more: what a full disk does to its writes.
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (4096, hard))
    refused_create = server.post("/create", json={"id": "lost"})
    assert refused_create.status_code == 500
    assert "not recorded" in refused_create.text
    server.wait_for("nothing can be recorded")
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (hard, hard))

    wait_for_status(server, "before", "complete")
    assert "instance.not_found" in server.get("/status/lost").text
    create(server, "lost", {"nap": 1})
    wait_for_status(server, "lost", "complete")


CRASHING = """
import os, time, ctypes
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.url.endswith("/exit"):
            os._exit(3)
        if request.url.endswith("/segfault"):
            ctypes.string_at(0)
        if request.url.endswith("/loop"):
            while True:
                pass
        return Response("alive")
"""


@pytest.mark.parametrize(
    ("path", "expected"), [("/exit", "status 3"), ("/segfault", "signal 11")], ids=["exit", "segv"]
)
def test_a_worker_that_ends_itself_is_reported_and_replaced(
    tmp_path: Path, serve: Serve, path: str, expected: str
) -> None:
    server = serve(make_project(tmp_path / "p", CRASHING))

    response = server.get(path)

    assert response.status_code == 500
    assert expected in response.text
    assert server.get("/").text == "alive"
    server.wait_for(expected)


def test_a_worker_that_loops_for_ever_is_stopped_with_its_stack_and_replaced(
    tmp_path: Path, serve: Serve
) -> None:
    project = make_project(tmp_path / "p", CRASHING)
    (project / "groundfog.toml").write_text('[guest]\nhang_timeout = "1 second"\n')
    server = serve(project)

    response = server.get("/loop")

    assert response.status_code == 500
    loop = CRASHING.splitlines().index("            while True:") + 1
    server.wait_for(rf"entry\.py.*line ({loop}|{loop + 1}) in fetch")  # wherever it was caught
    server.wait_for("GET .*/loop")
    assert server.get("/").text == "alive"


def test_a_workflow_step_that_kills_its_guest_is_charged_and_ends(
    tmp_path: Path, serve: Serve
) -> None:
    run = """
async def run(self, event, step):
    @step.do("fatal", config={"retries": {"limit": 1, "delay": 10, "backoff": "constant"}})
    async def fatal():
        await self.ran("fatal")
        import os
        os._exit(9)

    await fatal()
"""
    server = serve(workflow_project(tmp_path / "p", run))
    create(server, "k")

    server.wait_for("flow k: errored")  # a request in the worker would be a suspect as well
    assert server.get("/counts").json() == {"fatal": 2}


def test_a_request_body_cut_off_in_the_middle_is_an_error_for_the_worker(
    tmp_path: Path, serve: Serve
) -> None:
    code = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        try:
            body = await request.text()
        except BaseException as error:
            print("cut off:", type(error).__name__)
            raise
        print("complete:", len(body))
        return Response(str(len(body)))
"""
    server = serve(make_project(tmp_path / "p", code))
    host, port = server.url.removeprefix("http://").split(":")

    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"POST / HTTP/1.1\\r\\nHost: localhost\\r\\n".replace(b"\\r\\n", b"\r\n"))
        client.sendall(b"Content-Length: 1000\r\n\r\nonly this")

    server.wait_for("cut off:")
    assert "complete:" not in server.output
    assert server.post("/", content=b"x" * 10).text == "10"


def test_sequence_without_its_payload_shows_the_users_own_traceback(
    tmp_path: Path, serve: Serve
) -> None:
    server = serve(workflow_project(tmp_path / "p", SEQUENCE))
    create(server, "no-n")

    eventually(lambda: "KeyError" in server.output)

    assert "emulator/guest" not in server.output
