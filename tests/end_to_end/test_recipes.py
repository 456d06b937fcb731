"""The sample `python-recipes`: what public examples of Python Workers do, in one server."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from websockets.sync.server import ServerConnection, serve

from tests.end_to_end.projects import FIXTURES
from tests.end_to_end.server import DevServer
from tests.waiting import eventually

PAGE = """<html><head><title>Old</title><meta property="og:title" content="Old">
<meta property="og:image" content="old.png"></head><body>text</body></html>"""


class Other(BaseHTTPRequestHandler):
    """Another server: a page, and what it was asked by."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/page":
            self._answer(PAGE.encode(), "text/html")
        else:
            by = parse_qs(parts.query)["by"][0]
            self._answer(json.dumps({"by": by, "method": "GET"}).encode(), "application/json")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self._answer(json.dumps({**body, "method": "POST"}).encode(), "application/json")

    def _answer(self, body: bytes, content_type: str) -> None:
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    project = tmp_path_factory.mktemp("recipes") / "python-recipes"
    ignored = shutil.ignore_patterns(".groundfog", "__pycache__")
    shutil.copytree(FIXTURES / "python-recipes", project, ignore=ignored)
    with DevServer(project) as running:
        yield running


@pytest.fixture(scope="module")
def other() -> Iterator[str]:
    """The address of another server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def test_opengraph_tags_of_another_page_are_rewritten(server: DevServer, other: str) -> None:
    answer = server.get("/opengraph", params={"url": f"{other}/page", "title": "New"})
    assert answer.headers["content-type"] == "text/html"
    assert '<head><meta property="og:title" content="New"><title>Old</title>' in answer.text
    assert answer.text.count("og:") == 1 and "<body>text</body>" in answer.text


def test_a_picture_is_drawn_and_answered_as_a_typed_array(server: DevServer) -> None:
    answer = server.get("/image", params={"text": "fog"})
    assert answer.headers["content-type"] == "image/png"
    with Image.open(BytesIO(answer.content)) as image:
        assert image.size == (240, 80)


def test_a_websocket_of_another_server_is_listened_to(server: DevServer) -> None:
    def converse(connection: ServerConnection) -> None:
        said = str(connection.recv())
        for number in (1, 2, 3):
            connection.send(f"{said} {number}")

    with serve(converse, "127.0.0.1", 0) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        port = serving.socket.getsockname()[1]
        heard = server.get("/consume", params={"url": f"ws://127.0.0.1:{port}/"}).json()
        serving.shutdown()
    assert heard == ["hello 1", "hello 2"]


def test_synchronous_http_clients_ask_in_a_handler(server: DevServer, other: str) -> None:
    assert server.get("/clients", params={"url": f"{other}/echo"}).json() == [
        {"by": "httpx", "method": "GET"},
        {"by": "requests", "method": "POST"},
        {"by": "urllib3", "method": "GET"},
    ]


def test_steps_that_depend_on_one_another_run_as_a_graph(server: DevServer) -> None:
    made = server.get("/build", params={"name": "main"}).json()

    def ended() -> dict[str, object] | None:
        status: dict[str, object] = server.get(f"/build/{made['id']}").json()
        return status if status["status"] == "complete" else None

    assert eventually(ended)["output"] == {"objects": ["main.o", "lib.o"], "tests": 2}
