"""The triggers of one worker: each is made when the configuration first asks for it."""

from __future__ import annotations

import asyncio

from emulator.config.model import Config
from emulator.engine.clock_control import Work
from emulator.kinds.kind import Kind
from emulator.kinds.registry import KINDS, attribute
from emulator.triggers.trigger import Around, Trigger


class Triggers:
    """Whatever calls a worker by itself."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._made: dict[str, Trigger] = {}

    def follow(self, config: Config) -> None:
        """Do what this configuration says from now on."""
        used = {bound.kind for bound in config.bindings}
        for kind in KINDS:
            if kind.trigger and (kind.name in used or kind.name in self._made):
                self.of(kind).follow(config)

    def of(self, kind: Kind) -> Trigger:
        """Return the trigger of a kind that has one."""
        if kind.name not in self._made:
            self._made[kind.name] = attribute(kind.trigger)(self._around)
        return self._made[kind.name]

    def next_ms(self) -> int | None:
        """Return when one of them calls next; None when all wait for nothing."""
        found = [trigger.next_ms() for trigger in self._made.values()]
        return min((each for each in found if each is not None), default=None)

    def in_flight(self) -> set[Work]:
        """Return the calls that have not ended."""
        return {work for trigger in self._made.values() for work in trigger.in_flight()}

    def now_ms(self) -> int:
        """Return the time by which they call."""
        return self._around.clock.now_ms()

    async def stop(self) -> None:
        """Call nothing any more."""
        await asyncio.gather(*(trigger.stop() for trigger in self._made.values()))
