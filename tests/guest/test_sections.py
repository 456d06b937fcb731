"""Sections of an object: how long `blockConcurrencyWhile` may take, and who goes on when."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.guest.python.objects import state
from emulator.guest.python.objects.gate import InputGate
from emulator.guest.python.objects.state import DurableObjectContext

Step = tuple[int, bool, int]  # of which event; in a section; how many turns it waits meanwhile


def test_a_section_that_takes_30_seconds_resets_its_object(monkeypatch: pytest.MonkeyPatch) -> None:
    assert state.BLOCKED_MAX_S == 30
    monkeypatch.setattr(state, "BLOCKED_MAX_S", 0.01)
    ended: list[str] = []

    async def scenario() -> None:
        nothing = cast(Any, object())
        context = DurableObjectContext("id", nothing, InputGate(), nothing, ended.append)
        with pytest.raises(Exception, match="waited for too long"):
            await context.blockConcurrencyWhile(lambda: asyncio.sleep(1_000))

    asyncio.run(scenario())
    (reason,) = ended
    assert "The call was canceled and the Durable Object was reset." in reason


STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 3)), min_size=1, max_size=12
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_increments_are_whole_where_a_section_is_around_them(steps: list[Step]) -> None:
    """Events add one to a value that they read, wait, and write. In sections, none is lost.

    The model: an event outside a section loses what was written while it waited, and one in a
    section loses nothing, for no other event goes on meanwhile.
    """
    gate = InputGate()
    stored = 0
    inside: list[int] = []  # events in a section: one at most
    lost = 0

    async def add(waits: int) -> None:
        nonlocal stored, lost
        read = stored
        for _ in range(waits):
            await gate.after(asyncio.sleep(0))
        lost += stored - read
        stored = read + 1

    async def section(event: int, waits: int) -> None:
        assert not inside
        inside.append(event)
        before = stored
        await add(waits)
        assert stored == before + 1, "another event went on"
        inside.pop()

    async def run_event(event: int, own: list[Step]) -> None:
        await gate.passed()
        for _, in_section, waits in own:
            assert not inside, "an event went on while a section of another one ran"
            if in_section:
                await gate.after(gate.run(partial(section, event, waits)))
            else:
                await add(waits)

    async def scenario() -> None:
        events = {step[0] for step in steps}
        own = {event: [step for step in steps if step[0] == event] for event in events}
        await asyncio.gather(*(run_event(event, steps) for event, steps in own.items()))

    asyncio.run(asyncio.wait_for(scenario(), 5))
    assert stored + lost == len(steps)
    if all(in_section for _, in_section, _ in steps):
        assert lost == 0
