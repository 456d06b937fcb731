"""What a binding call returns: a coroutine, sent already. Expected values: the published SDK's."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bindings.binding import Binding
from bindings.d1.database import D1
from emulator.errors import WorkerError
from emulator.protocol import values
from emulator.protocol.bindings import BindingCall, BindingFailed
from emulator.protocol.runs import RunAbort
from tests.guest.conversation import Conversation, play, workflow
from tests.guest.test_bindings import Echo, seen, seen_and_told

EVERY_BINDING = {
    "D1 first": 'env.DB.prepare("SELECT 1 AS n").first("n")',
    "D1 all": 'env.DB.prepare("SELECT 1").all()',
    "D1 raw": 'env.DB.prepare("SELECT 1").raw()',
    "D1 batch": 'env.DB.batch([env.DB.prepare("SELECT 1")])',
    "D1 exec": 'env.DB.exec("SELECT 1")',
    "a D1 session": 'env.DB.withSession().prepare("SELECT 1").run()',
    "AI run": 'env.AI.run("m", {"prompt": "a"})',
    "AI upload": 'env.AI.run("m", {"f": {"body": Blob(["a"]), "contentType": "text/plain"}})',
    "AI models": "env.AI.models()",
    "AI toMarkdown": 'env.AI.toMarkdown([{"name": "a", "blob": Blob(["a"])}])',
    "AI gateway": 'env.AI.gateway("g").getUrl("openai")',
    "Vectorize describe": "env.INDEX.describe()",
    "Vectorize query": "env.INDEX.query([1], topK=1)",
    "Workflow create": "env.FLOW.create()",
    "Workflow get": 'env.FLOW.get("x")',
    "Workflow createBatch": 'env.FLOW.createBatch([{"id": "x"}])',
    "Workflow create_batch": 'env.FLOW.create_batch([{"id": "x"}])',
    "instance status": "instance.status()",
    "instance send_event": 'instance.send_event({"type": "go"})',
    "instance sendEvent": 'instance.sendEvent({"type": "go"})',
}


def workflow_answer(method: str, args: list[Any]) -> Any:
    """What a workflow binding answers."""
    return [{"id": "x"}] if method == "createBatch" else {"id": "x"}


def test_every_call_is_a_coroutine_that_can_be_a_task_and_be_awaited_once(tmp_path: Path) -> None:
    calls = ",\n".join(f"    {label!r}: lambda: {call}" for label, call in EVERY_BINDING.items())
    code = f"""
import inspect
from workers import Blob
instance = await env.FLOW.create()
out = {{}}
for label, make in {{
{calls}
}}.items():
    call = make()
    kinds = inspect.iscoroutine(call) and asyncio.iscoroutine(call)
    await asyncio.create_task(call)
    try:
        await call
    except RuntimeError as error:
        out[label] = [kinds, str(error)]
"""
    bindings: dict[str, Binding] = {
        "DB": D1(tmp_path / "d1.sqlite"),
        "AI": Echo("ai"),
        "INDEX": Echo("vectorize"),
        "FLOW": Echo("workflow", workflow_answer),
    }
    once = [True, "cannot reuse already awaited coroutine"]
    assert seen(tmp_path, code, bindings) == dict.fromkeys(EVERY_BINDING, once)


def test_calls_run_side_by_side_in_a_task_group(tmp_path: Path) -> None:
    code = """
async with asyncio.TaskGroup() as group:
    made = [group.create_task(env.DB.prepare(f"SELECT {n} AS n").first("n")) for n in range(3)]
out = [task.result() for task in made]
out += await asyncio.gather(*(env.DB.prepare("SELECT 7 AS n").first("n") for _ in range(2)))
out.append(await asyncio.wait_for(env.DB.prepare("SELECT 9 AS n").first("n"), 5))
"""
    assert seen(tmp_path, code, {"DB": D1(tmp_path / "d1.sqlite")}) == [0, 1, 2, 7, 7, 9]


def test_what_python_names_by_itself_in_a_workflow_is_sent_when_it_is_awaited(
    tmp_path: Path,
) -> None:
    code = """
later = env.FLOW.create(id="lazy")
now = env.FLOW.createBatch([{"id": "eager"}])
await now
await later
"""
    flow = Echo("workflow", workflow_answer)
    seen(tmp_path, code, {"FLOW": flow})
    assert flow.calls == [("createBatch", [[{"id": "eager"}]]), ("create", [{"id": "lazy"}])]


def test_a_call_that_nobody_awaits_is_made_and_named_with_its_line(tmp_path: Path) -> None:
    ai = Echo("ai", {})
    _, told = seen_and_told(tmp_path, 'env.AI.run("m", {})\nawait env.AI.models()', {"AI": ai})
    assert [method for method, _ in ai.calls] == ["run", "models"]
    assert any("entry.py:9: RuntimeWarning: coroutine 'call of env.AI' was" in it for it in told)


def test_the_error_of_a_call_that_nobody_awaits_is_told_without_our_code(tmp_path: Path) -> None:
    ai = Echo("ai", lambda method, args: WorkerError("no", name="AiError") if args else {})
    code = 'env.AI.run("m", {})\nawait env.AI.models()\nawait asyncio.sleep(0)'
    _, told = seen_and_told(tmp_path, code, {"AI": ai})
    text = "\n".join(told)
    assert "Future exception was never retrieved" in text
    assert "pyodide.ffi.JsException: AiError: no" in text
    assert "_groundfog" not in text


def test_a_run_that_is_dropped_says_nothing_of_calls_it_had_not_awaited_yet(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    workflow(
        tmp_path,
        """
        @step.do()
        async def charge():
            return 1

        call = self.env.AI.run("m", {})
        charged = charge()
        await step.sleep("nap", "1 hour")
        await call
        """,
    )

    async def script(it: Conversation) -> None:
        call = await it.start()
        assert isinstance(call, BindingCall)
        assert values.decode(call.payload) == ["m", {}]
        await it.hear()
        await it.tell(RunAbort(1), BindingFailed(call.id, "AiError", "no"))
        await it.nothing_left()

    play(tmp_path, script, bindings={"AI": {"kind": "ai"}})

    assert "".join(capfd.readouterr()) == "\n"


def test_a_call_that_is_cancelled_is_given_up(tmp_path: Path) -> None:
    class Slow(Echo):
        async def call(self, method: str, args: list[Any]) -> Any:
            return await asyncio.sleep(0.05 if method == "run" else 0, {})

    code = """
call = asyncio.create_task(env.AI.run("m", {}))
await asyncio.sleep(0)
call.cancel()
out = [isinstance(each, asyncio.CancelledError)
       for each in await asyncio.gather(call, env.AI.models(), return_exceptions=True)]
"""
    assert seen(tmp_path, code, {"AI": Slow("ai")}) == [True, False]
