"""WebSockets of a Python worker: opened, used, closed, refused, and across a save."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import WRANGLER, edit, make_project
from tests.end_to_end.server import DevServer
from tests.waiting import eventually

WORKER = """
from js import WebSocketPair
from pyodide.ffi import create_proxy
from workers import Response, WorkerEntrypoint

VERSION = "first"

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.headers.get("Upgrade") != "websocket":
            return Response(VERSION)
        if "refused" in request.url:
            return Response("not you", status=403)
        client, server = WebSocketPair.new().object_values()
        if "broken" in request.url:
            raise ValueError("no sockets today")
        server.accept()
        server.send(f"{VERSION} {request.url.rpartition('/')[2]}")

        def echo(event):
            if event.data == "close":
                server.close(4001, "as you wish")
            elif event.data == "fail":
                raise ValueError("a listener failed")
            elif isinstance(event.data, str):
                server.send(f"{VERSION}: {event.data}")
            else:
                server.send(event.data.to_bytes()[::-1])

        async def closed(event):
            print(f"closed {event.code} {event.reason!r} {event.wasClean}")

        server.addEventListener("message", create_proxy(echo))
        server.onclose = closed
        headers = {"Sec-WebSocket-Protocol": "chat"} if "chat" in request.url else {}
        return Response(None, status=101, web_socket=client, headers=headers)
"""
PLAIN = "\n".join(WRANGLER.split("\n")[:5])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    project = make_project(tmp_path_factory.mktemp("sockets") / "p", WORKER, PLAIN)
    with DevServer(project) as running:
        yield running


def open_socket(
    server: DevServer, path: str = "/a", headers: dict[str, str] | None = None
) -> ClientConnection:
    url = f"{server.url.replace('http', 'ws')}{path}"
    return connect(url, max_size=None, additional_headers=headers)


def test_text_and_bytes_go_both_ways_and_what_was_sent_first_comes_first(
    server: DevServer,
) -> None:
    with open_socket(server, "/a?b=1") as ws:
        assert ws.recv() == "first a?b=1"
        ws.send("hello")
        assert ws.recv() == "first: hello"
        ws.send(b"\x00\x01\xff")
        assert ws.recv() == b"\xff\x01\x00"


def test_a_message_larger_than_every_window_arrives_whole(server: DevServer) -> None:
    with open_socket(server) as ws:
        ws.recv()
        data = os.urandom(3_000_000)
        ws.send(data)
        assert ws.recv() == data[::-1]


def test_the_worker_closes_with_a_code_and_a_reason(server: DevServer) -> None:
    with open_socket(server) as ws:
        ws.recv()
        ws.send("close")
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv()

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as you wish")


def test_the_worker_hears_why_the_client_closed(server: DevServer) -> None:
    with open_socket(server) as ws:
        ws.recv()
        ws.close(3001, "good night")

    server.wait_for("closed 3001 'good night' True")


def test_the_worker_hears_of_a_connection_that_breaks(server: DevServer) -> None:
    with open_socket(server) as ws:
        ws.recv()
        ws.socket.shutdown(2)

    server.wait_for("closed 1006 .* False")


def test_a_listener_that_fails_is_shown_and_the_socket_goes_on(server: DevServer) -> None:
    with open_socket(server) as ws:
        ws.recv()
        ws.send("fail")
        ws.send("still there?")
        assert ws.recv() == "first: still there?"

    server.wait_for("a listener failed")


def test_a_worker_may_refuse_and_choose_a_protocol(server: DevServer) -> None:
    with pytest.raises(InvalidStatus) as refused, open_socket(server, "/refused"):
        pass
    assert refused.value.response.status_code == 403
    assert refused.value.response.body == b"not you"

    url = f"{server.url.replace('http', 'ws')}/chat"
    with connect(url, subprotocols=[Subprotocol("chat")]) as ws:
        assert ws.subprotocol == "chat"


def test_a_worker_that_raises_answers_with_its_traceback(server: DevServer) -> None:
    with pytest.raises(InvalidStatus) as failed, open_socket(server, "/broken"):
        pass

    assert failed.value.response.status_code == 500
    assert b"no sockets today" in failed.value.response.body


def test_control_paths_and_other_hosts_open_no_socket(server: DevServer) -> None:
    with pytest.raises(InvalidStatus) as control, open_socket(server, "/cdn-cgi/anything"):
        pass
    address = urlsplit(server.url)
    with (
        socket.create_connection((address.hostname, address.port or 0)) as connection,
        pytest.raises(InvalidStatus) as foreign,
        connect("ws://evil.example/a", sock=connection),
    ):
        pass

    assert control.value.response.status_code == 404
    assert foreign.value.response.status_code == 403


def test_a_socket_stays_with_the_code_it_was_opened_on(tmp_path: Path, serve: Serve) -> None:
    project = make_project(tmp_path / "p", WORKER, PLAIN)
    server = serve(project)
    with open_socket(server) as ws:
        ws.recv()

        edit(project, '"first"', '"second"')
        eventually(lambda: server.get("/").text == "second")

        ws.send("which?")
        assert ws.recv() == "first: which?"
        with open_socket(server) as other:
            assert other.recv() == "second a"
        assert len(server.guest_pids()) == 2
    eventually(lambda: len(server.guest_pids()) == 1)


def test_a_worker_that_dies_closes_its_sockets(tmp_path: Path, serve: Serve) -> None:
    server = serve(make_project(tmp_path / "p", WORKER, PLAIN))
    with open_socket(server) as ws:
        ws.recv()
        (guest,) = server.guest_pids()
        os.kill(guest, signal.SIGKILL)
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv()

    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1011


def test_text_that_is_not_utf8_closes_the_socket_with_1007_and_prints_no_traceback(
    server: DevServer,
) -> None:
    for fragments in ([b"\xff"], [b"ok", b"\xc3", b"("]):
        with open_socket(server, "/utf8") as client:
            client.recv()
            client.send(fragments, text=True)
            with pytest.raises(ConnectionClosed) as ended:
                client.recv()
            assert ended.value.rcvd is not None
            assert ended.value.rcvd.code == 1007
    assert not [line for line in server.lines if "Unicode" in line or "UTF-8" in line]


def test_bad_text_right_before_a_goodbye_prints_nothing(server: DevServer) -> None:
    with open_socket(server) as client:
        client.recv()
        before = len(server.lines)
        bad_text, goodbye = bytes((0x81, 0x81, 0, 0, 0, 0, 0xFF)), bytes((0x88, 0x80, 0, 0, 0, 0))
        client.socket.sendall(bad_text + goodbye)
        with pytest.raises(ConnectionClosed):
            client.recv()
    assert server.get("/").text == "first"
    assert "Traceback" not in "\n".join(server.lines[before:])


def test_a_socket_may_be_asked_for_with_as_many_headers_as_any_request(server: DevServer) -> None:
    headers = {"Cookie": "c" * 60_000} | {f"X-{number}": "x" for number in range(500)}
    with open_socket(server, "/long", headers) as client:
        assert client.recv() == "first long"


def test_ctrl_c_closes_sockets_and_ends_the_server(tmp_path: Path, serve: Serve) -> None:
    server = serve(make_project(tmp_path / "p", WORKER, PLAIN))
    with open_socket(server) as ws:
        ws.recv()

        server.stop()

        with pytest.raises(ConnectionClosed) as closed:
            ws.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012
