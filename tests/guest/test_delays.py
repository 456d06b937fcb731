"""Transcripts of delay functions: asked by the host after an attempt has failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.protocol import values
from emulator.protocol.message import Message
from emulator.protocol.runs import RunAbort, RunEnd, StepBegin, StepDelay, StepDelayed, StepRun
from tests.guest.conversation import Conversation, play, workflow

CONFIG = {"retries": {"limit": 5, "backoff": "constant"}}
WORK = """
@step.do('work', config={{'retries': {{'limit': 5, 'delay': {delay}}}}})
def work():
    raise ValueError('no')

await work()
"""


def project(folder: Path, delay: str, more: str = "") -> None:
    """Write a workflow of one step with this delay."""
    workflow(folder, WORK.format(delay=delay), more)


async def asked(it: Conversation) -> Message:
    """Let the first attempt fail, ask for the delay and return the answer."""
    begin = await it.start()
    assert isinstance(begin, StepBegin), begin
    await it.ask(StepRun(1, begin.call, 1, CONFIG))
    return await it.ask(StepDelay(1, begin.call, 1, CONFIG, "ValueError", "no"))


def told(answer: Message) -> Any:
    """Assert that the function returned; return what."""
    assert isinstance(answer, StepDelayed), answer
    assert answer.problem == ""
    return values.decode(answer.payload)


@pytest.mark.parametrize(
    ("delay", "expected"),
    [
        ("lambda given: 1500", 1500),
        ("lambda: '10 seconds'", "10 seconds"),
        ("patient", "2 seconds"),
        ("'1 minute'", "1 minute"),  # the code the delay was recorded for had a function
    ],
)
def test_a_delay_is_asked_of_the_code(tmp_path: Path, delay: str, expected: Any) -> None:
    more = "async def patient(given):\n    await asyncio.sleep(0)\n    return '2 seconds'\n"
    project(tmp_path, delay, more)

    async def scenario(it: Conversation) -> None:
        assert told(await asked(it)) == expected
        await it.tell(RunAbort(1))

    play(tmp_path, scenario)


def test_a_function_gets_the_context_of_the_step_and_the_error(tmp_path: Path) -> None:
    project(tmp_path, "lambda given: [given.ctx, str(given.error), type(given.error).__name__]")

    async def scenario(it: Conversation) -> None:
        ctx, error, kind = told(await asked(it))
        assert ctx == {"step": {"name": "work", "count": 1}, "attempt": 1, "config": CONFIG}
        assert (error, kind) == ("ValueError: no", "ValueError")
        await it.tell(RunAbort(1))

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("delay", "problem"),
    [
        ("lambda given: 1 / 0", "threw an error: division by zero"),
        ("lambda given: exit()", "threw an error: "),
        ("lambda given: (_ for _ in ()).throw(TimeoutError('mine'))", "threw an error: mine"),
        ("for_ever", "did not return within 5 seconds"),
    ],
)
def test_a_function_that_does_not_say_is_a_problem(
    tmp_path: Path, delay: str, problem: str
) -> None:
    more = "async def for_ever(given):\n    await asyncio.Event().wait()\n"
    project(tmp_path, delay, more)

    async def scenario(it: Conversation) -> None:
        answer = await asked(it)
        assert isinstance(answer, StepDelayed)
        assert answer.problem.startswith(problem)
        await it.tell(RunAbort(1))

    play(tmp_path, scenario)


def test_what_cannot_be_sent_is_no_duration(tmp_path: Path) -> None:
    project(tmp_path, "lambda given: object()")

    async def scenario(it: Conversation) -> None:
        assert told(await asked(it)) is None
        await it.tell(RunAbort(1))

    play(tmp_path, scenario)


@pytest.mark.parametrize("config", ["{'retries': 5}", "'5 times'", "{'retries': None}"])
def test_a_configuration_of_another_shape_is_the_hosts_to_refuse(
    tmp_path: Path, config: str
) -> None:
    workflow(tmp_path, f"@step.do(config={config})\ndef work():\n    pass\nawait work()")

    async def scenario(it: Conversation) -> None:
        assert isinstance(await it.start(), StepBegin)
        await it.tell(RunAbort(1))

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    "options",
    [
        "config={'retries': {'limit': 1, 'delay': {'$function': 1}}}",
        "config={'timeout': print}",
        "rollback=print, rollback_config={'retries': {'limit': 1, 'delay': print}}",
    ],
)
def test_only_the_delay_of_a_step_may_be_a_function(tmp_path: Path, options: str) -> None:
    workflow(tmp_path, f"@step.do('work', {options})\ndef work():\n    pass")

    async def scenario(it: Conversation) -> None:
        end = await it.start()
        assert isinstance(end, RunEnd)
        assert end.name == "TypeError"
        assert 'expected milliseconds or "<number> <unit>"' in end.message

    play(tmp_path, scenario)
