"""The sample with assets: who answers what, also while the worker's code is broken."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.config.project import Project
from tests.end_to_end.projects import FIXTURES
from tests.end_to_end.server import DevServer
from tests.waiting import eventually


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    project = tmp_path_factory.mktemp("assets") / "assets"
    shutil.copytree(FIXTURES / "assets", project)
    (project / "secret.txt").write_text("secret")
    with DevServer(project) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/", 200, "<h1>Home</h1>\n"),
        ("/docs/", 200, "<h1>Docs</h1>\n"),
        ("/docs", 307, ""),
        ("/home", 301, ""),
        ("/app.js", 200, 'console.log("hello")\n'),
        ("/api/x", 200, "the worker answers /api/x"),
        ("/page", 200, "<h1>Hello from Python: Docs</h1>\n"),
        ("/api/raw/app.js", 200, 'console.log("hello")\n'),
        ("/api/raw/none.js", 404, "<h1>Not found</h1>\n"),
        ("/none", 404, "<h1>Not found</h1>\n"),
    ],
)
def test_who_answers(server: DevServer, path: str, status: int, text: str) -> None:
    answer = server.get(path, follow_redirects=False)
    assert (answer.status_code, answer.text) == (status, text)


def test_an_asset_has_etag_rules_and_ranges(server: DevServer) -> None:
    first = server.get("/app.js")
    assert first.headers["x-robots-tag"] == "noindex"
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    again = server.get("/app.js", headers={"if-none-match": first.headers["etag"]})
    part = server.get("/app.js", headers={"range": "bytes=0-6"})
    head = server.client.head("/app.js")
    assert (again.status_code, part.status_code, part.text) == (304, 206, "console")
    assert (head.status_code, head.headers["content-length"], head.text) == (200, "21", "")


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/%2e%2e/secret.txt",
        "/docs/..%5c..%5csecret.txt",
        "/app.js%00",
        "/api/raw/..%2f..%2fsecret.txt",
    ],
)
def test_no_request_leads_out_of_the_folder(server: DevServer, target: str) -> None:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), 10) as connection:
        request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert b"secret" not in answer.partition(b"\r\n\r\n")[2]


def test_assets_are_served_while_the_code_is_broken_and_follow_the_configuration(
    server: DevServer,
) -> None:
    entry = server.project / "src" / "entry.py"
    good = entry.read_text()
    count = len(server.lines)
    entry.write_text("def broken(:")
    server.wait_for("SyntaxError", after=count)
    assert server.get("/app.js").status_code == 200
    entry.write_text(good)
    server.wait_for("reloaded", after=count)

    count = len(server.lines)
    path = server.project / "wrangler.toml"
    path.write_text(path.read_text().replace('["/api/*", "/page"]', "true"))
    server.wait_for("reloaded", after=count)
    assert server.get("/app.js").text == "the worker answers /app.js"


ALONE = 'name = "site"\ncompatibility_date = "2024-09-23"\n[assets]\ndirectory = "public"\n'


def test_a_project_may_have_assets_alone(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "assets" / "public", tmp_path / "public")
    (tmp_path / "wrangler.toml").write_text(ALONE)
    with DevServer(tmp_path) as server:
        assert server.get("/").text == "<h1>Home</h1>\n"
        assert [server.get("/none").status_code, server.post("/none").status_code] == [404, 404]
        (tmp_path / "wrangler.toml").write_text(
            f'{ALONE}not_found_handling = "single-page-application"\n'
        )
        eventually(lambda: server.get("/none").text == "<h1>Home</h1>\n")


def test_assets_alone_have_no_binding_and_no_worker_first(tmp_path: Path) -> None:
    project = Project(tmp_path)
    (tmp_path / "public").mkdir()
    more = 'binding = "ASSETS"\nrun_worker_first = true\n'
    (tmp_path / "wrangler.toml").write_text(ALONE + more)
    problem = "\n".join(project.problems())
    assert "wrangler.toml:5: Cannot use assets with a binding in an assets-only Worker" in problem
    assert "wrangler.toml:6: Cannot set run_worker_first without a Worker script" in problem
