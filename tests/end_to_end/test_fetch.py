"""`fetch` to other servers, which the host sends: the sample `fetch`, asked over HTTP."""

from __future__ import annotations

import gzip
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import psutil
import pytest

from tests.end_to_end.projects import FIXTURES
from tests.end_to_end.server import DevServer
from tests.waiting import DEADLINE_S, eventually

PIECE = b"0123456789abcdef" * 4096
BIG_PIECES = 1600  # 100 MiB


class Upstream(ThreadingHTTPServer):
    """Another server. `gone`: a client has closed the connection; `go_on`: ends what is slow."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.gone = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def do_GET(self) -> None:
        what, _, rest = self.path.strip("/").partition("/")
        body = b"".join(self._body())
        match what:
            case "echo":
                lines = [f"{self.command} {self.path}"]
                lines += [f"{name}: {value}".lower() for name, value in self.headers.items()]
                self._answer(200, "\n".join([*lines, "", body.decode()]).encode())
            case "gzip":
                self._answer(200, gzip.compress(b"fog " * 1000), ("content-encoding", "gzip"))
            case "to":
                status, _, target = rest.partition("/")
                self._answer(int(status), b"", ("location", target))
            case "big":
                self._stream()
            case "hang":
                self._hang()
            case "broken":
                self.close_connection = True
                self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")

    do_POST = do_PUT = do_HEAD = do_GET

    def _body(self) -> Iterator[bytes]:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            yield self.rfile.read(int(self.headers.get("content-length", "0")))
            return
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("content-length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def _stream(self) -> None:
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            for _ in range(BIG_PIECES):
                self.wfile.write(PIECE)
        except OSError:
            self.server.gone.release()

    def _hang(self) -> None:
        """Answer nothing until the client is gone."""
        self.close_connection = True
        self.connection.settimeout(DEADLINE_S)
        if not self.connection.recv(1):
            self.server.gone.release()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield serving
        serving.shutdown()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    project = tmp_path_factory.mktemp("fetch") / "fetch"
    shutil.copytree(FIXTURES / "fetch", project, ignore=shutil.ignore_patterns(".groundfog"))
    with DevServer(project) as running:
        yield running


def ask(
    server: DevServer, what: str, url: str, *, method: str = "GET", **more: str
) -> httpx.Response:
    content = more.pop("content", None)
    params = {"url": url, **more}
    return server.client.request(method, f"/{what}", params=params, content=content)


def test_a_request_is_passed_on_with_its_headers_and_body(
    server: DevServer, upstream: Upstream
) -> None:
    answer = ask(server, "proxy", f"{upstream.url}/echo/a%20b?c=d", method="PUT", content="fog")
    lines = answer.text.splitlines()
    assert lines[0] == "PUT /echo/a%20b?c=d" and lines[-1] == "fog"
    assert f"host: {upstream.url.removeprefix('http://')}" in lines
    assert "transfer-encoding: chunked" in lines  # a stream has no length
    assert "accept-encoding: gzip, deflate" in lines  # not br and zstd, which nobody here decodes


def test_large_bodies_pass_both_ways_and_memory_stays_flat(
    server: DevServer, upstream: Upstream
) -> None:
    processes = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]

    def memory() -> int:
        return sum(int(each.memory_info().rss) for each in processes)

    before, highest = memory(), 0
    size = 0
    with server.client.stream("GET", "/proxy", params={"url": f"{upstream.url}/big"}) as answer:
        for number, piece in enumerate(answer.iter_raw(1 << 20)):
            size += len(piece)
            if number % 10 == 0:
                highest = max(highest, memory())
    assert size == BIG_PIECES * len(PIECE)
    assert highest - before < 24 << 20

    pieces = (PIECE for _ in range(32))
    sent = server.client.put("/proxy", params={"url": f"{upstream.url}/echo"}, content=pieces)
    assert len(sent.text.rpartition("\n")[2]) == 32 * len(PIECE)


def test_a_client_that_goes_ends_the_request_to_the_other_server(
    server: DevServer, upstream: Upstream
) -> None:
    with server.client.stream("GET", "/proxy", params={"url": f"{upstream.url}/big"}) as answer:
        next(answer.iter_raw(1000))
    assert upstream.gone.acquire(timeout=DEADLINE_S)


@pytest.mark.parametrize(
    ("status", "method", "landed"),
    [(301, "POST", "GET"), (302, "POST", "GET"), (302, "PUT", "PUT"), (303, "PUT", "GET")]
    + [(303, "HEAD", "HEAD"), (307, "POST", "POST"), (308, "PUT", "PUT")],
)
def test_redirects_change_methods_as_the_runtime_does(
    server: DevServer, upstream: Upstream, status: int, method: str, landed: str
) -> None:
    target = f"{upstream.url}/echo/there"
    away = f"{upstream.url}/to/{status}//echo/there"
    if method == "HEAD":
        answer = server.get("/read", params={"url": away, "method": "HEAD"}).json()
    else:
        answer = ask(server, "read", away, method=method, content="fog").json()
    assert (answer["url"], answer["redirected"]) == (target, True)
    if method == "HEAD":
        assert answer["text"] == ""
    else:
        lines = answer["text"].splitlines()
        assert lines[0] == f"{landed} /echo/there"
        assert (lines[-1] == "fog") == (landed == method)


def test_redirects_are_not_followed_where_the_code_says_so(
    server: DevServer, upstream: Upstream
) -> None:
    away = f"{upstream.url}/to/302//echo"
    manual = ask(server, "read", away, redirect="manual").json()
    assert (manual["status"], manual["headers"]["location"]) == (302, "/echo")
    refused = ask(server, "read", away, redirect="error").text
    assert refused.startswith('AbortError: Invalid redirect value, must be one of "follow" or')
    stream = ask(server, "proxy", f"{upstream.url}/to/307//echo", method="POST", content="fog").text
    assert stream.startswith("AbortError: A request with a one-time-use body (it was initialized")
    circle = ask(server, "read", f"{upstream.url}/to/302/302").text
    assert circle == "AbortError: Too many redirects."
    bad = ask(server, "read", f"{upstream.url}/to/302/http:%2F%2F%5B").text
    assert bad == "AbortError: Invalid Location header; unable to follow redirect."


def test_a_redirect_to_another_server_is_not_told_the_authorization(
    server: DevServer, upstream: Upstream
) -> None:
    elsewhere = upstream.url.replace("127.0.0.1", "localhost")
    for target, told in ((f"{elsewhere}/echo", False), ("/echo", True)):
        answer = server.get("/authorized", params={"url": f"{upstream.url}/to/302/{target}"}).text
        assert "cookie: c=1" in answer
        assert ("authorization: bearer key" in answer) == told


def test_a_compressed_answer_is_read_decoded_and_passed_on_as_it_is(
    server: DevServer, upstream: Upstream
) -> None:
    url, text = f"{upstream.url}/gzip", "fog " * 1000
    assert ask(server, "read", url).json()["text"] == text
    with server.client.stream("GET", "/proxy", params={"url": url}) as passed:
        raw = b"".join(passed.iter_raw())
    assert (passed.headers["content-encoding"], gzip.decompress(raw)) == ("gzip", text.encode())
    shouted = ask(server, "shout", url)
    assert (shouted.headers["content-encoding"], shouted.text) == ("gzip", text.upper())


def test_a_request_that_is_given_up_is_closed(server: DevServer, upstream: Upstream) -> None:
    hang = f"{upstream.url}/hang"
    assert ask(server, "abort", hang).text == "AbortError: The operation was aborted"
    assert upstream.gone.acquire(timeout=DEADLINE_S)
    assert ask(server, "timeout", hang).text == "TimeoutError"
    assert upstream.gone.acquire(timeout=DEADLINE_S)
    stopped = ask(server, "stop", f"{upstream.url}/big").text
    assert stopped.endswith("AbortError: enough")
    assert upstream.gone.acquire(timeout=DEADLINE_S)


def test_a_network_that_fails_is_an_abort_error_and_the_log_says_why(
    server: DevServer, upstream: Upstream
) -> None:
    lost = "AbortError: Network connection lost."
    assert ask(server, "read", "http://127.0.0.1:1/?key=secret").text == lost
    assert ask(server, "read", f"{upstream.url}/broken").text == lost
    assert ask(server, "read", "ftp://example.com/").text == (
        "AbortError: Fetch API cannot load: ftp://example.com/"
    )
    found = eventually(lambda: [line for line in server.lines if "127.0.0.1:1/" in line])
    assert (
        found[0].endswith("Connection refused")
        and "fetch GET http://127.0.0.1:1/ failed" in found[0]
    )


def test_requests_are_listed_in_the_log_without_their_query(
    server: DevServer, upstream: Upstream
) -> None:
    ask(server, "read", f"{upstream.url}/echo/listed?key=secret")
    server.wait_for(rf"fetch GET {upstream.url}/echo/listed 200 \(\d+ms\)")


def test_a_data_url_needs_no_network(server: DevServer) -> None:
    answer = ask(server, "read", "data:text/x;base64,Zm9n").json()
    assert (answer["text"], answer["headers"]) == ("fog", {"content-type": "text/x"})
