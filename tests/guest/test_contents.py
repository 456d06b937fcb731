"""Members of `(str, Enum)` classes and buffers, wherever user code hands them to the platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bindings.workflow.workflow import ARGUMENTS_MAX_BYTES
from emulator.protocol.runs import RunEnd, StepDone
from tests.guest.conversation import Conversation, play, workflow
from tests.guest.test_bindings import Echo, seen, with_d1
from tests.guest.test_workflow_runs import began, executed
from tests.runner.running import Running, run
from tests.runner.test_requests import worker

NAMES = """
import array, enum

class Name(str, enum.Enum):
    A = "a"
    B = "b"
    SOON = "1 second"

class Level(int, enum.Enum):
    HIGH = 3
"""


def test_names_types_and_settings_of_steps_are_their_contents(tmp_path: Path) -> None:
    body = """
@step.do(Name.A, config={"retries": {"limit": Level.HIGH, "delay": Name.SOON}})
async def a(ctx):
    return ctx["step"]["name"]

@step.do("after")
async def after(a):
    return a

await after()
await step.sleep(Name.B, Name.SOON)
await step.wait_for_event(Name.B, Name.A, timeout=Name.SOON)
"""

    async def scenario(it: Conversation) -> None:
        made = began(await it.start(), "do", "a")
        assert made.options == {"config": {"retries": {"limit": 3, "delay": "1 second"}}}
        assert (await executed(it, made)).payload == b'"a"'
        after = began(await it.ask(StepDone(1, 1)), "do", "after")
        assert (await executed(it, after)).payload == b'"a"'
        nap = began(await it.ask(StepDone(1, 2)), "sleep", "b")
        assert nap.options == {"duration": "1 second"}
        event = began(await it.ask(StepDone(1, 3)), "waitForEvent", "b")
        assert event.options == {"type": "a", "timeout": "1 second"}
        assert isinstance(await it.ask(StepDone(1, event.call)), RunEnd)

    play(workflow(tmp_path, body, NAMES), scenario)


def test_arguments_of_bindings_are_their_contents(tmp_path: Path) -> None:
    flow, ai, index = Echo("workflow", {"id": "b"}), Echo("ai", {}), Echo("vectorize", {})
    code = f"""{NAMES}
await env.FLOW.create(id=Name.A, params={{Name.A: [Name.B, Level.HIGH]}})
await (await env.FLOW.get(Name.B)).send_event({{"type": Name.A, "payload": Name.B}})
await env.AI.run(Name.A, {{"prompt": Name.B}})
await env.INDEX.upsert([{{"id": Name.A, "values": [1], "metadata": {{"m": Name.B}}}}])
"""

    seen(tmp_path, code, {"FLOW": flow, "AI": ai, "INDEX": index})

    create, get, event = (args for _, args in flow.calls)
    assert create == [{"id": "a", "params": {"a": ["b", 3]}}]
    assert get == ["b"]
    assert event == ["b", {"type": "a", "payload": "b"}]
    assert ai.calls[0][1] == ["a", {"prompt": "b"}]
    assert index.calls[0][1] == [[{"id": "a", "values": [1], "metadata": {"m": "b"}}]]


def test_d1_takes_contents_and_the_elements_of_buffers(tmp_path: Path) -> None:
    code = f"""{NAMES}
query = env.DB.prepare("SELECT ? AS v")
made = [Name.A, Level.HIGH, array.array("B", [1, 255]), array.array("f", [1, 2.5, 300]),
        memoryview(array.array("h", [1, 2, 3, 4]))[::2]]
out = [await query.bind(each).first("v") for each in made]
"""

    assert with_d1(tmp_path, code) == ["a", 3, [1, 255], [1, 2, 44], [1, 3]]


def test_vectors_and_inputs_of_models_may_be_buffers(tmp_path: Path) -> None:
    index, ai = Echo("vectorize", {}), Echo("ai", {})
    code = f"""{NAMES}
await env.INDEX.query(array.array("d", [1, 0.5]), topK=1)
await env.INDEX.insert([{{"id": "a", "values": array.array("f", [1, 2])}}])
await env.AI.run("m", {{"vector": array.array("f", [1, 2.5]), "image": array.array("B", [1, 2])}})
"""

    seen(tmp_path, code, {"INDEX": index, "AI": ai})

    assert index.calls[0][1][0] == [1, 0.5]
    assert index.calls[1][1] == [[{"id": "a", "values": [1, 2]}]]
    assert ai.calls[0][1][1] == {"vector": [1, 2.5], "image": b"\1\2"}


def test_arguments_that_are_far_too_large_are_refused_before_they_are_decoded(
    tmp_path: Path,
) -> None:
    class Flow(Echo):
        arguments_max_bytes = {"create": ARGUMENTS_MAX_BYTES}

    flow, ai = Flow("workflow", {"id": "a"}), Echo("ai", {"done": 1})
    worker(
        tmp_path,
        "said = []\n"
        "for params in ('x' * 1_000_000, [0] * 1_100_000):\n"
        "    try:\n"
        "        await self.env.FLOW.create(id='a', params=params)\n"
        "    except Exception as error:\n"
        "        said.append(str(error))\n"
        "await self.env.AI.run('m', {'image': [7] * 300_000})\n"
        "return Response.json(said)",
    )
    said: list[Any] = []

    async def scenario(it: Running) -> None:
        await it.load({"FLOW": flow, "AI": ai})
        said.append(await it.get())

    run(tmp_path, scenario)

    assert said[0].count(b"env.FLOW.create(): ") == 1
    assert b"bytes of arguments; expected 2,097,152 at the most." in said[0]
    assert [method for method, _ in flow.calls] == ["create"]
    assert ai.calls[0][1][1] == {"image": [7] * 300_000}
