"""Workers whose code another worker has when it runs."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from bindings.binding import Call
from emulator.errors import WorkerError
from emulator.isolates import KEPT_MAX, Isolates
from emulator.loaded_code import Code, read_code
from emulator.protocol import values
from tests.config.project import Project
from tests.end_to_end.projects import FIXTURES
from tests.end_to_end.server import DevServer
from tests.typescript.projects import dev, project
from tests.waiting import eventually

HEAD = """\
name = "parent"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]

[[worker_loaders]]
binding = "LOADER"

[[services]]
binding = "SELF"
service = "parent"
entrypoint = "Prices"
"""
PARENT = '''
import asyncio
import json
from js import Object
from pyodide.ffi import create_proxy, to_js
from workers import Response, WorkerEntrypoint

CHILD = """
import helper
from workers import Response, WorkerEntrypoint, fetch

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        text = await request.text()
        return Response(f"{helper.hello()} {request.method} {self.env.NAME} {text}", status=203)

    async def price(self, article):
        return await self.env.PRICES.of(article)

    async def outside(self):
        return (await fetch("http://127.0.0.1:1/")).status

class Named(WorkerEntrypoint):
    def props(self, x):
        return [self.ctx.props.a, x]
"""
HELPER = """
def hello():
    with open("greeting.txt") as file:
        return file.read()
"""


class Prices(WorkerEntrypoint):
    def of(self, article):
        return f"{article}: 5"


class Default(WorkerEntrypoint):
    loaded = []

    def code(self, **more):
        self.loaded.append(1)
        modules = {"entry.py": CHILD, "helper.py": {"py": HELPER}}
        modules |= {"greeting.txt": {"text": "hello"}}
        code = {"compatibilityDate": "2026-04-01", "compatibilityFlags": ["python_workers"]}
        code |= {"mainModule": "entry.py", "modules": modules}
        return to_js(code | {"env": {"NAME": "ann"}} | more, dict_converter=Object.fromEntries)

    async def fetch(self, request):
        loader, path = self.env.LOADER, request.url.rpartition("/")[2]
        try:
            if path == "count":
                return Response(str(len(self.loaded)))
            if path == "named":
                stub = loader.get("named", self.code)
                return Response.json(await stub.getEntrypoint("Named", props={"a": 1}).props(2))
            if path == "price":
                code = {"compatibilityDate": "2026-04-01", "mainModule": "entry.py"}
                code |= {"modules": {"entry.py": CHILD, "helper.py": HELPER}}
                code |= {"env": {"PRICES": self.env.SELF, "NAME": {"x": 1}}}
                async def later():
                    return code
                return Response(await loader.get("price", later).getEntrypoint().price("tea"))
            if path == "outside":
                stub = loader.load(self.code(globalOutbound=None))
                return Response(str(await stub.getEntrypoint().outside()))
            if path == "broken":
                code = {"compatibilityDate": "2026-04-01", "mainModule": "entry.py"}
                code |= {"modules": {"entry.py": "import nothing_of_the_kind"}}
                return Response(str(await loader.load(code).getEntrypoint().hello()))
            if path == "javascript":
                code = self.code(mainModule="index.js", modules={"index.js": "export default {}"})
                await loader.load(code).getEntrypoint().hello()
            if path == "binding":
                await loader.load(self.code(env={"L": loader})).getEntrypoint().hello()
            stub = loader.get(path, create_proxy(self.code))
            return await stub.getEntrypoint().fetch(request._js_request)
        except Exception as error:
            return Response(str(error), status=500)
'''
CHILD_THAT_SAYS = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("{text}")
"""
TYPESCRIPT = """
export default {
  async fetch(request: Request, env: any): Promise<Response> {
    const code = {
      compatibilityDate: "2026-04-01",
      mainModule: "index.js",
      modules: { "index.js": `export default {
        async fetch(request, env) { return new Response(env.NAME + " " + await request.text()); }
      }` },
      env: { NAME: "ann" },
    };
    return env.LOADER.get("one", () => code).getEntrypoint().fetch(request);
  },
};
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = Project(tmp_path_factory.mktemp("loader") / "parent")
    made.toml(head=HEAD)
    made.write("src/entry.py", PARENT)
    with DevServer(made.directory) as running:
        yield running


def test_a_worker_is_loaded_once_and_answers(server: DevServer) -> None:
    before = int(server.get("/count").text)
    for _ in range(3):
        answer = server.post("/once", content="tea")
        assert (answer.status_code, answer.text) == (203, "hello POST ann tea")
    assert int(server.get("/count").text) == before + 1


def test_an_entrypoint_has_its_props(server: DevServer) -> None:
    assert server.get("/named").json() == [1, 2]


def test_a_loaded_worker_calls_a_service_that_it_was_given(server: DevServer) -> None:
    assert server.get("/price").text == "tea: 5"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("outside", "This worker is not permitted to access the internet"),
        ("broken", "The loaded worker failed to start: ModuleNotFoundError: No module named"),
        ("javascript", "From a Python worker, Groundfog loads Python; mainModule index.js"),
        ("binding", "cannot be serialized"),
    ],
)
def test_what_a_loaded_worker_cannot_do_is_told(server: DevServer, path: str, text: str) -> None:
    answer = server.get(f"/{path}")
    assert answer.status_code == 500 and text in answer.text


def test_the_sample_runs_what_it_is_sent(tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / "worker-loader", tmp_path / "sample")
    source = CHILD_THAT_SAYS.format(text="hello")
    with DevServer(folder) as server:
        assert server.get("/one").status_code == 404
        assert server.post("/one", content=source).text == "hello"
        assert server.get("/one").text == "hello"
        assert server.post("/one", content=source.replace("hello", "bye")).text == "bye"


def test_a_save_ends_loaded_workers(tmp_path: Path) -> None:
    made = Project(tmp_path)
    made.toml(head=HEAD)
    made.write("src/entry.py", PARENT)
    with DevServer(tmp_path) as server:
        alone = len(server.guest_pids())
        assert server.post("/n", content="tea").text == "hello POST ann tea"
        assert len(server.guest_pids()) == alone + 1
        made.write("src/entry.py", PARENT.replace('"text": "hello"', '"text": "goodbye"'))
        server.wait_for("[Rr]eloaded")
        eventually(lambda: len(server.guest_pids()) == alone)
        assert server.post("/n", content="tea").text == "goodbye POST ann tea"


class _Guest:
    """Stands for a guest that answers nothing."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[str] = loop.create_future()
        self.connection = SimpleNamespace(closed=loop.create_future())
        self.stopped = 0

    async def drain(self, limit_ms: int) -> None: ...

    async def stop(self) -> bool:
        self.stopped += 1
        return True


def test_the_one_that_was_called_least_recently_ends() -> None:
    started: list[tuple[_Guest, Path]] = []

    async def start(folder: Path, code: Code) -> Any:
        started.append((_Guest(), folder))
        return started[-1][0]

    async def ask(isolates: Isolates, method: str, *args: Any) -> Any:
        payload = values.encode(list(args))
        answer = await isolates.answer("LOADER", Call(method, payload))
        return values.decode(answer.data)

    async def main() -> None:
        isolates = Isolates()
        isolates.start = start
        await asyncio.gather(*(ask(isolates, ":load", "0", CODE) for _ in range(3)))
        assert len(started) == 1  # they waited for one another
        for number in range(1, KEPT_MAX):
            await ask(isolates, ":load", str(number), CODE)
        assert await ask(isolates, ":ready", "0")  # now "1" is the oldest
        await ask(isolates, ":load", "more", CODE)
        while started[1][1].exists():
            await asyncio.sleep(0)
        assert [guest.stopped for guest, _ in started[:3]] == [0, 1, 0]
        assert started[0][1].exists()
        assert not await ask(isolates, ":ready", "1")
        started[0][0].lost.set_result("was killed")
        assert not await ask(isolates, ":ready", "0")
        with pytest.raises(WorkerError, match="was evicted while it was called"):
            await ask(isolates, quote(json.dumps({"id": "1"})) + " fetch")
        isolates.drop()
        await isolates.close()
        assert not any(folder.exists() for _, folder in started)

    asyncio.run(main())


def test_workerd_loads_javascript(tmp_path: Path) -> None:
    folder = project(tmp_path / "worker", TYPESCRIPT, '\n[[worker_loaders]]\nbinding = "LOADER"\n')
    with dev(folder) as server:
        assert [server.post("/", content="tea").text for _ in range(2)] == ["ann tea"] * 2


CODE = {"compatibilityDate": "2026-04-01", "mainModule": "a.py", "modules": {"a.py": ""}}


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (None, "must be an object with mainModule and modules"),
        ({**CODE, "compatibilityDate": "today"}, "compatibilityDate of a loaded worker must be"),
        ({**CODE, "mainModule": "b.py"}, "mainModule of a loaded worker must be the name"),
        ({**CODE, "modules": []}, "mainModule of a loaded worker must be the name"),
        *(
            ({**CODE, "modules": {"a.py": "", name: ""}}, "cannot be the name of a module")
            for name in ("../b.py", "/b.py", "", "a/../../b.py", "a\\b.py", "a\0.py")
        ),
        ({**CODE, "modules": {"a.py": 5}}, "Module a.py must be text, or an object with one of"),
        ({**CODE, "modules": {"a.py": {"py": 5}}}, "Module a.py has no content of its kind, py"),
        ({**CODE, "modules": {"a.py": "", "b": {"wasm": b""}}}, "module b is wasm"),
        ({**CODE, "modules": {"a.py": "x" * (64 * 1024 * 1024 + 1)}}, "larger than 64 MiB"),
        ({**CODE, "tails": [1]}, "does not emulate tails"),
        ({**CODE, "globalOutbound": {}}, "globalOutbound only as null"),
        ({**CODE, "env": []}, "env of a loaded worker must be an object"),
        ({**CODE, "env": {"A": b"x"}}, "may have JSON and service bindings only"),
    ],
)
def test_wrong_code_is_refused(code: Any, text: str) -> None:
    with pytest.raises(WorkerError) as caught:
        read_code(code)
    assert text in caught.value.message


def test_modules_of_each_kind_are_files(tmp_path: Path) -> None:
    modules = {"a.py": "1", "b/c.py": {"py": "2"}, "d": {"data": b"\0"}, "e": {"json": [1]}}
    read_code({**CODE, "modules": modules}).write(tmp_path)
    assert (tmp_path / "b" / "c.py").read_text() == "2"
    assert (tmp_path / "d").read_bytes() == b"\0"
    assert json.loads((tmp_path / "e").read_text()) == [1]
