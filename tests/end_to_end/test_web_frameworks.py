"""The sample `web-frameworks`: FastAPI, Starlette, Litestar, Flask and Django in one server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.end_to_end.projects import FIXTURES
from tests.end_to_end.server import DevServer
from tests.waiting import eventually

FILE = {"file": ("a.txt", b"12345", "text/plain")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    project = tmp_path_factory.mktemp("web") / "web-frameworks"
    ignored = shutil.ignore_patterns(".groundfog", "__pycache__")
    shutil.copytree(FIXTURES / "web-frameworks", project, ignore=ignored)
    with DevServer(project) as server:
        yield server


SAYS: dict[str, Any] = {
    "/plain/": "first last",
    "/fastapi/env": {"message": "from the environment", "started": "by the lifespan"},
    "/fastapi/items/3?q=x": {"item_id": 3, "q": "x"},
    "/fastapi/d1": [{"n": 42}],
    "/fastapi/page": "<p>Hello, &lt;Ada&gt;</p>",
    "/fastapi/static/style.css": "body { color: teal }\n",
    "/fastapi/events": "data: 0\n\ndata: 1\n\ndata: 2\n\n",
    "/starlette/?a=b": {"path": "/starlette/", "query": {"a": "b"}},
    "/starlette/sync": "sync",
    "/litestar/": {"message": "from the environment"},
    "/litestar/sync/4": 5,
    "/flask/?q=1": {"message": "from the environment", "q": "1"},
    "/flask/d1": 42,
    "/flask/page": "<p>Hello, &lt;Ada&gt;</p>",
    "/flask/stream": "0 1 2 ",
    "/django/hello": {"message": "Hello, World!", "method": "GET"},
    "/django/stream": "0 1 2 ",
    "/django-async/hello": {"message": "Hello, World!", "method": "GET"},
    "/django-async/async": {"message": "async"},
    "/django-async/stream": "0 1 2 ",
}


def test_every_route_answers(server: DevServer) -> None:
    found = {}
    for path, said in SAYS.items():
        answer = server.get(path)
        assert answer.status_code == 200, path
        found[path] = answer.text if isinstance(said, str) else json.loads(answer.text)
    assert found == SAYS


def test_bodies_reach_every_framework(server: DevServer) -> None:
    uploaded = {"name": "a.txt", "size": 5, "note": "ä"}
    for path in ("fastapi", "flask", "django", "django-async"):
        answer = server.post(f"/{path}/upload", files=FILE, data={"note": "ä"})
        assert answer.json() == uploaded, path
    created = server.post("/fastapi/items", json={"name": "pen"})
    assert (created.status_code, created.json()) == (201, {"name": "pen", "price": 1.5})
    assert created.headers["x-middleware"] == "seen"
    assert server.post("/fastapi/items", json={"price": 1}).status_code == 422
    assert server.post("/flask/json", json=[1, {"a": None}]).json() == [1, {"a": None}]
    note = server.post("/litestar/notes", json={"title": "hi", "stars": 2})
    assert (note.status_code, note.json()) == (201, {"title": "HI", "stars": 2})
    large = b"0123456789" * 200_000
    assert server.post("/plain/echo", content=large).content == large


def test_statuses_and_headers_arrive_as_the_application_sent_them(server: DevServer) -> None:
    assert server.get("/flask/a%20b/%C3%A4").text == "a b/ä"
    assert server.get("/flask/a").status_code == 418
    assert server.get("/plain/no-content").status_code == 204
    assert server.get("/fastapi/cookies").headers.get_list("set-cookie") == [
        "a=1; Path=/; SameSite=lax",
        "b=2; Path=/; SameSite=lax",
    ]
    assert server.client.head("/flask/").headers["content-type"] == "application/json"


def test_sessions_and_csrf_tokens_are_kept_in_cookies(server: DevServer) -> None:
    for path in ("/flask/count", "/django/count"):
        with httpx.Client(base_url=server.url) as client:
            assert [client.get(path).text for _ in range(3)] == ["1", "2", "3"]
    with httpx.Client(base_url=server.url) as client:
        token = client.get("/django/token").text
        form = {"word": "let me in", "csrfmiddlewaretoken": token}
        assert client.post("/django/guarded", data={"word": "no"}).status_code == 403
        assert client.post("/django/guarded", data=form).text == "let me in"


def test_each_request_has_a_lifespan_of_its_own(server: DevServer) -> None:
    first = server.get("/plain/lives").text.split(",")
    second = server.get("/plain/lives").text.split(",")
    assert second[len(first) :] == ["lifespan.shutdown", "lifespan.startup"]


def test_work_goes_on_after_the_response_and_stops_when_the_client_goes(server: DevServer) -> None:
    assert server.get("/fastapi/background").json() == "accepted"
    assert "background task" in server.get("/fastapi/done").json()
    with server.client.stream("GET", "/fastapi/endless") as answer:
        assert next(answer.iter_lines()) == "tick"
    eventually(lambda: "endless stopped" in server.get("/fastapi/done").json())


def test_errors_of_an_application_are_shown_and_the_next_request_works(server: DevServer) -> None:
    seen = len(server.lines)
    answer = server.get("/plain/raises")
    assert answer.status_code == 500 and "LookupError: before the response" in answer.text
    server.wait_for("ASGI request failed", seen)
    answer = server.get("/plain/silent")
    assert "RuntimeError: The application did not generate a response" in answer.text
    assert server.get("/plain/breaks").text == "first "
    server.wait_for("Exception in ASGI application after response started", seen)
    assert server.get("/fastapi/fails").status_code == 500
    assert server.get("/fastapi/items/x").status_code == 422
    assert server.get("/plain/").text == "first last"


def test_websockets_of_an_application(server: DevServer) -> None:
    with connect(f"ws{server.url.removeprefix('http')}/fastapi/ws") as socket:
        socket.send("hello")
        assert socket.recv() == "from the environment: hello"
        assert socket.recv() == b"hello"
        socket.send("bye")
        with pytest.raises(ConnectionClosed):
            socket.recv()
        assert (socket.close_code, socket.close_reason) == (4000, "as you wish")
