"""Moves virtual time while workflows run, so that for them it is like waiting.

Time goes from one deadline to the next. At each it stops until everything that follows is at rest:
running code takes no time. Code that is not at rest within a grace of real time is left behind, and
its timeouts count.

Time never goes back: the target is saved before time moves, and a clock never begins before the
last entry of the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from msgspec import Struct

from emulator.clock import Clock, VirtualClock
from emulator.durations import format_duration
from emulator.engine.engine import Engine
from emulator.engine.journal.watchers import Watchers
from emulator.errors import UsageError

LATEST_MS = 250_000_000_000_000  # in the year 9892; much later times cannot be dates
BEHIND_MAX_MS = 60_000  # a real clock may be so much behind the journal without a warning
# What runs now: the number of a run, a name, the number of an attempt.
Work = tuple[int, str, int]
# While time is moved, each commit is a reason to look again. Some changes are never recorded, such
# as the end of a cron trigger: for them there is a look at this interval.
_LOOK_AGAIN_S = 0.02


class SavedClock(Struct, frozen=True):
    """The saved state of a virtual clock: its time if it stands still, or how far it is ahead."""

    now_ms: int | None = None
    ahead_ms: int | None = None


class Timekeeper:
    """Moves an engine's clock. Every operation returns when everything is at rest.

    other_deadline, other_work: what else waits for the clock, and what else runs because of it.
    `held_runs` returns the runs that somebody holds back: they count as being at rest.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        save: Callable[[SavedClock], None],
        *,
        grace_ms: int,
        other_deadline: Callable[[], int | None] = lambda: None,
        other_work: Callable[[], set[Work]] = set,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._save = save
        self._grace_ms = grace_ms
        self._other_deadline = other_deadline
        self._other_work = other_work
        self._moving = asyncio.Lock()
        self.held_runs: Callable[[], set[int]] = set

    @property
    def is_virtual(self) -> bool:
        """Whether time can be moved at all."""
        return isinstance(self._clock, VirtualClock)

    @property
    def is_frozen(self) -> bool:
        """Whether time stands still."""
        return isinstance(self._clock, VirtualClock) and self._clock.ahead_ms is None

    def now_ms(self) -> int:
        """Return the time now."""
        return self._clock.now_ms()

    def next_ms(self) -> int | None:
        """Return when the next thing is due: a step's deadline or a schedule; None: nothing."""
        candidates = (self._engine.roster.next_due_ms(), self._other_deadline())
        return min((due_ms for due_ms in candidates if due_ms is not None), default=None)

    def begin(self, report: Callable[[str], None]) -> None:
        """Compare the clock with the journal, before anything runs."""
        last_ms = self._engine.journal.last_ms()
        behind_ms = last_ms - self._clock.now_ms()
        if isinstance(self._clock, VirtualClock):
            self._save(self._caught_up(self._clock, max(0, behind_ms)))
            if behind_ms > BEHIND_MAX_MS:
                report("the virtual clock begins where the journal ends: time never goes back")
        elif behind_ms > BEHIND_MAX_MS:
            report(
                f"the journal ends {format_duration(behind_ms)} ahead of this machine's clock;"
                " what waits may wait longer by that. If the clock was virtual before, set"
                ' [clock] mode = "virtual" in groundfog.toml again, or skip single waits'
            )

    async def freeze(self) -> None:
        """Stop time. Raises UsageError on a real clock."""
        clock = self._virtual()
        async with self._moving:
            clock.freeze()
            self._save(SavedClock(now_ms=clock.now_ms()))

    async def run(self) -> None:
        """Let time go on at its usual speed. Raises UsageError on a real clock."""
        clock = self._virtual()
        async with self._moving:
            clock.run()
            self._save(SavedClock(ahead_ms=clock.ahead_ms))

    async def advance(self, span_ms: int) -> None:
        """Move time by a span. Raises UsageError on a real clock, or for too long a span."""
        clock = self._virtual()
        async with self._moving:
            await self._move(clock, clock.now_ms() + span_ms)

    async def advance_to_next(self) -> bool:
        """Move time to the next deadline or schedule; return False when nothing waits for one.

        Raises UsageError on a real clock.
        """
        clock = self._virtual()
        async with self._moving:
            await self._rest().reached()
            next_ms = self.next_ms()
            if next_ms is not None:
                await self._move(clock, max(next_ms, clock.now_ms()))
            return next_ms is not None

    async def at_rest(self) -> None:
        """Return when nothing is in progress that needs no time, or makes no progress."""
        await self._rest().reached()

    async def _move(self, clock: VirtualClock, end_ms: int) -> None:
        if end_ms > LATEST_MS:
            raise UsageError("That is beyond the last date there is. Advance by less.")
        ran_ahead_ms, start_ms = clock.ahead_ms, clock.now_ms()
        clock.freeze()
        if ran_ahead_ms is None:
            self._save(SavedClock(now_ms=end_ms))
        else:
            self._save(SavedClock(ahead_ms=ran_ahead_ms + end_ms - start_ms))
        try:
            await self._walk(clock, end_ms)
        finally:
            if ran_ahead_ms is not None:
                clock.run()
                self._save(SavedClock(ahead_ms=clock.ahead_ms))

    async def _walk(self, clock: VirtualClock, end_ms: int) -> None:
        """Stop at every deadline up to `end_ms`, then go there."""
        rest = self._rest()
        await rest.reached()
        arrived = monotonic()
        while (due_ms := clock.next_ms()) is not None and due_ms <= end_ms:
            if due_ms > clock.now_ms():
                arrived = monotonic()
            elif monotonic() - arrived > self._grace_ms / 1000:
                break  # endless deadlines at one moment: a loop of sleeps without length
            clock.advance(max(0, due_ms - clock.now_ms()))
            await rest.reached()
        clock.advance(max(0, end_ms - clock.now_ms()))
        await rest.reached()

    def _rest(self) -> _Rest:
        return _Rest(self._engine.journal.watchers, self._in_flight, self._grace_ms)

    def _in_flight(self) -> set[Work]:
        held = self.held_runs()
        found = self._engine.in_flight() | self._other_work()
        return {work for work in found if work[0] not in held} if held else found

    def _caught_up(self, clock: VirtualClock, behind_ms: int) -> SavedClock:
        runs = clock.ahead_ms is not None
        clock.freeze()
        clock.advance(behind_ms)
        if not runs:
            return SavedClock(now_ms=clock.now_ms())
        clock.run()
        return SavedClock(ahead_ms=clock.ahead_ms)

    def _virtual(self) -> VirtualClock:
        if isinstance(self._clock, VirtualClock):
            return self._clock
        raise UsageError(
            "The clock is real, so it cannot be moved. Start with `groundfog dev --clock virtual`,"
            ' or set [clock] mode = "virtual" in groundfog.toml.'
        )


class _Rest:
    """Waits until nothing is in progress; leaves code behind that makes no progress for a grace.

    Progress is an attempt or a run that was not seen before, or a run that rests for the first
    time. A loop of sleeps without length never ends and makes no progress.
    """

    def __init__(
        self, watchers: Watchers, in_flight: Callable[[], set[Work]], grace_ms: int
    ) -> None:
        self._watchers = watchers
        self._in_flight = in_flight
        self._grace_s = grace_ms / 1000
        self._left_behind: set[Work] = set()  # attempts only: they end once

    async def reached(self) -> None:
        changed = asyncio.Event()
        with self._watchers.any(changed.set):
            await self._reached(changed)

    async def _reached(self, changed: asyncio.Event) -> None:
        seen: set[Work] = set()
        running: set[int] = set()
        rested: set[int] = set()
        await asyncio.sleep(0)
        progressed = monotonic()
        while busy := self._in_flight() - self._left_behind:
            changed.clear()
            now = monotonic()
            runs = {run for run, _, _ in busy}
            if busy - seen or running - runs - rested:
                progressed = now
            elif now - progressed > self._grace_s:
                self._left_behind |= {work for work in busy if work[1]}
                return
            seen |= busy
            rested |= running - runs
            running = runs
            # With thousands in progress a look takes a while; most of the time must be for them.
            await asyncio.sleep(10 * (monotonic() - now))
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN_S):
                    await changed.wait()
