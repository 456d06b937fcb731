"""Transcripts of rollbacks: handlers kept from a run that failed, and given again by a replay."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from emulator.guest.python.runs.rollbacks import PATIENCE_S
from emulator.protocol import values
from emulator.protocol.bindings import BindingCall, BindingResult
from emulator.protocol.message import Message
from emulator.protocol.runs import (
    History,
    RollbackRun,
    RunAbort,
    RunEnd,
    RunStart,
    StepBegin,
    StepDone,
    StepEnd,
    StepRun,
)
from tests.guest.conversation import EVENT, Conversation, play, workflow

CONFIG = {"retries": {"limit": 5}, "timeout": "1 minute"}
SAGA = """
async def undo(rollback):
    seen = await self.env.AI.run(rollback)

@step.do('charge', rollback=undo, rollback_config={'timeout': '5 seconds'})
async def charge():
    return {'id': 7}

await charge()
raise ValueError('too late')
"""
AI = {"AI": {"kind": "ai"}}


def order(attempt: int = 1, run: int = 1, name: str = "charge", payload: Any = None) -> RollbackRun:
    """Ask for a handler, as the host would."""
    error = ("ValueError", "too late")
    output = b"" if payload is None else values.encode(payload)
    return RollbackRun(run, -attempt, attempt, name, 1, 2, CONFIG, *error, output)


async def failed(it: Conversation) -> RunEnd:
    """Play `SAGA` until it fails."""
    begin = await it.start()
    assert isinstance(begin, StepBegin), begin
    assert begin.options == {"rollback": {"timeout": "5 seconds"}}
    await it.ask(StepRun(1, begin.call, 1, CONFIG))
    end = await it.ask(StepDone(1, begin.call))
    assert isinstance(end, RunEnd), end
    return end


def ended(message: Message) -> tuple[int, str, str]:
    """Assert that a handler ended; return its call, and its error if any."""
    assert isinstance(message, StepEnd), message
    return message.call, message.name, message.message


def test_a_failed_run_is_kept_and_its_handler_gets_the_step_the_error_and_the_output(
    tmp_path: Path,
) -> None:
    workflow(tmp_path, SAGA)

    async def scenario(it: Conversation) -> None:
        assert (await failed(it)).kept
        call = await it.ask(order(payload={"id": 7}))
        assert isinstance(call, BindingCall)
        assert call.run == 1
        rollback = values.decode(call.payload)[0]
        assert rollback["ctx"] == {
            "step": {"name": "charge", "count": 1},
            "attempt": 2,
            "config": CONFIG,
        }
        assert (rollback["output"], rollback["stepName"]) == ({"id": 7}, "charge-1")
        assert rollback["error"].message == "ValueError: too late"
        assert ended(await it.ask(BindingResult(call.id))) == (-1, "", "")
        await it.tell(RunAbort(1))

    play(tmp_path, scenario, bindings=AI)


def test_a_run_without_handlers_is_not_kept(tmp_path: Path) -> None:
    workflow(tmp_path, "raise ValueError('no')")

    async def scenario(it: Conversation) -> None:
        end = await it.start()
        assert isinstance(end, RunEnd)
        assert not end.kept

    play(tmp_path, scenario)


def test_a_handler_that_raises_says_what(tmp_path: Path) -> None:
    workflow(tmp_path, SAGA.replace("seen = ", "raise KeyError('lost')\n    seen = "))

    async def scenario(it: Conversation) -> None:
        await failed(it)
        assert ended(await it.ask(order())) == (-1, "KeyError", "'lost'")
        assert ended(await it.ask(order(2))) == (-2, "KeyError", "'lost'")
        await it.tell(RunAbort(1))

    play(tmp_path, scenario, bindings=AI)


@pytest.mark.parametrize("handler", ["lambda: None", "lambda rollback, *more: None", "print"])
def test_a_handler_may_be_any_callable(tmp_path: Path, handler: str) -> None:
    workflow(tmp_path, SAGA.replace("rollback=undo", f"rollback={handler}"))

    async def scenario(it: Conversation) -> None:
        await failed(it)
        assert ended(await it.ask(order())) == (-1, "", "")
        await it.tell(RunAbort(1))

    play(tmp_path, scenario, bindings=AI)


def test_a_handler_cannot_call_steps(tmp_path: Path) -> None:
    workflow(tmp_path, SAGA.replace("seen = ", "await step.sleep('a while', 1)\n    seen = "))

    async def scenario(it: Conversation) -> None:
        await failed(it)
        problem = "Cannot execute steps during rollback phase"
        assert ended(await it.ask(order())) == (-1, "WorkflowFatalError", problem)
        await it.tell(RunAbort(1))

    play(tmp_path, scenario, bindings=AI)


def test_a_replay_gives_the_handlers_again_and_executes_nothing_else(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "from functools import partial\n"
        "def undo(name, rollback):\n    raise Exception(f'undo {name} of {rollback.output}')\n"
        "@step.do('charge', rollback=partial(undo, 'charge'))\nasync def charge():\n    return 1\n"
        "@step.do('ship', rollback=partial(undo, 'ship'))\nasync def ship():\n    return 1\n"
        "paid = await charge()\n"
        "await step.sleep('rest', '1 day')\n"
        "await ship()\nraise ValueError(paid)",
    )

    async def scenario(it: Conversation) -> None:
        history = values.encode([["do", "charge", 1, "ok", 5], ["sleep", "rest", 1, "ok", None]])
        start = RunStart(3, "Order", "order", "order-17", values.encode(EVENT), rolling_back=True)
        await it.tell(History(3, history), start)
        await it.nothing_left()  # `ship` had not ended, and does not now
        assert ended(await it.ask(order(run=3, name="ship"))) == (
            -1,
            "Exception",
            "undo ship of None",
        )
        answer = await it.ask(order(2, run=3, payload=5))
        assert ended(answer) == (-2, "Exception", "undo charge of 5")
        await it.tell(RunAbort(3))

    play(tmp_path, scenario)


def test_a_handler_asked_for_before_the_replay_has_given_it_is_executed_then(
    tmp_path: Path,
) -> None:
    workflow(
        tmp_path, SAGA.replace("await charge()", "await self.env.AI.run('first')\nawait charge()")
    )

    async def scenario(it: Conversation) -> None:
        start = RunStart(1, "Order", "order", "order-17", values.encode(EVENT), rolling_back=True)
        first = await it.ask(start, order())
        assert isinstance(first, BindingCall)
        second = await it.ask(BindingResult(first.id))
        assert isinstance(second, BindingCall)
        assert values.decode(second.payload)[0]["stepName"] == "charge-1"
        assert ended(await it.ask(BindingResult(second.id))) == (-1, "", "")
        await it.tell(RunAbort(1))

    play(tmp_path, scenario, bindings=AI)


def test_a_handler_that_a_replay_does_not_give_is_missing(tmp_path: Path) -> None:
    workflow(tmp_path, "return 'all is different'")

    async def scenario(it: Conversation) -> None:
        start = RunStart(1, "Order", "order", "order-17", values.encode(EVENT), rolling_back=True)
        answer = await it.ask(start, order())
        problem = "Rollback function not available in registry"
        assert ended(answer) == (-1, "RollbackMissing", problem)
        await it.tell(RunAbort(1))

    play(tmp_path, scenario)


def test_a_handler_that_a_replay_at_rest_cannot_give_is_missing_at_once(tmp_path: Path) -> None:
    workflow(tmp_path, "await step.sleep('rest', '1 day')\n" + SAGA)

    async def scenario(it: Conversation) -> None:
        start = RunStart(1, "Order", "order", "order-17", values.encode(EVENT), rolling_back=True)
        began = time.monotonic()
        answer = await it.ask(start, order())
        assert ended(answer)[:2] == (-1, "RollbackMissing")
        assert time.monotonic() - began < PATIENCE_S
        await it.tell(RunAbort(1))

    play(tmp_path, scenario, bindings=AI)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("rollback='undo'", 'Rollback for "charge" must be a function'),
        ("rollback_config={}", 'step.do("charge"): rollback_config is given, and rollback is not'),
    ],
)
def test_a_handler_that_is_none_is_refused(tmp_path: Path, options: str, problem: str) -> None:
    workflow(tmp_path, f"@step.do('charge', {options})\ndef charge():\n    pass\nawait charge()")

    async def scenario(it: Conversation) -> None:
        end = await it.start()
        assert isinstance(end, RunEnd)
        assert (end.name, end.message) == ("TypeError", problem)

    play(tmp_path, scenario)
