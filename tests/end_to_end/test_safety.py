"""Attacks on a running server: by name, by another page, by another user, by the worker itself."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import WRANGLER, make_project

CURIOUS = """
import os, json
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.url.endswith("/fds"):
            held = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                    if os.path.exists(f"/proc/self/fd/{fd}")]
            return Response.json(held)
        if request.url.endswith("/environ"):
            return Response.json(dict(os.environ))
        if request.url.endswith("/headers"):
            return Response.json(dict(request.headers.items()))
        return Response("hello")
"""

USES_D1 = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        await self.env.DB.exec("CREATE TABLE t (secret TEXT)")
        return Response("stored")
"""


def curious(folder: Path) -> Path:
    return make_project(folder, CURIOUS)


def test_an_unknown_host_name_is_refused_on_every_path(tmp_path: Path, serve: Serve) -> None:
    server = serve(curious(tmp_path / "p"))

    for path in ("/", "/cdn-cgi/anything", "/client/v4/accounts"):
        response = server.get(path, headers={"host": "rebound.example"})
        assert response.status_code == 403
        assert "rebound.example" in response.text


def test_a_control_route_refuses_another_origin(tmp_path: Path, serve: Serve) -> None:
    server = serve(curious(tmp_path / "p"))

    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert server.get("/client/v4/accounts", headers=headers).status_code == 403


def test_internal_headers_from_outside_do_not_reach_the_worker(
    tmp_path: Path, serve: Serve
) -> None:
    server = serve(curious(tmp_path / "p"))

    seen = server.get("/headers", headers={"x-groundfog-run": "1", "x-mine": "2"}).json()

    names = {name.lower() for name in seen}
    assert "x-mine" in names
    assert "x-groundfog-run" not in names


def test_no_socket_between_host_and_guest_has_a_name_to_connect_to(
    tmp_path: Path, serve: Serve
) -> None:
    server = serve(curious(tmp_path / "p"))
    assert server.get("/").text == "hello"

    ours = set()
    for pid in [server.pid, *server.guest_pids()]:
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
            except FileNotFoundError:
                continue
            if found := re.fullmatch(r"socket:\[(\d+)\]", target):
                ours.add(found[1])
    unix_sockets = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    between = [fields for fields in unix_sockets if fields[6] in ours]

    assert between, "host and guest talk over unix sockets"
    assert all(len(fields) == 7 for fields in between), "a path would be an eighth field"


def test_state_is_private_to_the_user(tmp_path: Path, serve: Serve) -> None:
    project = curious(tmp_path / "p")
    serve(project)

    state = project / ".groundfog"

    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert stat.S_IMODE((state / "dev.json").stat().st_mode) == 0o600


def test_state_in_a_folder_open_to_others_is_private_anyway(tmp_path: Path, serve: Serve) -> None:
    project = make_project(tmp_path / "p", USES_D1)
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    server = serve(project, "--persist-to", str(shared))
    assert server.get("/").text == "stored"

    files = [path for path in shared.rglob("*") if path.name != ".gitignore"]
    open_to_others = [path.name for path in files if path.stat().st_mode & 0o077]

    assert {"journal.sqlite", "db.sqlite", "dev.json", "lock"} <= {path.name for path in files}
    assert not open_to_others


def test_the_worker_holds_no_file_of_the_host(tmp_path: Path, serve: Serve) -> None:
    server = serve(curious(tmp_path / "p"))

    held = server.get("/fds").json()

    assert not [target for target in held if ".groundfog" in target], held
    sockets = [target for target in held if target.startswith("socket:")]
    assert len(sockets) <= 3, held  # its connection, and its event loop's own pair


def test_the_worker_does_not_see_the_token_of_its_server(tmp_path: Path, serve: Serve) -> None:
    project = curious(tmp_path / "p")
    server = serve(project)
    token = json.loads((project / ".groundfog" / "dev.json").read_text())["token"]

    assert token not in server.get("/environ").text
    assert token not in server.output


def test_no_secret_value_is_printed_even_when_the_configuration_is_wrong(
    tmp_path: Path, serve: Serve
) -> None:
    project = make_project(tmp_path / "p", CURIOUS, WRANGLER + "\n[vars]\nPLAIN = 'shown'\n")
    (project / ".dev.vars").write_text("API_KEY=hunter2-value\nBAD LINE hunter2-other\n")

    server = serve(project)

    assert re.search(r"env\.API_KEY +Secret +\(hidden\)", server.output)
    assert "hunter2" not in server.output
