"""Mistakes in a Python worker: production's error to the client, the user's own traceback in the
terminal, and the next request works.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.end_to_end.projects import edit, make_project
from tests.end_to_end.server import DevServer
from tests.waiting import eventually

WRANGLER = """
name = "bad"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]

[[kv_namespaces]]
binding = "KV"
id = "kv"
"""
ENTRY = """
import asyncio
import sys
from urllib.parse import urlparse

from js import structuredClone
from pyodide.ffi import run_sync
from workers import Response, WorkerEntrypoint


class Odd:
    pass


async def never():
    return 1


def deep(n):
    return deep(n + 1)


async def pieces():
    yield b"first "
    raise ValueError("half-way")


async def waiting(seconds):
    await asyncio.sleep(seconds)
    return 1


async def one():
    return run_sync(waiting(0.2))


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await getattr(self, urlparse(request.url).path[1:] or "fine")(request)

    async def fine(self, request):
        return Response("fine")

    async def a_dict(self, request):
        return {"a": 1}

    async def nothing(self, request):
        return None

    async def a_tuple(self, request):
        return 1, 2

    async def broken_json(self, request):
        return Response.json(await request.json())

    async def broken_form(self, request):
        return Response(str(dict(await request.form_data())))

    async def never(self, request):
        never()
        return Response("sent")

    async def stream(self, request):
        return Response(pieces())

    async def for_kv(self, request):
        await self.env.KV.put("k", Odd())

    async def clones(self, request):
        structuredClone(Odd())

    async def as_body(self, request):
        return Response(Odd())

    async def recursion(self, request):
        return Response(str(deep(0)))

    async def exits(self, request):
        sys.exit(3)

    async def many(self, request):
        found = await asyncio.gather(*(one() for _ in range(10_000)), return_exceptions=True)
        errors = {str(each) for each in found if isinstance(each, BaseException)}
        return Response.json({"done": sum(each == 1 for each in found), "errors": sorted(errors)})
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    project = make_project(tmp_path_factory.mktemp("bad") / "project", ENTRY, WRANGLER)
    with DevServer(project) as running:
        yield running


def works(server: DevServer) -> bool:
    return server.get("/").text == "fine"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        (
            "a_dict",
            r"TypeError: Incorrect type for Promise: the Promise did not resolve to 'Response'",
        ),
        ("nothing", r"TypeError: Incorrect type for Promise: .*returned None"),
        ("a_tuple", r"TypeError: <class 'tuple'> cannot be sent over RPC\."),
        ("for_kv", r'JsException: DataCloneError: Could not serialize object of type "Odd"'),
        ("clones", r"JsException: DataCloneError: "),
        ("as_body", r"TypeError: Unsupported type in Response: Odd"),
        ("recursion", r"RecursionError: maximum recursion depth exceeded"),
        ("exits", r"SystemExit: 3"),
    ],
)
def test_the_client_gets_a_500_and_the_terminal_the_users_traceback(
    server: DevServer, path: str, error: str
) -> None:
    before = len(server.lines)
    answer = server.get(f"/{path}")
    assert answer.status_code == 500
    assert re.search(error, answer.text)
    server.wait_for(error, before)
    told = "\n".join(server.lines[before:])
    assert "_groundfog" not in told and "emulator/guest" not in told
    assert works(server)


@pytest.mark.parametrize(
    ("path", "content_type", "body", "error"),
    [
        ("broken_json", "application/json", b"{bad", "json.decoder.JSONDecodeError: Expecting"),
        ("broken_json", "application/json", b'"\xff"', "UnicodeDecodeError|JSONDecodeError|\\[500"),
        (
            "broken_form",
            "multipart/form-data; boundary=x",
            b"--y",
            "TypeError: the body is not the",
        ),
        ("broken_form", "text/plain", b"a=b", "TypeError: "),
    ],
)
def test_a_broken_body_is_the_handlers_error(
    server: DevServer, path: str, content_type: str, body: bytes, error: str
) -> None:
    before = len(server.lines)
    answer = server.post(f"/{path}", content=body, headers={"content-type": content_type})
    if answer.status_code != 200:  # bytes that are not UTF-8 are replaced, as by a TextDecoder
        assert answer.status_code == 500
        server.wait_for(error, before)
    else:
        assert body == b'"\xff"'
    assert works(server)


def test_chunks_that_are_none_are_refused_before_the_worker(server: DevServer) -> None:
    address = urlsplit(server.url)
    head = b"POST /broken_json HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(head + b"zz\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400") or not connection.recv(100)
    assert works(server)


def test_a_coroutine_that_nobody_awaits_is_told_with_its_line(server: DevServer) -> None:
    before = len(server.lines)
    assert server.get("/never").text == "sent"
    server.wait_for(r"entry.py:\d+: RuntimeWarning: coroutine 'never' was never awaited", before)
    assert works(server)


def test_a_stream_that_raises_is_cut_off_and_its_error_is_shown(server: DevServer) -> None:
    before = len(server.lines)
    with pytest.raises(httpx.RemoteProtocolError):
        server.get("/stream")
    server.wait_for("ValueError: half-way", before)
    assert works(server)


def test_ten_thousand_calls_that_wait_at_once_have_a_limit_with_a_clear_error(
    server: DevServer,
) -> None:
    told = server.get("/many").json()
    assert told["done"] == 1000
    assert len(told["errors"]) == 1 and "1,000 calls wait already" in told["errors"][0]
    assert works(server)


def test_an_import_that_raises_is_told_until_it_is_mended(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", f"import helper\n{ENTRY}", WRANGLER)
    (project / "src/helper.py").write_text("raise KeyError('no such setting')\n")
    with DevServer(project) as server:
        answer = server.get("/")
        assert answer.status_code == 500
        assert "KeyError: 'no such setting'" in answer.text and "helper.py" in answer.text
        server.wait_for("KeyError: 'no such setting'")
        edit(project, "raise KeyError('no such setting')", "", "src/helper.py")
        eventually(lambda: works(server))
