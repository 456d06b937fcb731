"""What user code sees of its bindings: real clients in a real guest, the real D1 behind them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bindings.binding import Binding, ByteStream
from bindings.d1.database import D1
from emulator.errors import WorkerError
from tests.runner.running import Running, run
from tests.runner.test_requests import until, worker


class Echo:
    """Answers every call with what arrived, or with `answer`."""

    def __init__(self, kind: str, answer: Any = None) -> None:
        self.kind = kind
        self.calls: list[tuple[str, list[Any]]] = []
        self._answer = answer

    async def call(self, method: str, args: list[Any]) -> Any:
        self.calls.append((method, args))
        answer = self._answer(method, args) if callable(self._answer) else self._answer
        if isinstance(answer, Exception):
            raise answer
        return [method, args] if answer is None else answer

    async def close(self) -> None:
        """Nothing is held."""


def seen(folder: Path, code: str, bindings: dict[str, Binding], **options: Any) -> Any:
    """Run `code` in a handler, with `env` at hand; return what its `out` holds, through JSON."""
    return seen_and_told(folder, code, bindings, **options)[0]


def seen_and_told(
    folder: Path, code: str, bindings: dict[str, Binding], *, top: str = "", **options: Any
) -> tuple[Any, list[str]]:
    """The same, and the lines on stderr. top: code of the module."""
    worker(
        folder,
        "from workers import env\nfrom pyodide.ffi import JsException\nout = None\n"
        f"{code}\nreturn Response.json(out)",
    )
    entry = folder / "src" / "entry.py"
    entry.write_text(top + entry.read_text())
    found: list[Any] = []

    async def scenario(it: Running) -> None:
        await it.load(bindings, **options)
        found.append(json.loads(await it.get()))
        for binding in bindings.values():
            await binding.close()

    heard = run(folder, scenario)
    return found[0], heard.printed("stderr")


def with_d1(folder: Path, code: str) -> Any:
    """Run `code` with a database `t(id, name, data)` of two rows on `env.DB`."""
    setup = (
        "await env.DB.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, data BLOB)')\n"
        "await env.DB.batch([env.DB.prepare('INSERT INTO t VALUES (?, ?, ?)').bind(n, name, data)\n"
        "    for n, name, data in [(1, 'ada', b'\\x00\\xff'), (2, None, None)]])\n"
    )
    return seen(folder, setup + code, {"DB": D1(folder / "d1.sqlite")})


def test_all_returns_rows_with_attributes_and_meta(tmp_path: Path) -> None:
    code = """
result = await env.DB.prepare("SELECT id, name FROM t ORDER BY id").all()
out = [result.success, result["results"][0].name, result.results[1], "duration" in result.meta]
"""
    assert with_d1(tmp_path, code) == [True, "ada", {"id": 2, "name": None}, True]


def test_run_returns_rows_too(tmp_path: Path) -> None:
    code = "out = (await env.DB.prepare('SELECT 1 AS one').run()).results"
    assert with_d1(tmp_path, code) == [{"one": 1}]


def test_blobs_are_read_as_lists_of_numbers(tmp_path: Path) -> None:
    code = "out = await env.DB.prepare('SELECT data FROM t WHERE id = 1').first('data')"
    assert with_d1(tmp_path, code) == [0, 255]


def test_first_gives_a_row_a_column_or_none(tmp_path: Path) -> None:
    code = """
by_id = env.DB.prepare("SELECT id, name FROM t WHERE id = ?")
out = [await by_id.bind(1).first(), await by_id.bind(1).first("name"),
       await by_id.bind(2).first("name"), await by_id.bind(3).first("nothing")]
"""
    assert with_d1(tmp_path, code) == [{"id": 1, "name": "ada"}, "ada", None, None]


def test_first_of_a_column_that_is_not_there_raises(tmp_path: Path) -> None:
    code = """
try:
    await env.DB.prepare("SELECT 1 AS one").first("two")
except JsException as error:
    out = str(error)
"""
    assert with_d1(tmp_path, code) == "Error: D1_COLUMN_NOTFOUND: Column not found (two)"


@pytest.mark.parametrize("wrong", ["'SELECT 1'", "['SELECT 1']"])
def test_a_batch_of_anything_but_statements_says_what_it_expects(
    tmp_path: Path, wrong: str
) -> None:
    code = f"""
try:
    await env.DB.batch({wrong})
except TypeError as error:
    out = str(error)
"""
    assert with_d1(tmp_path, code).startswith("batch() expects a list of prepared statements")


def test_raw_gives_lists_and_the_names_on_request(tmp_path: Path) -> None:
    code = """
statement = env.DB.prepare("SELECT 1 AS a, 2 AS a")
out = [await statement.raw(), await statement.raw(columnNames=True),
       await statement.raw({"columnNames": True}), await statement.raw(None),
       (await statement.all()).results]
"""
    named = [["a", "a"], [1, 2]]
    assert with_d1(tmp_path, code) == [[[1, 2]], named, named, [[1, 2]], [{"a": 2}]]


def test_a_failing_statement_raises_and_undoes_its_batch(tmp_path: Path) -> None:
    code = """
insert = env.DB.prepare("INSERT INTO t (id) VALUES (?)")
try:
    await env.DB.batch([insert.bind(3), insert.bind(1)])
except JsException as error:
    count = await env.DB.prepare("SELECT count(*) AS n FROM t").first("n")
    out = [error.name, error.message, count]
"""
    name, message, rows = with_d1(tmp_path, code)
    assert (name, rows) == ("Error", 2)
    assert message.startswith("D1_ERROR: UNIQUE constraint failed: t.id: SQLITE_CONSTRAINT")


def test_exec_runs_a_statement_per_line(tmp_path: Path) -> None:
    code = """
result = await env.DB.exec("\\nDELETE FROM t WHERE id = 1\\nDELETE FROM t\\n")
out = [result.count, result.duration >= 0, await env.DB.prepare("SELECT * FROM t").first()]
"""
    assert with_d1(tmp_path, code) == [2, True, None]


def test_exec_names_the_line_that_is_wrong(tmp_path: Path) -> None:
    code = """
try:
    await env.DB.exec("SELEC 1\\nSELECT 2")
except JsException as error:
    out = error.message
"""
    assert with_d1(tmp_path, code).startswith(
        'D1_EXEC_ERROR: Error in line 1: SELEC 1: near "SELEC": syntax error'
    )


def test_dump_answers_as_production(tmp_path: Path) -> None:
    code = """
try:
    await env.DB.dump()
except JsException as error:
    out = error.message
"""
    assert with_d1(tmp_path, code).startswith("D1_DUMP_ERROR: ")


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("True", 1),
        ("None", None),
        ("float('nan')", None),
        ("1.5", 1.5),
        ("'text'", "text"),
        ("[1, 2, 255]", [1, 2, 255]),
        ("memoryview(b'ab')", [97, 98]),
        (
            "memoryview(__import__('array').array('f', [1.5, 300, -1, float('nan')]))",
            [1, 44, 255, 0],
        ),
    ],
)
def test_bind_converts_as_the_platforms_client(tmp_path: Path, value: str, stored: Any) -> None:
    code = f"out = await env.DB.prepare('SELECT ? AS v').bind({value}).first('v')"
    assert with_d1(tmp_path, code) == stored


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{'a': 1}", "Type 'object' not supported for value '[object Object]'"),
        ("2**60", "Type 'bigint' not supported for value '1152921504606846976'"),
        ("[256]", "Type 'object' not supported for value '256'"),
        ("print", "Type 'function' not supported for value '<built-in function print>'"),
        (
            "__import__('datetime').datetime.fromisoformat('1970-01-01T00:00:00+00:00')",
            "Type 'object' not supported for value "
            "'Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)'",
        ),
    ],
)
def test_bind_refuses_at_once_what_d1_cannot_store(
    tmp_path: Path, value: str, message: str
) -> None:
    code = f"""
try:
    env.DB.prepare("SELECT ?").bind({value})
except JsException as error:
    out = error.message
"""
    assert with_d1(tmp_path, code) == f"D1_TYPE_ERROR: {message}"


@pytest.mark.parametrize(
    ("value", "refused"),
    [
        ("bytearray(b'ab')", "<class 'bytearray'>"),
        ("(1,)", "<class 'tuple'>"),
        ("[1, (2,)]", "<class 'tuple'>"),
        ("{'a': [bytearray()]}", "<class 'bytearray'>"),
        ("env.DB.prepare('SELECT 1').first()", "Awaitable <class 'coroutine'>"),
    ],
)
def test_bind_refuses_at_once_what_no_binding_takes(
    tmp_path: Path, value: str, refused: str
) -> None:
    code = f"""
value = {value}
try:
    env.DB.prepare("SELECT ?").bind(value)
except TypeError as error:
    out = str(error)
if hasattr(value, "__await__"):
    await value
"""
    assert with_d1(tmp_path, code) == f"{refused} cannot be sent over RPC."


def test_bind_returns_a_new_statement_and_sessions_prepare_too(tmp_path: Path) -> None:
    code = """
session = env.DB.withSession("first-primary")
statement = session.prepare("SELECT ? AS v")
one, two = statement.bind(1), statement.bind(2)
out = [await one.first("v"), await two.first("v"), hasattr(session, "exec"), statement.params]
"""
    assert with_d1(tmp_path, code) == [1, 2, False, []]


def test_a_session_has_the_newest_bookmark_of_what_it_did(tmp_path: Path) -> None:
    code = """
session = env.DB.withSession()
before = session.getBookmark()
insert = session.prepare("INSERT INTO t (name) VALUES (?)")
await insert.bind("x").run()
written = session.getBookmark()
rows = (await session.batch([session.prepare("SELECT 1"), session.prepare("SELECT 2")]))
read = session.getBookmark()
await insert.bind("y").run()
follower = env.DB.withSession(read)
out = [before is None, written == read < session.getBookmark(), len(rows),
       follower.getBookmark() == read]
"""
    assert with_d1(tmp_path, code) == [True, True, 2, True]


@pytest.mark.parametrize(
    ("start", "bookmark"),
    [("' '", None), ("None", None), ("'first-primary'", None), ("' zzz '", "zzz")],
)
def test_a_session_starts_with_a_constraint_or_at_a_bookmark(
    tmp_path: Path, start: str, bookmark: str | None
) -> None:
    code = f"out = [env.DB.withSession({start}).getBookmark()]"
    assert with_d1(tmp_path, code) == [bookmark]


def test_an_error_in_a_session_is_a_d1_error_and_has_its_cause(tmp_path: Path) -> None:
    code = """
try:
    await env.DB.withSession("first-primary").prepare("nope").all()
except JsException as error:
    out = [error.message, error.cause.message]
"""
    text = 'near "nope": syntax error at offset 0: SQLITE_ERROR'
    assert with_d1(tmp_path, code) == [f"D1_ERROR: {text}", text]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("withSession(3)", "constraintOrBookmark?.trim is not a function"),
        (
            "query({})",
            "D1_ERROR: D1Database.query() requires the d1_binding_jsrpc compatibility flag. "
            "Enable d1_binding_jsrpc before calling query().",
        ),
    ],
)
def test_what_the_platforms_client_refuses_is_refused_in_its_words(
    tmp_path: Path, call: str, message: str
) -> None:
    code = f"""
try:
    env.DB.{call}
except JsException as error:
    out = error.message
"""
    assert with_d1(tmp_path, code) == message


def test_a_call_is_made_when_it_is_called_and_not_when_it_is_awaited(tmp_path: Path) -> None:
    code = """
first = env.AI.run("first", {})
second = await env.AI.run("second", {})
out = "sent"
"""
    ai = Echo("ai")
    seen(tmp_path, code, {"AI": ai})
    assert [args[0] for _, args in ai.calls] == ["first", "second"]


def test_ai_inputs_can_be_keywords_and_results_have_attributes(tmp_path: Path) -> None:
    ai = Echo("ai", {"response": "hi", "usage": {"tokens": 1}})
    code = """
result = await env.AI.run("model", prompt="hello")
await env.AI.run("model", {"prompt": "hello"}, {"tags": ["g"], "signal": None, "prefix": "p"})
await env.AI.models(search="llama")
out = [result.response, result.usage.tokens]
"""
    assert seen(tmp_path, code, {"AI": ai}) == ["hi", 1]
    assert ai.calls == [
        ("run", ["model", {"prompt": "hello"}]),
        ("run", ["model", {"prompt": "hello"}, {"tags": ["g"]}]),
        ("models", [{"search": "llama"}]),
    ]


def test_a_stream_is_read_as_it_comes_and_can_be_a_response(tmp_path: Path) -> None:
    async def events() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"data: %d\n\n" % number

    worker(
        tmp_path,
        "stream = await self.env.AI.run('model', {'stream': True})\n"
        "return Response(stream, headers={'content-type': 'text/event-stream'})",
    )

    async def scenario(it: Running) -> None:
        ai = Echo("ai", lambda method, args: ByteStream(events(), "text/event-stream"))
        await it.load({"AI": ai})
        assert await it.get() == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"

    run(tmp_path, scenario)


def test_a_stream_nobody_reads_on_is_closed_at_its_source(tmp_path: Path) -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"tick"
                await asyncio.sleep(0.001)
        finally:
            closed.set()

    code = "stream = await self.env.AI.run('m', {})\nasync for chunk in stream:\n    break\n"
    worker(tmp_path, f"{code}await stream.cancel()\nreturn Response(chunk.to_bytes())")

    async def scenario(it: Running) -> None:
        await it.load({"AI": Echo("ai", lambda method, args: ByteStream(endless(), ""))})
        assert await it.get() == b"tick"
        await closed.wait()

    run(tmp_path, scenario)


def test_a_stream_that_fails_raises_at_its_reader(tmp_path: Path) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"one"
        raise WorkerError("3040: Capacity temporarily exceeded")

    code = """
stream = await env.AI.run("m", {})
try:
    out = [bytes(chunk).decode() async for chunk in stream]
except JsException as error:
    out = error.message
"""
    ai = Echo("ai", lambda method, args: ByteStream(failing(), ""))
    assert seen(tmp_path, code, {"AI": ai}) == "3040: Capacity temporarily exceeded"


def test_vectorize_options_are_checked_and_completed(tmp_path: Path) -> None:
    index = Echo("vectorize")
    code = """
await env.INDEX.query([1.5], topK=3, returnMetadata=True)
await env.INDEX.queryById("a", {"returnMetadata": "indexed"})
await env.INDEX.upsert([{"id": "a", "values": memoryview(b"\\0\\0\\x80?").cast("f")}])
try:
    env.INDEX.query([1], {"returnMetadata": "some"})
except JsException as error:
    out = error.message
"""
    expected = (
        "Invalid returnMetadata option. Expected: true, false, "
        '"none", "indexed" or "all"; got: some'
    )
    assert seen(tmp_path, code, {"INDEX": index}) == expected
    assert index.calls == [
        ("query", [[1.5], {"topK": 3, "returnMetadata": "all"}]),
        ("queryById", ["a", {"returnMetadata": "indexed"}]),
        ("upsert", [[{"id": "a", "values": [1]}]]),
    ]


def test_a_workflow_creates_and_gets_handles(tmp_path: Path) -> None:
    def answer(method: str, args: list[Any]) -> Any:
        match method:
            case "createBatch":
                return [{"id": item["id"]} for item in args[0]]
            case "status":
                return {"status": "running", "output": None}
            case _:
                return {"id": "order-17"}

    code = """
flow = env.FLOW
made = await flow.create({"id": "order-17", "params": {"n": 1}})
named = await flow.create(params={"n": 2})
empty = await flow.create()
batch = await flow.create_batch([{"id": "a"}, {"id": "b"}])
got = await flow.get("order-17")
await got.pause()
await got.send_event({"type": "go", "payload": 1})
await got.sendEvent(type="go")
await got.restart({"from": {"name": "x"}})
status = await got.status()
out = [made.id, [each.id for each in batch], status.status, dict(status)]
"""
    flow = Echo("workflow", answer)
    status = {"status": "running", "output": None}
    assert seen(tmp_path, code, {"FLOW": flow}) == ["order-17", ["a", "b"], "running", status]
    assert flow.calls == [
        ("create", [{"id": "order-17", "params": {"n": 1}}]),
        ("create", [{"params": {"n": 2}}]),
        ("create", [{}]),
        ("createBatch", [[{"id": "a"}, {"id": "b"}]]),
        ("get", ["order-17"]),
        ("pause", ["order-17"]),
        ("sendEvent", ["order-17", {"type": "go", "payload": 1}]),
        ("sendEvent", ["order-17", {"type": "go"}]),
        ("restart", ["order-17", {"from": {"name": "x"}}]),
        ("status", ["order-17"]),
    ]


def test_a_workflow_creates_and_deletes_in_batches(tmp_path: Path) -> None:
    def answer(method: str, args: list[Any]) -> Any:
        match method:
            case "createBatch":
                return {"created": [{"id": "a"}], "errors": [failed]}
            case "deleteBatch":
                return {"deleted": [{"id": each} for each in args[0]], "errors": []}

    code = """
flow = env.FLOW
made = await flow.create_batch({"instances": [{"id": "a"}, {"id": "b"}]})
await flow.create_batch(count=2, params={"n": 1})
await flow.createBatch({"count": 1})
gone = await flow.delete_batch(["a", "b"])
await flow.deleteBatch(["c"])
await made.created[0].delete()
out = [[each.id for each in made["created"]], made.errors, gone]
"""
    failed = {"index": 1, "id": "b", "code": 10405, "message": "exists"}
    gone = {"deleted": [{"id": "a"}, {"id": "b"}], "errors": []}
    flow = Echo("workflow", answer)
    assert seen(tmp_path, code, {"FLOW": flow}) == [["a"], [failed], gone]
    assert flow.calls == [
        ("createBatch", [{"instances": [{"id": "a"}, {"id": "b"}]}]),
        ("createBatch", [{"count": 2, "params": {"n": 1}}]),
        ("createBatch", [{"count": 1}]),
        ("deleteBatch", [["a", "b"]]),
        ("deleteBatch", [["c"]]),
        ("delete", ["a"]),
    ]


def test_a_binding_that_is_not_emulated_says_so_when_it_is_used(tmp_path: Path) -> None:
    code = """
try:
    await env.REPOS.get("key")
except NotImplementedError as error:
    out = str(error)
"""
    kinds = {"REPOS": {"kind": "artifacts", "friendly": "Artifacts", "instead": "Use R2."}}
    assert seen(tmp_path, code, {}, kinds=kinds) == (
        "env.REPOS is a binding of kind artifacts (Artifacts), "
        "which Groundfog does not emulate yet. Use R2."
    )


def test_a_name_that_is_not_bound_is_an_attribute_error(tmp_path: Path) -> None:
    code = """
try:
    env["AI"]
except TypeError as error:
    out = [getattr(env, "NOTHING", "default"), str(error)]
"""
    default, message = seen(tmp_path, code, {})
    assert default == "default"
    assert "not subscriptable" in message


def test_arguments_that_cannot_travel_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    ai = Echo("ai")
    code = """
out = []
for bad in [(1, 2), {"deep": [bytearray(b"")]}, {"deep": [object()]}, {"f": print}]:
    try:
        env.AI.run("m", bad)
    except (TypeError, JsException) as error:
        out.append(str(error))
"""
    tuple_, array, instance, function = seen(tmp_path, code, {"AI": ai})
    assert tuple_ == "<class 'tuple'> cannot be sent over RPC."
    assert array == "<class 'bytearray'> cannot be sent over RPC."
    assert instance.startswith("DataCloneError: ") and instance.endswith("(at [1].deep[0])")
    assert "only calls of other workers can carry one" in function
    assert ai.calls == []


def test_an_error_in_a_binding_itself_is_told_and_takes_nothing_down(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code = """
try:
    await env.AI.run("m", {})
except JsException as error:
    out = error.message
"""
    ai = Echo("ai", ZeroDivisionError("a bug of ours"))
    assert seen(tmp_path, code, {"AI": ai}) == (
        "internal error in env.AI.run(): ZeroDivisionError: a bug of ours"
    )
    assert "env.AI.run() failed inside Groundfog" in caplog.text


def test_a_binding_can_be_called_in_a_thread_that_works_for_a_request(tmp_path: Path) -> None:
    code = """
import contextvars, threading
from pyodide.ffi import run_sync
out = []

def call():
    out.append(run_sync(env.AI.run("m", {"n": 1})))
    out.append(asyncio.run(env.AI.run("m", {"n": 2})))

def of_nobody():
    try:
        env.AI.run("m", {})
    except RuntimeError as error:
        out.append([str(error), "copy_context" in error.__notes__[0]])

here = contextvars.copy_context()
for target in (lambda: here.run(call), of_nobody):
    thread = threading.Thread(target=target)
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.001)
"""
    assert seen(tmp_path, code, {"AI": Echo("ai")}) == [
        ["run", ["m", {"n": 1}]],
        ["run", ["m", {"n": 2}]],
        ["No suspender", True],
    ]


def test_a_call_in_flight_ends_with_its_guest(tmp_path: Path) -> None:
    cancelled: list[bool] = []

    class Slow(Echo):
        async def call(self, method: str, args: list[Any]) -> Any:
            self.calls.append((method, args))
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise

    worker(tmp_path, "await self.env.AI.run('m', {})")

    async def scenario(it: Running) -> None:
        ai = Slow("ai")
        guest = await it.load({"AI": ai})
        fetching = asyncio.ensure_future(it.fetch())
        await until(lambda: ai.calls, "the call")
        guest.kill("was killed by the test")
        await asyncio.gather(fetching, return_exceptions=True)
        await until(lambda: cancelled, "cancellation")

    run(tmp_path, scenario)
