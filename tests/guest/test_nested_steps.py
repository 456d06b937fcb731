"""Transcripts of steps called in callbacks: each caller counts its calls by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.protocol import values
from emulator.protocol.runs import (
    History,
    RollbackRun,
    RunAbort,
    RunEnd,
    StepBegin,
    StepDelay,
    StepDelayed,
    StepDone,
    StepEnd,
    StepFailed,
    StepRun,
)
from tests.guest.conversation import Conversation, play, workflow
from tests.guest.test_free_steps import start

ORDERS = """
async def charge(who):
    @step.do("charge")
    async def do_charge(ctx):
        return [who, ctx["step"]["count"]]
    return await do_charge()

@step.do("A")
async def a():
    return [await charge("A1"), await charge("A2")]

@step.do("B")
async def b():
    return await charge("B")

first = await a()
return [first, await b(), await charge("C")]
"""


async def hear_begin(it: Conversation, name: str, count: int, parent: int) -> StepBegin:
    """Assert that the guest calls this step next; return the message."""
    message = await it.hear()
    assert isinstance(message, StepBegin), message
    assert (message.name, message.count, message.parent) == (name, count, parent)
    return message


async def hear_end(it: Conversation, call: int) -> Any:
    """Assert that an attempt of a call returns next; return its value."""
    message = await it.hear()
    assert isinstance(message, StepEnd) and message.call == call, message
    assert message.name == "", message
    return values.decode(message.payload)


def test_each_caller_counts_its_calls_from_1(tmp_path: Path) -> None:
    async def scenario(it: Conversation) -> None:
        await it.tell(start(free_steps=0))
        await hear_begin(it, "A", 1, parent=0)
        await it.tell(StepRun(1, 1, 1, {}))
        await hear_begin(it, "charge", 1, parent=1)
        await it.tell(StepRun(1, 2, 1, {}))
        assert await hear_end(it, 2) == ["A1", 1]
        await it.tell(StepDone(1, 2))
        await hear_begin(it, "charge", 2, parent=1)
        await it.tell(StepRun(1, 3, 1, {}))
        assert await hear_end(it, 3) == ["A2", 2]
        await it.tell(StepDone(1, 3))
        await hear_end(it, 1)
        await it.tell(StepDone(1, 1))
        await hear_begin(it, "B", 1, parent=0)
        await it.tell(StepRun(1, 4, 1, {}))
        await hear_begin(it, "charge", 1, parent=4)
        await it.tell(StepRun(1, 5, 1, {}, count=3))
        assert await hear_end(it, 5) == ["B", 3]  # `ctx` has what the host counts
        await it.tell(StepDone(1, 5))
        await hear_end(it, 4)
        await it.tell(StepDone(1, 4))
        await hear_begin(it, "charge", 1, parent=0)
        await it.tell(RunAbort(1))

    play(workflow(tmp_path, ORDERS), scenario)


def test_history_answers_what_run_called_and_nothing_else(tmp_path: Path) -> None:
    async def scenario(it: Conversation) -> None:
        known = [["do", "A", 1, "ok", "first"], ["do", "charge", 1, "ok", "C"]]
        await it.tell(History(1, values.encode(known)), start(free_steps=0))
        await hear_begin(it, "B", 1, parent=0)
        await it.tell(StepRun(1, 1, 2, {}))
        await hear_begin(it, "charge", 1, parent=1)
        await it.tell(StepDone(1, 2, values.encode("B")))  # recorded in another run
        assert await hear_end(it, 1) == "B"
        end = await it.ask(StepDone(1, 1))
        assert isinstance(end, RunEnd) and values.decode(end.payload) == ["first", "B", "C"]

    play(workflow(tmp_path, ORDERS), scenario)


NESTED = """
@step.do("outer")
async def outer():
    @step.do("inner")
    async def inner():
        return 1
    return await inner()

return await outer()
"""


def test_in_a_first_attempt_a_nested_step_begins_by_itself(tmp_path: Path) -> None:
    async def scenario(it: Conversation) -> None:
        await it.tell(start())
        assert (await hear_begin(it, "outer", 1, parent=0)).started
        assert (await hear_begin(it, "inner", 1, parent=1)).started
        await hear_end(it, 2)
        await it.tell(RunAbort(1))

    play(workflow(tmp_path, NESTED), scenario)


def test_in_a_later_attempt_the_host_is_asked_and_the_count_begins_anew(tmp_path: Path) -> None:
    async def scenario(it: Conversation) -> None:
        await it.tell(start())
        await hear_begin(it, "outer", 1, parent=0)
        assert (await hear_begin(it, "inner", 1, parent=1)).started
        await hear_end(it, 2)
        await it.tell(StepFailed(1, 2, "Error", "as if it had failed"))
        assert isinstance(await it.hear(), StepEnd)
        await it.tell(StepRun(1, 1, 2, {}))
        assert not (await hear_begin(it, "inner", 1, parent=1)).started
        await it.tell(RunAbort(1))

    play(workflow(tmp_path, NESTED), scenario)


LATE = """
@step.do("outer")
async def outer():
    seen.append(1)
    mine = len(seen)
    await gate.wait()

    @step.do("inner")
    async def inner():
        return mine
    await inner()

async def open_gate():
    await step.sleep("nap", 1000)
    gate.set()

import asyncio
seen, gate = [], asyncio.Event()
await asyncio.gather(outer(), open_gate())
"""


def test_a_first_attempt_that_goes_on_beside_the_second_asks(tmp_path: Path) -> None:
    async def scenario(it: Conversation) -> None:
        await it.tell(start())
        assert (await hear_begin(it, "outer", 1, parent=0)).started
        await hear_begin(it, "nap", 1, parent=0)
        await it.tell(StepRun(1, 1, 2, {}), StepDone(1, 2))
        first = await hear_begin(it, "inner", 1, parent=1)
        second = await hear_begin(it, "inner", 1, parent=1)
        assert not first.started and not second.started
        await it.tell(RunAbort(1))

    play(workflow(tmp_path, LATE), scenario)


DELAYED = """
async def delay(failure):
    @step.do("ask")
    async def ask():
        return 5
    return await ask()

@step.do("outer", config={"retries": {"limit": 1, "delay": delay}})
async def outer():
    @step.do("ask")
    async def ask():
        return "callback"
    await ask()
    raise ValueError("not yet")

await outer()
"""


def test_what_a_delay_function_calls_is_not_what_the_callback_has_called(tmp_path: Path) -> None:
    async def scenario(it: Conversation) -> None:
        await it.tell(start(free_steps=0))
        await hear_begin(it, "outer", 1, parent=0)
        await it.tell(StepRun(1, 1, 1, {}))
        await hear_begin(it, "ask", 1, parent=1)
        await it.tell(StepDone(1, 2, values.encode("recorded")))
        assert isinstance(await it.hear(), StepEnd)
        await it.tell(StepDelay(1, 1, 1, {}, "ValueError", "not yet"))
        begun = await it.hear()
        assert isinstance(begun, StepBegin) and (begun.name, begun.parent) == ("ask", 1)
        assert begun.count > 10_000
        delayed = await it.ask(StepDone(1, 3, values.encode(5)))
        assert isinstance(delayed, StepDelayed) and values.decode(delayed.payload) == 5
        await it.tell(RunAbort(1))

    play(workflow(tmp_path, DELAYED), scenario)


UNDONE = """
def undoing(who):
    def undo(rollback):
        raise ValueError(f"undo {who} {rollback['stepName']} {rollback['output']}")
    return undo

async def charge(who):
    @step.do("charge", rollback=undoing(who))
    async def do_charge():
        return who
    return await do_charge()

@step.do("A")
async def a():
    return await charge("A")

await a()
await charge("B")
raise ValueError("too late")
"""


@pytest.mark.parametrize(
    ("count", "nth", "given", "told"),
    [
        (1, 0, 2, "undo A charge-1 out"),
        (2, 1, 0, "undo B charge-2 out"),
        (1, 0, -1, "Rollback function not available in registry"),
    ],
)
def test_a_handler_is_found_by_its_call_or_by_what_run_counts(
    tmp_path: Path, count: int, nth: int, given: int, told: str
) -> None:
    async def scenario(it: Conversation) -> None:
        await it.tell(start(free_steps=0))
        await hear_begin(it, "A", 1, parent=0)
        await it.tell(StepRun(1, 1, 1, {}))
        await hear_begin(it, "charge", 1, parent=1)
        await it.tell(StepDone(1, 2, values.encode("A")))
        await hear_end(it, 1)
        await it.tell(StepDone(1, 1))
        await hear_begin(it, "charge", 1, parent=0)
        await it.tell(StepDone(1, 3, values.encode("B")))
        end = await it.hear()
        assert isinstance(end, RunEnd) and end.kept
        of = 1, -1, 1, "charge", count, 1
        why = "ValueError", "too late", values.encode("out")
        ended = await it.ask(RollbackRun(*of, {}, *why, nth, given))
        assert isinstance(ended, StepEnd) and ended.message == told
        await it.tell(RunAbort(1))

    play(workflow(tmp_path, UNDONE), scenario)


SHARED = """
@step.do("load")
async def load():
    return 7

@step.do("double")
async def double(load):
    return 2 * load

@step.do("first")
async def first():
    return await double()

@step.do("second")
async def second():
    return await double()

done = [await first()]
return [*done, await second(), await double()]
"""


def test_a_dependency_that_run_declares_is_asked_for_as_shared(tmp_path: Path) -> None:
    """In the callback that needs it first; after a replay in the next one, or by `run()`."""

    async def first_time(it: Conversation) -> None:
        await it.tell(start())
        assert (await hear_begin(it, "first", 1, parent=0)).started
        load = await hear_begin(it, "load", 1, parent=1)
        assert (load.shared, load.started) == (1, False)
        await it.tell(StepDone(1, 2, values.encode(7)))
        assert (await hear_begin(it, "double", 1, parent=1)).shared == 0
        assert await hear_end(it, 3) == 14
        await it.tell(RunAbort(1))

    async def in_a_replay(it: Conversation) -> None:
        known = [["do", "first", 1, "ok", 14]]
        await it.tell(History(1, values.encode(known)), start(shared=["load"]))
        assert (await hear_begin(it, "second", 1, parent=0)).started
        assert (await hear_begin(it, "load", 1, parent=1)).shared == 1
        await it.tell(RunAbort(1))

    async def by_run_itself(it: Conversation) -> None:
        known = [["do", "first", 1, "ok", 14], ["do", "second", 1, "ok", 14]]
        await it.tell(History(1, values.encode(known)), start(shared=["load"]))
        load = await hear_begin(it, "load", 1, parent=0)
        assert (load.shared, load.started) == (1, False)
        await it.tell(RunAbort(1))

    project = workflow(tmp_path, SHARED)
    for scenario in (first_time, in_a_replay, by_run_itself):
        play(project, scenario)
