"""Transcripts of guarded runs: when the guest says that a run has come to rest, and at what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.protocol import values
from emulator.protocol.bindings import BindingCall
from emulator.protocol.message import Message
from emulator.protocol.runs import (
    History,
    Replayed,
    RunEnd,
    RunRelease,
    StepBegin,
    StepDone,
    StepRun,
)
from tests.guest.conversation import Conversation, play, workflow

STEPS = """
@step.do('a')
async def a():
    return 1
@step.do('b')
async def b():
    return 2
"""


async def replay(
    it: Conversation, finished: list[Any] | None = None, *, probe: bool = False
) -> tuple[list[Message], Replayed]:
    """Start a guarded run; return what it says until it is at rest, and how it says that."""
    if finished:
        await it.tell(History(1, values.encode(finished)))
    said = [await it.start(1, guarded=True, probe=probe)]
    while not isinstance(said[-1], Replayed) or said[-1].state == "through":
        said.append(await it.hear())
    last = said.pop()
    assert isinstance(last, Replayed)
    return said, last


def names(replayed: Replayed) -> list[str]:
    return [name for _, name, *_ in replayed.asked]


def test_a_guarded_run_says_in_order_what_it_asked_for_and_where(tmp_path: Path) -> None:
    workflow(tmp_path, STEPS + "await a()\nawait step.sleep('nap', '1 hour')\nawait b()\n")

    async def scenario(it: Conversation) -> None:
        said, last = await replay(it, [["do", "a", 1, "ok", 1]])
        assert last.state == "rested"
        assert last.asked == [
            ["do", "a", 1, "src/entry.py:13", 0],
            ["sleep", "nap", 1, "src/entry.py:14", 1],
        ]
        assert last.declared == [["b", "src/entry.py:10"]]
        through, nap = said
        assert isinstance(through, Replayed) and through.state == "through"
        assert isinstance(nap, StepBegin) and nap.options == {"duration": "1 hour"}

    play(tmp_path, scenario)


def test_a_released_run_goes_on_as_any_other(tmp_path: Path) -> None:
    workflow(tmp_path, STEPS + "return [await a(), await b()]")

    async def scenario(it: Conversation) -> None:
        said, last = await replay(it, [["do", "a", 1, "ok", "recorded"]])
        assert names(last) == ["a", "b"]
        await it.nothing_left()
        begin = said[-1]
        assert isinstance(begin, StepBegin)
        await it.tell(RunRelease(1))
        await it.ask(StepRun(1, begin.call, 1, {}))
        end = await it.ask(StepDone(1, begin.call))
        assert isinstance(end, RunEnd)
        assert values.decode(end.payload) == ["recorded", 2]

    play(tmp_path, scenario)


def test_a_run_that_ends_while_it_is_guarded_says_what_it_asked_for_first(tmp_path: Path) -> None:
    workflow(tmp_path, "return 'nothing to do'")

    async def scenario(it: Conversation) -> None:
        _, last = await replay(it, [["do", "a", 1, "ok", 1]])
        assert (last.state, last.asked) == ("ended", [])
        assert isinstance(await it.hear(), RunEnd)

    play(tmp_path, scenario)


IN_FLIGHT = {
    "a gather": "await asyncio.gather(a(), b())",
    "a gather of tasks": "await asyncio.gather(*(asyncio.create_task(s()) for s in (a, b)))",
    "a task group": (
        "async with asyncio.TaskGroup() as group:\n"
        "    group.create_task(a())\n    group.create_task(b())"
    ),
    "a task group under a timeout": (
        "async with asyncio.timeout(900):\n    async with asyncio.TaskGroup() as group:\n"
        "        group.create_task(a())\n        group.create_task(b())"
    ),
    "shielded steps": "await asyncio.gather(asyncio.shield(a()), asyncio.shield(b()))",
    "wait_for": "await asyncio.gather(asyncio.wait_for(a(), 900), asyncio.wait_for(b(), 900))",
    "wait": "await asyncio.wait([asyncio.create_task(a()), asyncio.create_task(b())])",
    "as_completed": "for each in asyncio.as_completed([a(), b()]):\n    await each",
    "a queue between tasks": (
        "queue = asyncio.Queue()\n"
        "async def produce():\n    await queue.put(await a())\n"
        "task = asyncio.create_task(produce())\nother = asyncio.create_task(b())\n"
        "await queue.get()"
    ),
    "an event between tasks": (
        "event = asyncio.Event()\n"
        "async def first():\n    await a()\n    event.set()\n"
        "tasks = [asyncio.create_task(first()), asyncio.create_task(b())]\nawait event.wait()"
    ),
    "a semaphore": (
        "semaphore = asyncio.Semaphore(2)\n"
        "async def one(s):\n    async with semaphore:\n        await s()\n"
        "await asyncio.gather(one(a), one(b), one(a))"
    ),
    "nested gathers": "await asyncio.gather(asyncio.gather(a()), asyncio.gather(b()))",
    "a dependency that two steps share": (
        "@step.do()\nasync def c(a, b):\n    pass\n@step.do()\nasync def d(a, b):\n    pass\n"
        "@step.do(concurrent=True)\nasync def e(c, d):\n    pass\n"
        "await asyncio.gather(a(), b(), e())"
    ),
    "turns of the loop between": (
        "async def late(s):\n    for _ in range(5):\n        await asyncio.sleep(0)\n"
        "    await s()\n"
        "await asyncio.gather(late(a), late(b))"
    ),
    "time between": (
        "async def late(s):\n    await asyncio.sleep(0.03)\n    await s()\n"
        "await asyncio.gather(a(), late(b))"
    ),
    "a thread between": (
        "import time\nawait asyncio.to_thread(time.sleep, 0.03)\nawait asyncio.gather(a(), b())"
    ),
    "a timer between that resolves a bare future": (
        "future = asyncio.get_running_loop().create_future()\n"
        "asyncio.get_running_loop().call_later(0.03, lambda: future.set_result(None))\n"
        "await future\nawait asyncio.gather(a(), b())"
    ),
    "a socket between": (
        "async def echo(reader, writer):\n    writer.write(await reader.read(1))\n"
        "server = await asyncio.start_server(echo, '127.0.0.1', 0)\n"
        "reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())\n"
        "asyncio.get_running_loop().call_later(0.03, writer.write, b'x')\n"
        "await reader.read(1)\nserver.close()\nwriter.close()\nawait asyncio.gather(a(), b())"
    ),
}


@pytest.mark.parametrize("body", IN_FLIGHT.values(), ids=IN_FLIGHT)
def test_rest_comes_when_every_branch_waits_for_a_step_and_not_before(
    tmp_path: Path, body: str
) -> None:
    workflow(tmp_path, STEPS + body)

    async def scenario(it: Conversation) -> None:
        said, last = await replay(it)
        assert last.state == "rested"
        assert {"a", "b"} == set(names(last))
        assert all(isinstance(message, StepBegin) for message in said)
        await it.nothing_left()

    play(tmp_path, scenario)


def test_a_binding_call_outside_steps_is_awaited_before_rest(tmp_path: Path) -> None:
    workflow(tmp_path, STEPS + "await self.env.AI.run('model', {})\nawait a()\n")

    async def scenario(it: Conversation) -> None:
        call = await it.start(1, guarded=True)
        assert isinstance(call, BindingCall)
        await it.nothing_left()

    play(tmp_path, scenario, bindings={"AI": {"kind": "ai"}})


def test_a_probe_calls_no_binding_and_says_where_it_would_have(tmp_path: Path) -> None:
    workflow(tmp_path, STEPS + "await a()\nawait self.env.AI.run('model', {})\nawait b()\n")

    async def scenario(it: Conversation) -> None:
        _, last = await replay(it, [["do", "a", 1, "ok", 1]], probe=True)
        assert (last.state, last.where) == ("restless", "env.AI.run() at src/entry.py:14")
        assert names(last) == ["a"]
        await it.nothing_left()

    play(tmp_path, scenario, bindings={"AI": {"kind": "ai"}})


@pytest.mark.parametrize(
    "waits",
    ["await asyncio.sleep(900)", "while True: await asyncio.sleep(0)"],
    ids=["once", "polls"],
)
def test_a_run_that_never_comes_to_rest_says_where_it_waits(tmp_path: Path, waits: str) -> None:
    workflow(
        tmp_path,
        f"{waits}\n",
        more="from _groundfog.guest.python.runs import replaying\nreplaying.REST_TIMEOUT_S = 0.1",
    )

    async def scenario(it: Conversation) -> None:
        _, last = await replay(it)
        assert last.state == "restless"
        assert last.where.startswith("waiting at src/entry.py:")

    play(tmp_path, scenario)
