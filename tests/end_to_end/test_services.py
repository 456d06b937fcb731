"""Service bindings of Python workers: the sample, and what crosses between workers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from websockets.sync.client import connect

from tests.config.project import Project
from tests.end_to_end.projects import FIXTURES, edit, make_project
from tests.end_to_end.server import DevServer

CONFIG = """
name = "self"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]

[[services]]
binding = "MATH"
service = "self"
entrypoint = "Math"
props = { scale = 10, list = [{ a = 1 }] }

[[services]]
binding = "SELF"
service = "self"

[[services]]
binding = "GONE"
service = "other"

[[services]]
binding = "NONE"
service = "self"
entrypoint = "Absent"
"""

ENTRY = """
from datetime import datetime
from urllib.parse import unquote, urlparse

from pyodide.ffi import JsException
from workers import Request, Response, WorkerEntrypoint

kept = []


class Math(WorkerEntrypoint):
    def add(self, a, b=1):
        return a + b

    async def props(self):
        return self.ctx.props.scale, self.ctx.props["list"][0].a

    async def scaled(self, x):
        return x * self.ctx.props.scale + self.ctx.props["list"][0].a

    def echo(self, *args):
        return list(args)

    def types(self, *args):
        return [type(each).__name__ for each in args]

    def boom(self):
        raise ValueError("out of tea")

    def js_boom(self):
        raise JsException("too much", "RangeError")

    def counter(self):
        count = 0

        def increase(by=1):
            nonlocal count
            count += by
            return count

        return increase

    async def apply(self, function, value):
        return await function(value)

    async def size(self, stream):
        return sum([len(piece) async for piece in stream])

    def numbers(self):
        async def pieces():
            for number in range(3):
                yield f"{number}\\n"

        return Response(pieces()).body

    def later(self):
        async def work():
            kept.append("later")

        self.ctx.wait_until(work())

    async def exported(self):
        exports = self.ctx.exports
        answer = await exports.default.fetch("http://x/inner", method="POST", body="tea")
        return [
            await exports.Math.add(1, 2),
            await exports.Math(props={"scale": 3, "list": [{"a": 5}]}).scaled(2),
            answer.status,
            await answer.text(),
            hasattr(exports, "Default"),
        ]

    async def exported_fetch(self):
        scaled = await self.ctx.exports.default(props={"scale": 4}).fetch("http://x/scale")
        return await scaled.text()

    async def deeper(self, n):
        return await self.env.MATH.deeper(n + 1)

    async def through_fetch(self, n):
        return await (await self.env.SELF.fetch(f"http://x/deep/{n}")).text()

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = unquote(urlparse(request.url).path)
        if path == "/inner":
            return Response(
                f"{request.method} {await request.text()} {request.headers.get('x-a')}",
                status=201, headers={"x-b": "2"},
            )
        if path == "/scale":
            return Response(f"{self.ctx.props.scale} {await self.env.MATH.add(1, 2)}")
        if path == "/socket":
            return await self.env.GONE.fetch(request)
        if path == "/away":
            return Response.redirect("http://x/inner", 302)
        if path.startswith("/deep/"):
            return Response(await self.env.MATH.through_fetch(int(path[6:]) + 1))
        math, env = self.env.MATH, self.env
        try:
            found = eval(path[1:], {**globals(), "math": math, "env": env, "request": request})
            return Response(repr(await found if hasattr(found, "__await__") else found))
        except Exception as error:
            return Response(f"{type(error).__name__} {error}")


async def fetched(fetching):
    response = await fetching
    return response.status, await response.text(), response.headers.get("x-b")


async def counted(math):
    increase = await math.counter()
    return await increase(), await increase(5), await math.apply(increase, 10), bool(increase)


async def streamed(math):
    pieces = [bytes(piece) async for piece in await math.numbers()]
    return b"".join(pieces)


async def worked(jobs):
    instance = await jobs.create(id="one", params={"n": 4})
    await instance.send_event({"type": "go", "payload": "on"})
    return {"n": 4}


async def status(jobs):
    return await (await jobs.get("one")).status()


async def changed(math):
    given = {"a": [1]}
    (got,) = await math.echo(given)
    got.a.append(2)
    return given, got.a
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    with DevServer(make_project(tmp_path_factory.mktemp("self") / "p", ENTRY, CONFIG)) as started:
        yield started


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("math.add(1, 2)", "3"),
        ("math.add(1)", "2"),
        ("math.scaled(2)", "21"),
        ("math.echo(1, a=2, b=[3])", "[1, {'a': 2, 'b': [3]}]"),
        ("math.echo(None, 1.0, {'a': {'b': None}}, {1})", "[None, 1, {'a': {'b': None}}, {1}]"),
        ("math.echo(datetime(2026, 1, 1))", "[datetime.datetime(2026, 1, 1, 0, 0)]"),
        ("math.types(b'x', {}, len, ValueError('q'))", "['memoryview', 'JsDict', "
         "'_RpcStubWrapper', 'Exception']"),
        ("math.boom()", "JsException Error: PythonError: Traceback (most recent call last):"),
        ("math.js_boom()", "JsException RangeError: too much"),
        ("math.absent()", "JsException TypeError: The RPC receiver does not implement the method "
         '"absent".'),
        ("math._hidden()", "JsException TypeError: The RPC receiver does not implement the method"),
        ("math.connect()", "JsException TypeError: 'connect' is a reserved method and cannot be "
         "called over RPC."),
        ("math.echo((1,))", "TypeError <class 'tuple'> cannot be sent over RPC."),
        ("math.props()", "JsException Error: PythonError: TypeError: <class 'tuple'> cannot be"),
        ("math.echo({'deep': object()})", "JsException DataCloneError: Could not serialize object"),
        ("math.add(1, 2, 3)", "JsException Error: PythonError: TypeError: Math.add() takes from 2"),
        ("math.apply(lambda x: x * 2, 21)", "42"),
        ("counted(math)", "(1, 6, 16, True)"),
        ("streamed(math)", "b'0\\n1\\n2\\n'"),
        ("math.size(Response('four').body)", "4"),
        ("changed(math)", "({'a': [1]}, [1, 2])"),
        ("math.exported()", "[3, 11, 201, 'POST tea None', False]"),
        ("math.exported_fetch()", "'4 3'"),
        ("math.echo(env.SELF)", "JsException DataCloneError: Could not serialize object of type"),
        ("math.later()", "None"),
        ("kept", "['later']"),
        ("env.GONE.add(1)", 'JsException Error: Cannot access "add" as we couldn\'t find a local'),
        ("env.GONE.fetch('http://x/')", "JsException Error: Cannot access"),
        ("env.NONE.add(1)", "JsException TypeError: There is no 'Absent' class defined in the"),
        ("math.deeper(0)", "JsException Error: deeper() was called from 32 calls inside one"),
        ("math.through_fetch(0)", "JsException Error: "),
        ("fetched(env.SELF.fetch('http://x/inner', method='POST', body='tea', "
         "headers={'x-a': '1'}))", "(201, 'POST tea 1', '2')"),
        ("fetched(env.SELF.fetch(Request('http://x/inner')))", "(201, 'GET  None', '2')"),
        ("fetched(env.SELF.fetch('http://x/away'))", "(201, 'GET  None', '2')"),
        ("fetched(env.SELF.fetch('http://x/away', redirect='manual'))", "(302, '', None)"),
        ("type(env.SELF).__module__ + type(env.SELF).__name__", "'workers.rpc_FetcherWrapper'"),
    ],
)  # fmt: skip
def test_a_worker_calls_itself(server: DevServer, call: str, answer: str) -> None:
    assert server.get(f"/{quote(call)}").text.startswith(answer)


def test_the_sample_asks_its_prices(tmp_path: Path) -> None:
    shop = shutil.copytree(FIXTURES / "services" / "shop", tmp_path / "shop")
    with DevServer(shop) as server:
        assert server.get("/price?article=tea&count=3").json() == {"total": 15, "currency": "EUR"}
        assert server.get("/list").text == "tea: 5\ncup: 12"
        failed = server.get("/price?article=sofa")
        assert failed.status_code == 500 and "sofa is not sold here" in failed.text
        assert "shop#Prices (this worker)" in server.output


OTHER = """
name = "other"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]

[[services]]
binding = "BACK"
service = "self"
entrypoint = "Math"

[[workflows]]
binding = "JOBS"
name = "jobs"
class_name = "Jobs"
"""
FOREIGN = """
[[workflows]]
binding = "{binding}"
name = "{name}"
class_name = "Jobs"
script_name = "{script}"
"""

OTHER_ENTRY = """
import os

from js import WebSocketPair
from workers import Response, WorkerEntrypoint, WorkflowEntrypoint


class Jobs(WorkflowEntrypoint):
    async def run(self, event, step):
        @step.do("double")
        async def double():
            return await self.env.BACK.add(event["payload"]["n"], event["payload"]["n"])

        found = await step.wait_for_event("go on", "go")
        return [await double(), found["payload"]]


class Default(WorkerEntrypoint):
    async def add(self, a, b=1):
        return a + b + 1000

    async def apply(self, function):
        return await self.env.BACK.apply(function, 5)

    async def circle(self):
        return await self.env.BACK.around()

    async def end(self):
        os._exit(3)

    async def fetch(self, request):
        if request.headers.get("upgrade") == "websocket":
            client, server = WebSocketPair.new().object_values()
            server.accept()
            server.onmessage = lambda event: server.send(event.data.upper())
            server.onclose = lambda event: print("closed", event.code)
            return Response(None, status=101, web_socket=client)
        print("asked for", request.url)
        return Response(await request.text() + "!")
"""
AROUND = """
    async def around(self):
        return await self.env.GONE.circle()

    async def deeper(self, n):"""


def test_workers_of_one_session_call_each_other(tmp_path: Path) -> None:
    entry = ENTRY.replace("\n    async def deeper(self, n):", AROUND)
    first = make_project(tmp_path / "self", entry, CONFIG)
    foreign = FOREIGN.format(binding="JOBS", name="jobs", script="other")
    foreign += FOREIGN.format(binding="NO", name="none", script="nowhere")
    (first / "wrangler.toml").write_text(CONFIG + foreign)
    other = make_project(tmp_path / "other", OTHER_ENTRY, OTHER)
    with DevServer(first, str(other)) as server:
        assert server.get("/worked(env.JOBS)").text == "{'n': 4}"
        server.wait_for(r"\[other\] workflow jobs one: complete")
        assert "[8, 'on']" in server.get("/status(env.JOBS)").text
        assert "which is not started" in server.get("/env.NO.create()").text

        assert server.get("/env.GONE.add(1)").text == "1002"
        assert server.get("/env.GONE.apply(lambda x: x + 1)").text == "6"
        fetched = "fetched(env.GONE.fetch('http://x/y', method='POST', body='tea'))"
        assert server.get(f"/{quote(fetched)}").text == "(200, 'tea!', None)"
        server.wait_for(r"\[other\] POST /y \| asked for http://x/y")
        server.wait_for(r"\[self\] GET /fetched")
        assert "32 calls inside one another" in server.get("/env.GONE.circle()").text
        with connect(server.url.replace("http", "ws") + "/socket") as socket:
            for text in ("tea", "cup"):
                socket.send(text)
                assert socket.recv() == text.upper()
            socket.close(4001)
        server.wait_for(r"\[other\] .*closed 4001")

        seen = len(server.lines)
        edit(other, "+ 1000", "+ 2000")
        server.wait_for(r"\[other\] reloaded", seen)
        assert server.get("/env.GONE.add(1)").text == "2002"
        edit(other, "import os", "import os, absent_module")
        server.wait_for(r"\[other\] error: the worker could not be loaded", seen)
        assert server.get("/env.GONE.add(1)").text == "2002"  # the code before

        ended = server.get("/env.GONE.end()").text
        assert ended.startswith("JsException Error: worker other cannot be called")
        server.wait_for(r"\[other\] error: the worker could not be loaded.* Every request")
        refused = server.get("/env.GONE.add(1)").text
        assert "its code does not load (ModuleNotFoundError" in refused
        assert server.get("/math.add(1, 2)").text == "3"
        assert all((each / ".groundfog" / "journal.sqlite").exists() for each in (first, other))


def test_two_workers_with_one_name_do_not_start(tmp_path: Path) -> None:
    first = make_project(tmp_path / "a", OTHER_ENTRY, OTHER)
    second = make_project(tmp_path / "b", OTHER_ENTRY, OTHER)
    command = [sys.executable, "-m", "groundfog", "dev", str(first), str(second), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "Two workers are called other" in done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[services]]\nbinding = "A"\n', "services[0] has no service"),
        ('[[services]]\nservice = "a"\n', "services[0] has no binding"),
        (
            '[[services]]\nbinding = "A"\nservice = "a"\nprops = 5\n',
            "props is 5; expected an object",
        ),
        ('[services]\nbinding = "A"\n', "expected an array of objects"),
    ],
)
def test_a_wrong_configuration_is_named(tmp_path: Path, text: str, told: str) -> None:
    project = Project(tmp_path)
    project.toml(text)
    assert told in project.problem()
