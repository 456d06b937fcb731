"""What works here and goes otherwise deployed: the deployed result, or a warning with the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bindings.d1.database import D1
from emulator.guest.python import conversion
from emulator.guest.python.sdk.jsproxy import proxied
from emulator.guest.python.sdk.pyodide.ffi import JsException
from emulator.protocol import values
from emulator.protocol.runs import StepDone
from emulator.protocol.windows import CHUNK_BYTES
from tests.guest.conversation import Conversation, play, workflow
from tests.guest.test_bindings import Echo, seen, seen_and_told
from tests.guest.test_workflow_runs import began, executed, raised
from tests.runner.running import Running, read, run, write
from tests.runner.test_requests import chunks, worker


def test_an_option_that_does_not_exist_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    index = Echo("vectorize")
    call = "await env.INDEX.query([1], top_k=2, filtr={}, wrong=1)"
    _, told = seen_and_told(tmp_path, call, {"INDEX": index})

    assert index.calls == [("query", [[1], {"top_k": 2, "filtr": {}, "wrong": 1}])]
    assert [line.partition("has no option ")[2] for line in told] == [
        "top_k; did you mean topK?",
        "filtr; did you mean filter?",
        "wrong; it has topK, returnValues, returnMetadata, namespace, filter",
    ]


@pytest.mark.parametrize(
    ("call", "method", "sent", "ignored"),
    [
        ("query([1], {'topK': 1}, returnMetadata='all')", "query", [[1], {"topK": 1}], 1),
        ("query([1], None, topK=1)", "query", [[1], {}], 1),
        ("queryById('a', {'topK': 1}, filter={})", "queryById", ["a", {"topK": 1}], 1),
        ("query([1], topK=1)", "query", [[1], {"topK": 1}], 0),
        ("query([1], {'topK': 1}, {'topK': 2})", "query", [[1], {"topK": 1}], 0),
    ],
)
def test_of_options_and_keywords_vectorize_gets_the_options_only(
    tmp_path: Path, call: str, method: str, sent: list[Any], ignored: int
) -> None:
    index = Echo("vectorize")
    _, told = seen_and_told(tmp_path, f"await env.INDEX.{call}", {"INDEX": index})
    assert index.calls == [(method, sent)]
    assert len(told) == ignored


@pytest.mark.parametrize(
    ("call", "method", "sent"),
    [
        ("FLOW.create({}, params={'lost': True})", "create", [{}]),
        ("FLOW.create(None, params={'lost': True})", "create", [{}]),
        ("FLOW.createBatch([{'id': 'x'}], count=2)", "createBatch", [[{"id": "x"}]]),
        ("FLOW.create_batch([{'id': 'x'}], count=2)", "createBatch", [[{"id": "x"}]]),
        ("AI.run('m', {'a': 1}, {'b': 1}, stream=True)", "run", ["m", {"a": 1}, {"b": 1}]),
        ("AI.models({'search': 'a'}, page=2)", "models", [{"search": "a"}]),
    ],
)
def test_keywords_beside_options_are_ignored_and_named_with_the_line(
    tmp_path: Path, call: str, method: str, sent: list[Any]
) -> None:
    echo = Echo("", lambda method, args: [{"id": "x"}] if "Batch" in method else {"id": "x"})
    code = f"for _ in range(3):\n    await env.{call}"
    kinds = {"FLOW": {"kind": "workflow"}, "AI": {"kind": "ai"}}
    _, told = seen_and_told(tmp_path, code, {"FLOW": echo, "AI": echo}, kinds=kinds)
    assert echo.calls == [(method, sent)] * 3
    (line,) = told
    assert line.startswith("warning: src/entry.py:10: env.")
    assert "gets options and keywords; JavaScript reads the first only" in line


def test_none_is_a_column_too(tmp_path: Path) -> None:
    code = """
try:
    await env.DB.prepare("SELECT 1 AS one").first(None)
except JsException as error:
    out = str(error)
"""
    expected = "Error: D1_COLUMN_NOTFOUND: Column not found (null)"
    assert seen(tmp_path, code, {"DB": D1(tmp_path / "d1.sqlite")}) == expected


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("delete_batch(['x'])", "env.FLOW.delete_batch is an AttributeError when it is deployed"),
        ("create_batch(count=2)", "create_batch() of anything but a list raises a TypeError when"),
    ],
)
def test_names_that_the_published_sdk_lacks_work_with_a_warning(
    tmp_path: Path, call: str, says: str
) -> None:
    flow = Echo("workflow", lambda method, args: {"created": [], "errors": [], "deleted": []})
    _, told = seen_and_told(tmp_path, f"await env.FLOW.{call}", {"FLOW": flow})
    assert says in told[0]
    assert "src/entry.py:9: " in told[0]


def test_a_clone_that_is_returned_is_named_with_the_line_that_made_it(tmp_path: Path) -> None:
    worker(tmp_path, "response = Response('a')\nsecond = response.clone()\nreturn second")

    async def scenario(it: Running) -> None:
        await it.load()
        assert [await it.get(), await it.get()] == [b"a", b"a"]

    (line,) = run(tmp_path, scenario).printed("stderr")
    assert line.startswith("warning: src/entry.py:7: fetch() returns the clone of a response")


def test_a_request_whose_body_is_still_arriving_can_be_cloned(tmp_path: Path) -> None:
    worker(
        tmp_path,
        "second = request.clone()\n"
        "first, copy = await asyncio.gather(request.bytes(), second.bytes())\n"
        "return Response(f'{len(first)} {first == copy} {second.method} {second.url}')",
    )

    async def scenario(it: Running) -> None:
        await it.load()
        _, _, body = await read(await it.fetch("/a", "POST", chunks(1_000_000)))
        assert (
            body
            == f"{1_000_000 // CHUNK_BYTES * CHUNK_BYTES} True POST http://localhost/a".encode()
        )

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    "returned",
    ["asyncio.gather(asyncio.sleep(0, 1))", "asyncio.ensure_future(asyncio.sleep(0, 1))"],
)
def test_of_what_a_step_returns_only_a_coroutine_is_awaited(tmp_path: Path, returned: str) -> None:
    workflow(
        tmp_path,
        f"step_of = lambda name, make: step.do(name)(make)\n"
        f"await step_of('coroutine', lambda: asyncio.sleep(0, 1))()\n"
        f"await step_of('other', lambda: {returned})()",
    )

    async def scenario(it: Conversation) -> None:
        first = began(await it.start(), "do", "coroutine")
        assert values.decode((await executed(it, first)).payload) == 1
        second = began(await it.ask(StepDone(1, first.call)), "do", "other")
        end = await executed(it, second)
        assert end.name == "TypeError"
        assert end.message.startswith("Awaitable <class '")
        assert end.message.endswith("cannot be sent over RPC.")

    play(tmp_path, scenario)


def test_a_run_that_returns_a_future_fails(tmp_path: Path) -> None:
    source = (
        "import asyncio\nfrom workers import WorkflowEntrypoint\n"
        "class Order(WorkflowEntrypoint):\n"
        "    def run(self, event, step):\n"
        "        return asyncio.ensure_future(asyncio.sleep(0, 1))\n"
    )
    write(tmp_path, {"src/entry.py": source})

    async def scenario(it: Conversation) -> None:
        name, message = raised(await it.start())
        assert name == "TypeError"
        assert message == "Awaitable <class '_asyncio.Task'> cannot be sent over RPC."

    play(tmp_path, scenario)


@pytest.mark.parametrize("kind", ["Response(part for part in 'ab')", "Response(parts())"])
def test_a_generator_as_a_body_streams_with_a_warning(tmp_path: Path, kind: str) -> None:
    body = f"async def parts():\n    yield 'a'\n    yield 'b'\nreturn {kind}"
    worker(tmp_path, body)

    async def scenario(it: Running) -> None:
        await it.load()
        assert await it.get() == b"ab"

    (line,) = run(tmp_path, scenario).printed("stderr")
    assert line.startswith("warning: src/entry.py:9: Response() takes a generator as its body here")


def test_one_list_in_two_places_arrives_as_two() -> None:
    shared: list[Any] = [{"deep": []}]
    limits = proxied({"small": 1}, "env.LIMITS")

    copied = conversion.copy({"a": shared, "b": [shared], "c": shared[0], "d": [limits, limits]})

    copied["a"][0]["deep"].append(1)
    copied["d"][0]["small"] = 2
    assert copied == {
        "a": [{"deep": [1]}],
        "b": [[{"deep": []}]],
        "c": {"deep": []},
        "d": [{"small": 2}, {"small": 1}],
    }


def test_names_that_look_like_references_are_carried_as_they_are() -> None:
    value = {"x": {"$ref": 1}, "y": [{"$ref": "text"}]}
    assert conversion.copy(value) == value


@pytest.mark.parametrize("make", [lambda: [1], lambda: {"a": 1}])
def test_what_contains_itself_is_a_recursion_error(make: Any) -> None:
    value = make()
    value["self" if isinstance(value, dict) else 0] = value
    with pytest.raises(RecursionError, match="a list or dict contains itself"):
        conversion.encode({"deep": [value]})


def test_doublings_in_one_another_are_refused_before_they_take_all_memory() -> None:
    value: list[Any] = []
    for _ in range(60):
        value = [value, value]
    with pytest.raises(JsException, match="has more than 1,000,000 lists and dicts"):
        conversion.encode(value)


def test_a_cyclic_result_of_a_step_fails_the_attempt_and_nothing_else(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "@step.do()\ndef cycle():\n    found = []\n    found.append(found)\n    return found\n"
        "try:\n    await cycle()\nexcept Exception as error:\n    return str(error)",
    )

    async def scenario(it: Conversation) -> None:
        end = await executed(it, began(await it.start(), "do", "cycle"))
        assert (end.name, end.fatal) == ("RecursionError", False)

    play(tmp_path, scenario)


def test_a_frozenset_cannot_be_cloned() -> None:
    with pytest.raises(JsException, match='type "frozenset".*at deep'):
        conversion.encode({"deep": frozenset([1])})
    assert conversion.copy({1, 2}) == {1, 2}


@pytest.mark.imports_packages
def test_what_is_known_once_the_worker_is_loaded_is_told(tmp_path: Path) -> None:
    (tmp_path / "src" / "python_modules").mkdir(parents=True)
    (tmp_path / "requirements.txt").write_text("jinja2")
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["fastapi"]\n')
    (tmp_path / "src" / "flow.py").write_text(
        "import flask, pydantic\n"
        "from pyodide.ffi import run_sync\n"
        "from workers import WorkflowEntrypoint\n"
        "class Flow(WorkflowEntrypoint):\n    async def run(self, event, step): ...\n"
    )
    code = "from flow import Flow\n"
    out, told = seen_and_told(tmp_path, "out = 'done'", {}, date="2025-08-20", top=code)
    assert out == "done"
    assert sorted(line.removeprefix("warning: ").partition(":")[0] for line in told) == [
        *("configuration", "requirements.txt", "src/flow.py", "src/flow.py"),
        "src/python_modules",
    ]
    text = "\n".join(told)
    assert "src/flow.py:1: flask is imported, which pyproject.toml does not name" in text
    assert "src/flow.py: pyodide.ffi.run_sync is imported" in text and "python_workflows" in text


def test_what_pyodide_lacks_is_named_with_the_line_of_users_own_code(tmp_path: Path) -> None:
    code = """
import socket, subprocess, threading
import termios, venv
thread = threading.Thread(target=int)
thread.start()
thread.join()
subprocess.run(["true"])
with socket.socket() as listening, socket.socket() as client:
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    client.connect(listening.getsockname())
with open("written.txt", "w") as file:
    file.write("x")
open("written.txt").close()
import colorsys
from workers import fetch
try:
    await fetch("http://127.0.0.1:1/")
except OSError:
    out = "done"
"""
    out, told = seen_and_told(tmp_path, code, {})
    assert out == "done"
    warnings = [line.partition(": ")[2] for line in told if line.startswith("warning: ")]
    assert [text.partition(": ")[2].partition(": deployed")[0] for text in warnings] == [
        *("termios is imported", "venv is imported", "a thread is started"),
        *("a process is started", "a socket listens", "a socket connects"),
        "a file of the project is written",
    ]
    assert all(text.startswith("src/entry.py:") for text in warnings)
