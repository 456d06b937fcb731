"""Workflow runs whose code waits in `run_sync`: they rest, are dropped and replayed like others."""

from __future__ import annotations

from pathlib import Path

from emulator.protocol.runs import RunAbort, RunEnd, StepBegin, StepDone
from tests.guest.conversation import EVENT, Conversation, play, workflow
from tests.guest.test_replaying import names, replay
from tests.guest.test_workflow_runs import returned

MORE = "from pyodide.ffi import run_sync\ntrace = []"
NAPS = """
def nap(name):
    try:
        run_sync(step.sleep(name, "1 hour"))
        trace.append(f"{name} over")
    except Exception:
        trace.append("never")
    finally:
        trace.append(f"{name} left")

if event["payload"]["n"] == 2:
    return trace
nap("first")
nap("second")
return trace
"""


def test_a_step_may_be_waited_for_in_synchronous_code(tmp_path: Path) -> None:
    workflow(tmp_path, NAPS, MORE)

    async def scenario(it: Conversation) -> None:
        first = await it.start()
        assert isinstance(first, StepBegin)
        second = await it.ask(StepDone(1, first.call))
        assert isinstance(second, StepBegin) and second.name == "second"
        end = await it.ask(StepDone(1, second.call))
        assert returned(end) == ["first over", "first left", "second over", "second left"]

    play(tmp_path, scenario)


def test_a_run_that_is_dropped_while_it_waits_is_closed_there(tmp_path: Path) -> None:
    workflow(tmp_path, NAPS, MORE)

    async def scenario(it: Conversation) -> None:
        await it.start()
        await it.tell(RunAbort(1))
        await it.nothing_left()
        assert returned(await it.start(2, {**EVENT, "payload": {"n": 2}})) == ["first left"]

    play(tmp_path, scenario)


def test_a_dropped_run_that_swallows_everything_goes_no_further_than_its_next_await(
    tmp_path: Path,
) -> None:
    body = """
if event["payload"]["n"] == 2:
    return trace
while True:
    try:
        run_sync(step.sleep("nap", "1 hour"))
    except BaseException as error:
        trace.append(type(error).__name__)
    await asyncio.sleep(0)
"""
    workflow(tmp_path, body, MORE)

    async def scenario(it: Conversation) -> None:
        await it.start()
        await it.tell(RunAbort(1))
        await it.nothing_left()
        assert returned(await it.start(2, {**EVENT, "payload": {"n": 2}})) == ["GeneratorExit"]

    play(tmp_path, scenario)


def test_a_guarded_run_that_waits_for_a_step_in_synchronous_code_is_at_rest(tmp_path: Path) -> None:
    workflow(tmp_path, NAPS, MORE)

    async def scenario(it: Conversation) -> None:
        _, last = await replay(it)
        assert (last.state, names(last)) == ("rested", ["first"])
        await it.tell(RunAbort(1))

    play(tmp_path, scenario)


def test_a_run_may_be_synchronous_from_top_to_bottom(tmp_path: Path) -> None:
    project = workflow(tmp_path, "run_sync(step.sleep('nap', 5))\nreturn 'done'", MORE)
    entry = project / "src" / "entry.py"
    entry.write_text(entry.read_text().replace("async def run(", "def run("))

    async def scenario(it: Conversation) -> None:
        nap = await it.start()
        assert isinstance(nap, StepBegin)
        end = await it.ask(StepDone(1, nap.call))
        assert isinstance(end, RunEnd) and returned(end) == "done"

    play(tmp_path, scenario)
