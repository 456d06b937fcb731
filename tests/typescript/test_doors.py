"""One table of requests against both doors: Python's own, and workerd's with our code in front."""

from __future__ import annotations

import contextlib
import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from emulator.runner.requests import FetchReply, FetchRequest
from emulator.server.security import Access
from tests.end_to_end.server import DevServer
from tests.server.serving import get, reply, request, run, serving, status_of
from tests.typescript.projects import dev, project

INDEX = """
import { env as imported } from "cloudflare:workers";

const early = Object.keys(imported);

export default {
  async fetch(request: Request, env: any): Promise<Response> {
    console.log("%s and", "one", { two: 2 }, "\\nmore");
    const seen = [...early, ...Object.keys(env), ...Object.keys(imported)];
    return Response.json([...request.headers], { headers: { "x-env": `${seen}` } });
  },
};
"""
ORIGIN = "Origin: http://evil.example"
CHUNKED = "Transfer-Encoding: chunked"
LARGE = "Content-Length: 600000000"

# Name, request, and the status that both doors answer with.
TABLE: list[tuple[str, bytes, int]] = [
    *((f"host {host}", get(host=host), 200) for host in ("localhost", "LOCALHOST:1")),
    *((f"host {host}", get(host=host), 200) for host in ("shop.localhost:8787", "127.8.9.1")),
    *((f"host {host}", get(host=host), 200) for host in ("[::1]:8787", "dev.example.com:80")),
    *((f"host {host}", get(host=host), 403) for host in ("evil.example", "127.0.0.1.evil.example")),
    *(
        (f"host {host}", get(host=host), 403)
        for host in ("192.168.0.7", "localhost.evil", "1270.0.1")
    ),
    ("no host", get(host=None), 400),
    ("an origin elsewhere", get("/", ORIGIN), 200),
    ("control, an origin elsewhere", get("/cdn-cgi/x", ORIGIN), 403),
    ("control, the own origin", get("/cdn-cgi/x", "Origin: http://localhost"), 404),
    ("control, a foreign host", get("/cdn-cgi/x", host="evil.example"), 403),
    ("control, from another site", get("/client/v4/x", "Sec-Fetch-Site: cross-site"), 403),
    ("control, as CORS asks", request("OPTIONS", "/client/v4/x"), 405),
    ("control, its root", get("/cdn-cgi"), 404),
    ("control, encoded", get("/%63dn-cgi/x", ORIGIN), 403),
    ("control, as a prefix only", get("/cdn-cgix", ORIGIN), 200),
    ("control, in upper case", get("/CDN-CGI/x", ORIGIN), 200),
    ("a body that is too large", request("POST", "/", LARGE), 413),
    ("a method of its own", request("PURGE", "/"), 200),
    ("a body in chunks", request("POST", "/", CHUNKED) + b"5\r\nhello\r\n0\r\n\r\n", 200),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    folder: Path = project(tmp_path_factory.mktemp("doors"), INDEX)
    with dev(folder, "--allowed-host", "dev.example.com") as running:
        yield running


def through_workerd(server: DevServer, raw: bytes) -> bytes:
    port = httpx.URL(server.url).port
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(raw)
        answer = b""
        while data := connection.recv(65536):
            answer += data
    return answer


def through_python(raw: bytes) -> bytes:
    async def answered(request: FetchRequest) -> FetchReply:
        return reply(json.dumps(request.headers).encode())

    async def main() -> bytes:
        access = Access.for_bind("localhost", "token", frozenset({"dev.example.com"}))
        async with serving(answered, access=access) as door:
            return await door.exchange(raw)

    return run(main())


@pytest.mark.parametrize(("name", "raw", "status"), TABLE, ids=[row[0] for row in TABLE])
def test_both_doors_answer_alike(server: DevServer, name: str, raw: bytes, status: int) -> None:
    assert (status_of(through_python(raw)), status_of(through_workerd(server, raw))) == (
        status,
        status,
    )


def test_both_doors_remove_the_headers_that_only_the_host_may_set(server: DevServer) -> None:
    lines = (
        "X-Groundfog-Asker: 1 user",
        "MF-Original-URL: http://x",
        "CF-EW-Via: 1",
        "X-Own: kept",
    )
    sent = get("/", *lines)

    for answer in (through_python(sent), through_workerd(server, sent)):
        found = answer[answer.index(b"[[") : answer.rindex(b"]]") + 2]
        names = {name for name, _ in json.loads(found)}
        assert "x-own" in names and "cf-connecting-ip" in names
        assert not names & {"x-groundfog-asker", "mf-original-url", "cf-ew-via"}


def test_both_doors_say_the_address_of_the_client_unless_it_says_one_itself(
    server: DevServer,
) -> None:
    for line, address in ((), "127.0.0.1"), (("CF-Connecting-IP: 203.0.113.9",), "203.0.113.9"):
        sent = get("/", *line)
        for answer in (through_python(sent), through_workerd(server, sent)):
            assert f'["cf-connecting-ip","{address}"]'.encode() in answer.replace(b'", "', b'","')


@contextlib.contextmanager
def ends_when_asked(path: Path) -> Iterator[None]:
    """Listen at a path in place of the host, and hang up on whoever asks."""
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(65536)

        thread = threading.Thread(target=hang_up)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_host_that_ends_while_it_is_asked_may_have_done_it() -> None:
    with tempfile.TemporaryDirectory() as short:  # so that the sockets are in the state directory
        folder = project(Path(short, "project"), INDEX)
        with dev(folder) as running, ends_when_asked(folder / ".groundfog/workerd/door.sock"):
            asked = through_workerd(running, request("POST", "/client/v4/x"))
            refused = through_workerd(running, get("/", host="evil.example"))

    assert status_of(asked) == 502 and b"It may have done what was asked." in asked
    assert status_of(refused) == 403


def test_user_code_sees_no_binding_of_ours(server: DevServer) -> None:
    assert httpx.get(server.url).headers["x-env"] == "DB,DB,DB"


def test_each_line_that_is_printed_says_for_which_request(server: DevServer) -> None:
    httpx.get(f"{server.url}/{'long' * 20}?query")

    path = f"/{'long' * 9}lon…"
    server.wait_for(rf"GET {path} \| one and \{{ two: 2 \}}.*\n.*GET {path} \| more")
