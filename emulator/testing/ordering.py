"""In which order things end that are under way at the same time: chosen, noted, chosen again.

While it is on, attempts begin and end, events arrive and sleeps pass one at a time. Whenever
nothing else goes on, one of those that could come next is taken. The numbers of the choices are a
plan: the same plan leads to the same order. Number 0 is always what was called first.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from emulator.clock import VirtualClock
from emulator.engine.clock_control import Work
from emulator.engine.engine import Engine
from emulator.engine.model.step import StepState

BEGINS, ENDS, ARRIVES = 0, 1, 2  # what may happen to a call, in this order where all else is equal
_PATIENCE_S = 0.05  # a callback that gets no further for so long waits for another one
_QUIET_TURNS = 3  # turns of the guest's loop in which it says nothing: it waits for us
_BY_TIME = (StepState.SLEEPING, StepState.RETRYING)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that could happen now. rank: run, call and what happens. work: of the engine."""

    rank: tuple[int, int, int]
    text: str
    work: Work | None
    go: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice: which of how many was taken, and which ones there were, in words."""

    taken: int
    texts: tuple[str, ...]


class World(Protocol):
    """What is needed of the worker under test."""

    @property
    def engine(self) -> Engine:
        """What executes its workflows."""
        ...

    async def guest_turn(self) -> None:
        """Return when the guest has answered, in a later turn of its loop."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this beside everything else, for as long as the worker is there."""
        ...


class Ordering:
    """The order of one worker; off until `follow`."""

    def __init__(self, world: World) -> None:
        self.is_on = False
        self.choices: list[Choice] = []
        self.heard_count = 0  # messages of the guest about runs
        self._world = world
        self._plan: tuple[int, ...] = ()
        self._random: random.Random | None = None
        self._waiting: list[Waiting] = []
        self._pumps = False
        self._news = asyncio.Event()

    def follow(self, plan: tuple[int, ...], seed: str = "") -> None:
        """Take this order from now on; after the plan, by chance from a seed, or always 0."""
        self.is_on, self._plan = True, plan
        self._random = random.Random(seed) if seed else None

    def hold(self, waiting: Waiting) -> None:
        """Let something wait for its turn."""
        self._waiting.append(waiting)
        self._news.set()
        if not self._pumps:
            self._pumps = True
            self._world.spawn(self._pump())

    async def turn(self, text: str) -> None:
        """Return when it is the turn of something that arrives."""
        if not self.is_on:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def arrive() -> None:
            if not future.done():
                future.set_result(None)

        self.hold(Waiting((1 << 62, len(self._waiting), ARRIVES), text, None, arrive))
        await future

    def heard(self) -> None:
        """The guest has said something."""
        self.heard_count += 1
        self._news.set()

    async def _pump(self) -> None:
        try:
            while self._waiting:
                await self._quiet()
                self._take_one()
        finally:
            self._pumps = False

    async def _quiet(self) -> None:
        """Return when all that goes on has got to where it waits for its turn, or for another."""
        quiet = 0
        while quiet < _QUIET_TURNS:
            self._news.clear()
            mine = {each.work for each in self._waiting}
            others = {work for work in self._world.engine.in_flight() if work not in mine}
            if others:
                try:
                    async with asyncio.timeout(_PATIENCE_S):
                        await self._news.wait()
                except TimeoutError:
                    return
            else:
                await self._world.guest_turn()
            quiet = 0 if self._news.is_set() else quiet + 1

    def _take_one(self) -> None:
        options = sorted(self._waiting, key=lambda each: each.rank)
        due_ms, timer = self._timer()
        texts = [each.text for each in options] + ([timer] if timer else [])
        number = self._choose(texts)
        if number == len(options):
            clock = self._world.engine.clock
            assert isinstance(clock, VirtualClock)
            clock.advance(max(0, due_ms - clock.now_ms()))
            return
        self._waiting.remove(options[number])
        options[number].go()

    def _choose(self, texts: list[str]) -> int:
        if len(texts) == 1:
            return 0
        made = len(self.choices)
        number = 0
        if made < len(self._plan):
            number = min(self._plan[made], len(texts) - 1)
        elif self._random is not None:
            number = self._random.randrange(len(texts))
        self.choices.append(Choice(number, tuple(texts)))
        return number

    def _timer(self) -> tuple[int, str]:
        """Return when the next sleep or delay is over, and which; "" if something else is next."""
        engine = self._world.engine
        clock, due_ms = engine.clock, engine.roster.next_due_ms()
        if due_ms is None or not isinstance(clock, VirtualClock) or clock.ahead_ms is not None:
            return 0, ""
        due = [
            step
            for row in engine.journal.unfinished()
            if (instance := engine.roster.sound(row.key)) is not None
            for step in instance.open.values()
            if step.due_ms == due_ms
        ]
        if not due or any(step.state not in _BY_TIME for step in due):
            return 0, ""
        first = due[0]
        kind = "sleep" if first.state is StepState.SLEEPING else "delay of step"
        return due_ms, f'{kind} "{first.name}" is over'
