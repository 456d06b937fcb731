"""Cron triggers: calls `scheduled` at each tick, and again after a while when it fails.

A tick begins at most once, also after a crash: at a start the first tick is the next one. So ticks
that pass while no server runs are not made up for. When the handler raises, the same tick is tried
up to six times more, unless the handler has called `noRetry()`.
Source: docs/platform/cron.md, "When a handler fails".
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Any

from msgspec import Struct

from emulator.clock import Alarm, call_after
from emulator.config.model import Config
from emulator.engine.clock_control import Work
from emulator.engine.schedules import Schedules, Tick
from emulator.errors import EmulatorError
from emulator.kinds.cron import CronTrigger, fires
from emulator.runner.requests import GuestLost
from emulator.triggers.trigger import Around

RETRIES_MAX = 6
FIRST_RETRY_MS = 2_000  # each next one waits twice as long
TIMEOUT_S = 15 * 60


class Outcome(Struct, frozen=True):
    """How a call of `scheduled` ended: `"ok"` or `"exception"`, and whether it wants no retry."""

    outcome: str
    no_retry: bool = False


class CronTriggers:
    """Fires the worker's cron triggers. `run` calls the handler once, by hand."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._schedules = Schedules(around.clock, self._fire)
        self._calls: dict[asyncio.Task[None], Work] = {}
        self._count = 0
        self._retries: set[Alarm] = set()

    def follow(self, config: Config) -> None:
        """See `Trigger`."""
        crons = [bound.record.cron for bound in config.bound(CronTrigger)]
        follows = self._around.follows_crons and fires(config)
        self._schedules.set(("", cron) for cron in (crons if follows else []))

    def next_ms(self) -> int | None:
        """See `Trigger`."""
        return self._schedules.next_ms()

    def in_flight(self) -> set[Work]:
        """See `Trigger`."""
        return set(self._calls.values())

    async def stop(self) -> None:
        """See `Trigger`."""
        self._schedules.stop()
        for alarm in self._retries:
            alarm.cancel()
        for call in list(self._calls):
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def run(self, cron: str, scheduled_ms: int) -> Outcome:
        """Call `scheduled`, and tell the terminal how it ended. Raises LoadError, GuestLost."""
        began = perf_counter()
        async with asyncio.timeout(TIMEOUT_S):
            told: dict[str, Any] = await self._around.call("scheduled", [cron, scheduled_ms])
        if told["outcome"] == "ok":
            spent_ms = (perf_counter() - began) * 1000
            self._around.notice(f'cron "{cron}" ok ({spent_ms:.0f}ms)')
        else:
            self._around.error(f'cron "{cron}" failed\n{told["error"][2].rstrip()}')
        return Outcome(told["outcome"], bool(told["noRetry"]))

    def _fire(self, tick: Tick, failures: int = 0) -> None:
        call = asyncio.get_running_loop().create_task(
            self._try(tick, failures), name=f"cron {tick.cron}"
        )
        self._count += 1
        self._calls[call] = (-self._count, tick.cron, failures + 1)
        call.add_done_callback(self._calls.pop)

    async def _try(self, tick: Tick, failures: int) -> None:
        try:
            ended = await self.run(tick.cron, tick.scheduled_ms)
        except GuestLost as error:  # it may have done everything: another call could do it twice
            self._around.error(f'cron "{tick.cron}": {error}')
            return
        except TimeoutError:
            self._around.error(f'cron "{tick.cron}" took longer than {TIMEOUT_S // 60} minutes')
            ended = Outcome("exception")
        except EmulatorError as error:  # the code does not load; the terminal has said so
            self._around.error(f'cron "{tick.cron}" was not called: {error}')
            return
        if ended.outcome == "ok" or ended.no_retry or failures >= RETRIES_MAX:
            return
        delay_ms = FIRST_RETRY_MS * 2**failures
        alarms: list[Alarm] = []

        def again() -> None:
            self._retries.discard(alarms[0])
            self._fire(tick, failures + 1)

        alarms.append(call_after(self._around.clock, delay_ms, again))
        self._retries.add(alarms[0])


def trigger(around: Around) -> CronTriggers:
    """Return the cron triggers of a worker, which `follow` sets going."""
    return CronTriggers(around)
