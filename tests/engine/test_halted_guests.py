"""Guests that a debugger halts: their attempts do not time out meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from emulator.engine.model.entry_kinds import EntryKind
from tests.engine.scripted import Context, Step
from tests.engine.world import HOUR, MINUTE, World, play


async def _charge(event: dict[str, Any], step: Step) -> Any:
    async def forever(ctx: Context) -> None:
        await asyncio.get_running_loop().create_future()

    config = {"timeout": "10 minutes", "retries": {"limit": 0, "delay": 0}}
    return await step.do("charge", forever, config)


def test_an_attempt_in_a_halted_guest_has_the_rest_of_its_time_afterwards(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(4 * MINUTE)
        halted = world.engine.halted

        halted.halt(world.guest)
        await world.advance(HOUR)
        assert world.status() == "running"
        halted.go_on(world.guest, HOUR)
        await world.advance(5 * MINUTE)
        assert world.status() == "running"
        await world.advance(2 * MINUTE)

        assert world.error()[0] == "WorkflowTimeoutError"
        assert world.kinds().count(EntryKind.ATTEMPT_START) == 1

    play(tmp_path, _charge, story)
