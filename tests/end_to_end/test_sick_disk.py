"""A disk that takes no more, under a real server: the kernel refuses the host's writes.

`RLIMIT_FSIZE` is lowered and lifted again from outside, while the server runs.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.projects import workflow_project
from tests.end_to_end.server import DevServer
from tests.server.api.serving import V4, Api

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux can limit the files of a running process"
)

RUN = """
async def run(self, event, step):
    @step.do("before")
    async def before():
        with open(event["payload"]["file"], "a") as file:
            file.write("before ")
        return "kept"

    kept = await before()
    answer = await step.wait_for_event("answer", "answered", timeout="1 hour")
    return [kept, answer["payload"]]
"""


@contextmanager
def refused_writes(server: DevServer) -> Iterator[None]:
    """Let the host write to no file past its first page."""
    host = psutil.Process(server.pid)
    before = host.rlimit(psutil.RLIMIT_FSIZE)
    host.rlimit(psutil.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        if host.is_running():
            host.rlimit(psutil.RLIMIT_FSIZE, before)


def begin(api: Api, tmp_path: Path) -> Path:
    """Create an instance that has done a step and waits; return the file that its step writes."""
    file = tmp_path / "ran"
    api.create("kept", file=str(file))
    api.until("kept", "waiting")
    return file


def refuse(api: Api) -> None:
    """Ask for what cannot be recorded; each time it is said, and nothing is acknowledged."""
    for path, body in (("", {"instance_id": "lost"}), ("/kept/events/answered", 1)):
        status, code, message = api.error("POST", f"/flow/instances{path}", json=body)
        assert (status, code) == (500, 10001) and "journal.sqlite: not recorded: " in message
    api.server.wait_for("nothing can be recorded .*nothing that was acknowledged is lost")


def test_nothing_acknowledged_is_lost_when_the_host_is_killed_on_a_sick_disk(
    tmp_path: Path,
) -> None:
    project = workflow_project(tmp_path / "p", RUN)
    with DevServer(project) as server:
        api = Api(server, V4)
        file = begin(api, tmp_path)
        with refused_writes(server):
            refuse(api)
            assert api.detail("kept")["status"] == "waiting"
            server.kill()

    with DevServer(project) as server:
        api = Api(server, V4)
        assert api.error("GET", "/flow/instances/lost")[0] == 404
        assert api.detail("kept")["status"] == "waiting"
        api.post("/flow/instances/kept/events/answered", 2)
        assert api.until("kept", "complete")["output"] == ["kept", 2]
        assert file.read_text() == "before "


def test_all_goes_on_by_itself_when_the_disk_is_well_again(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", RUN)) as server:
        api = Api(server, V4)
        file = begin(api, tmp_path)
        with refused_writes(server):
            refuse(api)
        server.wait_for("recording again; workflows go on")

        api.post("/flow/instances/kept/events/answered", 2)

        assert api.until("kept", "complete")["output"] == ["kept", 2]
        assert file.read_text() == "before "
        assert api.error("GET", "/flow/instances/lost")[0] == 404


@pytest.mark.parametrize("exists", [False, True])
def test_a_start_on_a_sick_disk_is_refused_in_a_sentence_and_harms_nothing(
    tmp_path: Path, exists: bool
) -> None:
    project = workflow_project(tmp_path / "p", RUN)
    if exists:
        with DevServer(project) as server:
            begin(Api(server, V4), tmp_path)

    for limit_bytes in (0, 4096):
        done = subprocess.run(
            [sys.executable, "-m", "groundfog", "dev", str(project), "--port", "0"],
            preexec_fn=partial(limit_files, limit_bytes),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

        assert done.returncode == 1 and done.stderr.startswith(f"error: {project / '.groundfog'}")
        assert "Traceback" not in done.stderr and "reset" not in done.stderr
    if exists:
        with DevServer(project) as server:
            assert Api(server, V4).detail("kept")["status"] == "waiting"


def limit_files(limit_bytes: int) -> None:
    """Let this process write no file past so many bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))
