"""An interpreter whose asyncio is not the one we know: nothing is taken for rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.guest.python.loop import asyncio_privates
from emulator.guest.python.runs import rest, self_test
from emulator.protocol import values
from emulator.protocol.runs import (
    History,
    Replayed,
    RollbackRun,
    RunAbort,
    RunEnd,
    RunRelease,
    RunStart,
    StepBegin,
    StepDone,
    StepEnd,
    StepRun,
)
from tests.guest.conversation import Conversation, play, workflow

UNKNOWN = (
    "from _groundfog.guest.python.loop import asyncio_privates\n"
    "from _groundfog.guest.python.runs import replaying, rollbacks\n"
    "asyncio_privates.trusted = False\n"
    "replaying.REST_TIMEOUT_S = rollbacks.PATIENCE_S = 0.1"
)
CHARGE = """
@step.do('charge', rollback=lambda rollback: None)
async def charge():
    return 1
return await charge()
"""


def missing(*given: Any) -> Any:
    raise AttributeError("_ready")


@pytest.mark.parametrize(
    "name",
    ["contexts_about_to_run", "timers", "contexts_of_sockets", "waited_for", "gathered",
     "callbacks_of", "is_of_thread"],
)  # fmt: skip
@pytest.mark.parametrize("other", [missing, lambda *given: None, lambda *given: ()])
def test_what_differs_is_found_before_any_user_code_runs(
    monkeypatch: pytest.MonkeyPatch, name: str, other: Callable[..., Any]
) -> None:
    monkeypatch.setattr(asyncio_privates, "trusted", True)
    assert self_test.passes()
    for module in (asyncio_privates, rest):
        monkeypatch.setattr(module, name, other, raising=False)
    self_test.run()
    assert not asyncio_privates.trusted


def test_a_guarded_run_is_restless_where_rest_cannot_be_told(tmp_path: Path) -> None:
    async def scenario(it: Conversation) -> None:
        begin = await it.start(guarded=True)
        assert isinstance(begin, StepBegin)
        told = await it.hear()
        assert isinstance(told, Replayed)
        assert (told.state, len(told.asked)) == ("restless", 1)
        await it.tell(RunRelease(1))
        assert isinstance(await it.ask(StepRun(1, begin.call, 1, {})), StepEnd)
        end = await it.ask(StepDone(1, begin.call))
        assert isinstance(end, RunEnd) and values.decode(end.payload) == 1

    play(workflow(tmp_path, CHARGE, UNKNOWN), scenario)


def test_a_handler_that_does_not_come_is_waited_for_no_longer_than_always(tmp_path: Path) -> None:
    event = values.encode({"payload": {}})

    async def scenario(it: Conversation) -> None:
        await it.tell(History(1, values.encode([])))
        await it.tell(RunStart(1, "Order", "order", "order-17", event, rolling_back=True))
        missing = RollbackRun(1, -1, 1, "ship", 1, 1, {}, "Error", "no")
        end = await it.ask(missing)
        assert isinstance(end, StepEnd) and end.name == "RollbackMissing"
        await it.tell(RunAbort(1))

    play(workflow(tmp_path, CHARGE, UNKNOWN), scenario)
