"""Transcripts of steps that a run begins by itself, and of those it asks for all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.protocol import values
from emulator.protocol.message import Message
from emulator.protocol.runs import (
    RunAbort,
    RunAskFirst,
    RunAsking,
    RunEnd,
    RunStart,
    StepBegin,
    StepDone,
    StepEnd,
    StepRun,
)
from tests.guest.conversation import EVENT, Conversation, converse, play, workflow

TWO_STEPS = """
@step.do("one")
async def one():
    return 1

@step.do("two")
def two():
    return 2

return [await one(), await two()]
"""


def start(free_steps: int = 100, begun: list[list[Any]] | None = None, **more: Any) -> RunStart:
    payload = values.encode(EVENT)
    return RunStart(
        1, "Order", "order", "order-17", payload, free_steps=free_steps, begun=begun or [], **more
    )


def began(message: Message, name: str, *, started: bool) -> StepBegin:
    """Assert that `message` begins this step, in this way; return it."""
    assert isinstance(message, StepBegin), message
    assert (message.name, message.started) == (name, started)
    return message


def ended(message: Message, call: int) -> StepEnd:
    """Assert that `message` is the good end of the first attempt of a call; return it."""
    assert isinstance(message, StepEnd), message
    assert (message.call, message.attempt, message.name) == (call, 1, "")
    return message


def test_an_allowed_run_executes_its_steps_without_being_told(tmp_path: Path) -> None:
    async def scenario(it: Conversation) -> None:
        began(await it.ask(start()), "one", started=True)
        assert values.decode(ended(await it.hear(), 1).payload) == 1
        began(await it.ask(StepDone(1, 1)), "two", started=True)
        ended(await it.hear(), 2)
        end = await it.ask(StepDone(1, 2))
        assert isinstance(end, RunEnd) and values.decode(end.payload) == [1, 2]

    play(workflow(tmp_path, TWO_STEPS), scenario)


def test_a_value_is_used_only_once_the_host_has_recorded_it(tmp_path: Path) -> None:
    async def scenario(it: Conversation) -> None:
        began(await it.ask(start()), "one", started=True)
        ended(await it.hear(), 1)
        await it.nothing_left()

    play(workflow(tmp_path, TWO_STEPS), scenario)


def test_a_run_asks_again_when_its_allowance_is_used_up(tmp_path: Path) -> None:
    async def scenario(it: Conversation) -> None:
        began(await it.ask(start(free_steps=1)), "one", started=True)
        ended(await it.hear(), 1)
        began(await it.ask(StepDone(1, 1)), "two", started=False)
        await it.nothing_left()

    play(workflow(tmp_path, TWO_STEPS), scenario)


def test_a_held_run_says_so_after_what_it_has_begun_and_then_asks(tmp_path: Path) -> None:
    async def scenario(it: Conversation) -> None:
        began(await it.ask(start()), "one", started=True)
        ended(await it.hear(), 1)
        assert await it.ask(RunAskFirst(1)) == RunAsking(1)
        began(await it.ask(StepDone(1, 1)), "two", started=False)
        end = await it.ask(StepRun(1, 2, 1, {}))
        ended(end, 2)

    play(workflow(tmp_path, TWO_STEPS), scenario)


def test_a_run_that_is_over_is_not_said_to_be_held(tmp_path: Path) -> None:
    async def scenario(it: Conversation) -> None:
        assert isinstance(await it.ask(start()), RunEnd)
        await it.tell(RunAskFirst(1))

    play(workflow(tmp_path, "return 1"), scenario)


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        ('@step.do("charge", config={"timeout": "1 minute"})\nasync def charge():', "charge"),
        ('@step.do("charge")\nasync def charge(ctx):', "charge"),
        ('@step.do("a\\tb")\nasync def charge():', "a\tb"),
        ('@step.do("x" * 257)\nasync def charge():', "x" * 257),
        ('@step.do("")\nasync def charge():', ""),
    ],
)
def test_a_step_the_host_has_a_say_in_is_asked_for(
    tmp_path: Path, declared: str, name: str
) -> None:
    async def scenario(it: Conversation) -> None:
        began(await it.ask(start()), name, started=name == "")
        if name == "":
            ended(await it.hear(), 1)

    play(workflow(tmp_path, f"{declared}\n    return 1\n\nawait charge()"), scenario)


def test_a_step_that_an_earlier_run_began_is_asked_for(tmp_path: Path) -> None:
    async def scenario(it: Conversation) -> None:
        began(await it.ask(start(begun=[["one", 1]])), "one", started=False)

    play(workflow(tmp_path, TWO_STEPS), scenario)


def test_the_host_knows_of_a_step_that_takes_the_guest_down(tmp_path: Path) -> None:
    body = """
@step.do("deadly")
def deadly():
    os._exit(3)

await deadly()
"""

    async def scenario(it: Conversation) -> None:
        await it.load(workflow(tmp_path, body, "import os"))
        began(await it.ask(start()), "deadly", started=True)
        await it.process.exited

    converse(scenario)


def test_a_step_in_a_step_names_the_one_it_is_in(tmp_path: Path) -> None:
    body = """
@step.do("inner")
def inner():
    return 1

@step.do("outer")
async def outer():
    return await inner()

return await outer()
"""

    async def scenario(it: Conversation) -> None:
        outer = began(await it.ask(start()), "outer", started=True)
        inner = began(await it.hear(), "inner", started=True)
        assert inner.parent == outer.call
        ended(await it.hear(), inner.call)

    play(workflow(tmp_path, body), scenario)


def test_a_run_dropped_before_its_step_was_told_executes_nothing_more(tmp_path: Path) -> None:
    async def scenario(it: Conversation) -> None:
        began(await it.ask(start()), "one", started=True)
        ended(await it.hear(), 1)
        await it.tell(RunAbort(1), StepDone(1, 1))

    play(workflow(tmp_path, TWO_STEPS), scenario)


def test_a_guarded_run_begins_nothing_by_itself(tmp_path: Path) -> None:
    async def scenario(it: Conversation) -> None:
        said: list[Message] = [await it.ask(start(guarded=True))]
        while not isinstance(said[-1], StepBegin):
            said.append(await it.hear())
        began(said[-1], "one", started=False)
        await it.hear()

    play(workflow(tmp_path, TWO_STEPS), scenario)
