"""The fixture `worker`: requests, bindings, logs, fresh state for each test."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from groundfog.testing import (
    HTTPStatusError,
    RefusedError,
    WebSocketClosed,
    Worker,
    WorkerError,
)
from tests.waiting import eventually

pytestmark = pytest.mark.worker(project="fixtures/orders")


def test_a_request_is_answered_by_the_real_worker(worker: Worker) -> None:
    response = worker.get("/")

    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("application/json")
    assert response.json() == {"greeting": "hello", "orders": []}
    assert [line["message"] for line in worker.logs if line["level"] == "log"] == [
        "listing the orders"
    ]


def test_bindings_are_used_from_the_test_as_in_the_worker(worker: Worker) -> None:
    insert = worker.env.DB.prepare("INSERT INTO orders VALUES (?, ?)")
    worker.env.DB.batch([insert.bind("a", "new"), insert.bind("b", "new")])

    assert worker.get("/").json()["orders"] == [
        {"id": "a", "state": "new"},
        {"id": "b", "state": "new"},
    ]
    assert worker.env.DB.prepare("SELECT count(*) AS n FROM orders").first("n") == 2
    assert worker.env.GREETING == "hello"
    answer = worker.env.AI.run("@cf/meta/llama-3.1-8b-instruct", {"prompt": "Hello"})
    assert answer.response


def test_the_next_test_finds_nothing_of_the_one_before(worker: Worker) -> None:
    assert worker.get("/").json()["orders"] == []


def test_an_error_of_the_worker_is_raised_with_its_traceback(worker: Worker) -> None:
    with pytest.raises(WorkerError, match="boom") as raised:
        worker.get("/boom")
    assert raised.value.name == "ValueError"
    assert 'raise ValueError("boom")' in raised.value.traceback

    response = worker.get("/boom", raise_worker_errors=False)
    assert response.status_code == 500
    with pytest.raises(HTTPStatusError, match="answered 500"):
        response.raise_for_status()


def test_bodies_are_sent_as_httpx_sends_them(worker: Worker) -> None:
    form = worker.post("/echo", data={"a": "1 2"})
    assert (form.text, form.headers["x-kind"]) == ("a=1+2", "application/x-www-form-urlencoded")
    text = worker.post("/echo", content="plain", headers={"content-type": "text/plain"})
    assert (text.text, text.headers["x-kind"]) == ("plain", "text/plain")
    files = worker.post("/echo", files={"file": ("a.txt", b"content", "text/plain")})
    assert files.headers["x-kind"].startswith("multipart/form-data; boundary=")
    assert 'name="file"; filename="a.txt"' in files.text
    with pytest.raises(TypeError, match="one body"):
        worker.post("/echo", json={}, content="x")


def test_redirects_are_followed_when_asked(worker: Worker) -> None:
    assert worker.get("/old").status_code == 302
    followed = worker.get("/old", follow_redirects=True)
    assert (followed.status_code, [each.status_code for each in followed.history]) == (200, [302])


def test_reset_begins_again_with_fresh_state(worker: Worker) -> None:
    worker.env.DB.exec("INSERT INTO orders VALUES ('a', 'new')")
    worker.post("/", json={"id": "order-1"})

    worker.reset()

    assert worker.get("/").json()["orders"] == []
    assert worker.introspect_workflow("ORDERS").get() == []


@pytest.mark.worker(vars={"GREETING": "good evening"}, secrets={"TOKEN": "s"})
def test_marks_of_the_test_add_to_those_of_the_module(worker: Worker) -> None:
    assert worker.get("/").json()["greeting"] == "good evening"
    assert worker.env.TOKEN == "s"


def test_other_programs_reach_the_worker_by_its_address(worker: Worker) -> None:
    url, token = worker.url, worker.token
    assert (worker.url, worker.token) == (url, token)

    with httpx.Client(trust_env=False) as client:
        assert client.get(url).json() == {"greeting": "hello", "orders": []}
        clock = f"{url}/cdn-cgi/groundfog/clock"
        assert client.get(clock, headers={"authorization": f"Bearer {token}"}).status_code == 200
        worker.close()
        with pytest.raises(httpx.TransportError):
            eventually(lambda: not client.get(url))


@pytest.mark.worker(environment="nosuch")
def test_warnings_about_the_configuration_are_among_the_logs(worker: Worker) -> None:
    warnings = [line["message"] for line in worker.logs if line["level"] == "warning"]

    assert any("nosuch" in text for text in warnings)


def test_a_websocket_is_spoken_with_until_the_worker_closes_it(worker: Worker) -> None:
    with worker.websocket("/echoes") as socket:
        socket.send("text")
        socket.send(b"bytes")
        assert (socket.receive(), socket.receive()) == ("text", b"bytes")
        socket.send_json({"a": [1]})
        assert socket.receive_json() == {"a": [1]}
        socket.send("bye")
        with pytest.raises(WebSocketClosed, match="4000 as you wish") as closed:
            socket.receive()

    assert (closed.value.code, socket.close_code) == (4000, 4000)
    with pytest.raises(RefusedError, match="answered with 200, not with a WebSocket"):
        worker.websocket("/").__enter__()


def test_a_stream_is_read_piece_by_piece(worker: Worker) -> None:
    with worker.stream("/slowly") as answer:
        assert (answer.status_code, answer.read_piece()) == (200, b"one ")
        assert answer.read() == b"other"


@pytest.mark.worker(migrate=False)
def test_migrations_and_seeds_are_applied_when_the_test_says_so(
    worker: Worker, tmp_path: Path
) -> None:
    seed = tmp_path / "seed.sql"
    two = "-- two\nINSERT INTO orders\nVALUES ('b', 'old');"
    seed.write_text(f"INSERT INTO orders VALUES ('a;', 'new');\n{two}")

    told = worker.apply_migrations()
    worker.seed(seed)

    assert "applied migration 0001" in told[0] and worker.apply_migrations("DB") == []
    assert len(worker.d1("DB").rows("orders")) == 2
    with pytest.raises(RefusedError, match="The SQL is refused: .*nowhere"):
        worker.seed("INSERT INTO nowhere VALUES (1)", "DB")
    with pytest.raises(RefusedError, match="there are: DB"):
        worker.seed("SELECT 1", "OTHER")
