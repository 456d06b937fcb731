"""Values between user code and the host, both ways, in a real guest; and those that are none."""

from __future__ import annotations

import array
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.protocol import references, values
from emulator.protocol.bindings import BindingCall, BindingResult
from emulator.protocol.runs import History, Replayed, RunEnd, RunStart, StepDone, StepFailed
from emulator.protocol.values import TypedArray
from tests.guest.conversation import Conversation, play, workflow
from tests.guest.test_bindings import Echo
from tests.guest.test_workflow_runs import began, executed
from tests.runner.running import Running, run, write
from tests.runner.test_requests import worker

TOO_LATE = b'{"$date":9000000000000000}'


class Keeper(Echo):
    """Hands out values by number, and keeps what comes back."""

    keeps_typed_arrays = True

    def __init__(self, handed: list[Any]) -> None:
        super().__init__("d1", lambda method, args: [handed[args[0]]] if method == "get" else 0)

    @property
    def kept(self) -> list[Any]:
        return [args[0] for method, args in self.calls if method == "put"]


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(max_size=50),
    st.datetimes(timezones=st.just(UTC)).map(
        lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    ),
    st.sets(st.none() | st.text() | st.integers()),
    st.sampled_from([("Int16Array", "h"), ("Float32Array", "f"), ("BigUint64Array", "Q")]).map(
        lambda kind: TypedArray(kind[0], array.array(kind[1], [1, 2]).tobytes())
    ),
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=10,
)


@settings(max_examples=4)
@given(st.lists(trees, min_size=30, max_size=100))
def test_what_the_host_hands_to_user_code_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, handed: list[Any]
) -> None:
    keeper = Keeper(handed)
    folder = tmp_path_factory.mktemp("crossing")
    worker(
        folder,
        f"for number in range({len(handed)}):\n"
        "    (value,) = await self.env.X._call('get', number)\n"
        "    await self.env.X._call('put', value)\n"
        "return Response('ok')",
    )

    async def scenario(it: Running) -> None:
        await it.load({"X": keeper})
        assert await it.get() == b"ok"

    run(folder, scenario)

    assert keeper.kept == handed


STEPS = {
    "empty bytes beside many": '{"thumb": b"", "pdf": b"x" * 800_000}',
    "datetime.max": '{"expires": datetime.max}',
    "the first moment": "datetime.min.replace(tzinfo=timezone.utc)",
    "lists": "nested(1_000, lambda inner: [inner])",
    "dicts": "nested(600, lambda inner: {'k': inner})",
    "shared lists": "[deep := nested(900, lambda inner: [inner]), deep]",
    "an array": 'array.array("f", [1, 2.5])',
    "a large integer": "10 ** 5_000",
}
IMPORTS = """
import array
from datetime import datetime, timezone

def nested(depth, make):
    value = "x"
    for _ in range(depth):
        value = make(value)
    return value
"""


@pytest.mark.parametrize("made", STEPS.values(), ids=STEPS)
def test_a_step_has_the_same_value_live_and_when_it_is_replayed(tmp_path: Path, made: str) -> None:
    body = f"""
@step.do("make")
async def make():
    return {made}

value = await make()
await step.sleep("nap", "1 hour")
return value
"""
    project = workflow(tmp_path, body, IMPORTS)

    async def scenario(it: Conversation) -> None:
        made = await executed(it, await it.start(1))
        assert made.name == ""
        live = await it.ask(StepDone(1, began(await it.ask(StepDone(1, 1)), "sleep", "nap").call))
        await it.tell(_history(2, ("do", "make", made.payload), ("sleep", "nap", b"null")))
        replayed = await it.start(2)
        assert isinstance(live, RunEnd) and isinstance(replayed, RunEnd)
        assert (live.name, replayed.name) == ("", "")
        assert replayed.payload == live.payload

    play(project, scenario)


def _history(run: int, *steps: tuple[str, str, bytes]) -> History:
    items, opened = [], 1
    for kind, name, value in steps:
        moved, count = references.moved(value, opened + 1)
        opened += 1 + count
        items.append(b'["%b","%b",1,"ok",%b]' % (kind.encode(), name.encode(), moved))
    return History(run, b"[" + b",".join(items) + b"]")


TWO_STEPS = """
@step.do("one")
async def one():
    return 1

@step.do("two")
async def two():
    return 2

return [await one(), await two()]
"""


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (
            b'[["do","one",1,"ok",1],["do","two",1,"ok",{"a":%b}]]' % TOO_LATE,
            "The recorded value of step two-1 is damaged: ",
        ),
        (b'[["do","one",1,"ok",{"$ref":9}]]', "The recorded value of step one-1 is damaged: "),
        (b'[["do","one",1,"ok",oops]]', "A recorded value of this instance is damaged: "),
        (b'[["do","one"]]', "A recorded value of this instance is damaged: "),
        (b"7", "A recorded value of this instance is damaged: "),
    ],
)
def test_a_damaged_history_ends_its_run_before_it_begins_and_no_other(
    tmp_path: Path, payload: bytes, said: str
) -> None:
    async def scenario(it: Conversation) -> None:
        await it.start(1)
        await it.tell(History(2, payload))
        ended = await it.start(2)
        assert isinstance(ended, RunEnd)
        assert (ended.run, ended.name, ended.damaged) == (2, "WorkflowInternalError", True)
        assert ended.message.startswith(said)
        began(await it.ask(StepDone(1, 1, b"1")), "do", "two")

    play(workflow(tmp_path, TWO_STEPS), scenario)


def test_a_guarded_run_with_a_damaged_history_says_nothing_of_the_code(tmp_path: Path) -> None:
    async def scenario(it: Conversation) -> None:
        await it.tell(History(1, b'[["do","one",1,"ok",%b]]' % TOO_LATE))
        ended = await it.start(1, guarded=True)
        assert isinstance(ended, RunEnd) and ended.damaged
        await it.tell(History(2, b'[["do","one",1,"ok",%b]]' % TOO_LATE))
        doubt = await it.start(2, guarded=True, probe=True)
        assert isinstance(doubt, Replayed) and doubt.state == "restless"
        assert "step one-1 is damaged" in doubt.where
        assert isinstance(await it.hear(), RunEnd)

    play(workflow(tmp_path, TWO_STEPS), scenario)


def test_a_damaged_event_ends_its_run_and_no_other(tmp_path: Path) -> None:
    async def scenario(it: Conversation) -> None:
        await it.start(1)
        ended = await it.ask(RunStart(2, "Order", "order", "b", b'{"payload":%b}' % TOO_LATE))
        assert isinstance(ended, RunEnd) and ended.damaged
        assert ended.message.startswith("The event of this instance is damaged: ")
        began(await it.ask(StepDone(1, 1, b"1")), "do", "two")

    play(workflow(tmp_path, TWO_STEPS), scenario)


def test_a_damaged_value_of_a_step_fails_that_call(tmp_path: Path) -> None:
    body = """
try:
    await step.wait_for_event("told", "go")
except Exception as error:
    return f"{type(error).__name__}: {error}"
"""

    async def scenario(it: Conversation) -> None:
        await it.start(1)
        ended = await it.ask(StepDone(1, 1, b'{"payload":%b}' % TOO_LATE))
        assert isinstance(ended, RunEnd)
        assert "The value of step told-1 is damaged" in values.decode(ended.payload)

    play(workflow(tmp_path, body), scenario)


def test_a_damaged_answer_of_a_binding_fails_that_call(tmp_path: Path) -> None:
    body = """
try:
    await self.env.DB.prepare("SELECT 1").all()
except Exception as error:
    return str(error)
"""

    async def scenario(it: Conversation) -> None:
        call = await it.start(1)
        assert isinstance(call, BindingCall)
        ended = await it.ask(BindingResult(call.id, payload=b"[%b]" % TOO_LATE))
        assert isinstance(ended, RunEnd)
        assert "An answer is damaged" in values.decode(ended.payload)

    play(workflow(tmp_path, body), scenario, bindings={"DB": {"kind": "d1"}})


def test_a_message_that_the_guest_cannot_cope_with_costs_its_run_only(tmp_path: Path) -> None:
    broken = (
        "from _groundfog.guest.python.runs import attempts\n"
        "attempts.Call.stop_upload = lambda call: 1 / 0"
    )

    async def scenario(it: Conversation) -> None:
        await it.start(1)
        await it.start(2)
        ended = await it.ask(StepFailed(2, 1, "Error", "no"))
        assert isinstance(ended, RunEnd)
        assert (ended.run, ended.name) == (2, "WorkflowInternalError")
        assert "step_failed could not be handled: ZeroDivisionError" in ended.message
        began(await it.ask(StepDone(1, 1, b"1")), "do", "two")

    play(workflow(tmp_path, TWO_STEPS, broken), scenario)


def test_arguments_that_are_no_values_fail_their_call_only(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "src/entry.py": """
                from workers import Response, WorkerEntrypoint

                class Default(WorkerEntrypoint):
                    async def fetch(self):
                        from _groundfog.guest.python import conversion
                        kept, said = conversion.encode, []
                        for payload in (b'[{"$ref":7}]', b'{}', b'[{"$date":9e15}]', b'oops'):
                            conversion.encode = lambda args: payload
                            try:
                                await self.env.X._call("put")
                            except Exception as error:
                                said.append(str(error))
                            conversion.encode = kept
                        return Response("\\n".join(said + [await self.env.X._call("put", "fine")]))
                """
        },
    )
    echo = Echo("d1", lambda method, args: args[0])

    async def scenario(it: Running) -> None:
        await it.load({"X": echo})
        *said, fine = (await it.get()).decode().splitlines()
        assert len(said) == 4
        assert all("env.X.put(): the arguments are" in text for text in said)
        assert fine == "fine"

    run(tmp_path, scenario)


def test_what_a_binding_cannot_nest_as_deeply_fails_its_call_in_words(tmp_path: Path) -> None:
    def too_deep(method: str, args: list[Any]) -> Any:
        raise RecursionError

    worker(
        tmp_path,
        "try:\n    await self.env.X._call('put', 1)\n"
        "except Exception as error:\n    return Response(str(error))",
    )

    async def scenario(it: Running) -> None:
        await it.load({"X": Echo("d1", too_deep)})
        said = await it.get()
        assert said == b"RangeError: env.X.put(): a value is nested too deeply for it."

    run(tmp_path, scenario)
