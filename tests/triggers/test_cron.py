"""Cron triggers: which ticks call the handler, and what follows when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from emulator.clock import VirtualClock
from emulator.config.model import Bound, Config, Settings
from emulator.kinds.cron import CronTrigger
from emulator.runner.requests import GuestLost, LoadError
from emulator.triggers.cron import RETRIES_MAX, CronTriggers
from emulator.triggers.trigger import Around

MINUTE_MS = 60_000
OK = {"outcome": "ok", "noRetry": False}
FAILED = {"outcome": "exception", "noRetry": False, "error": ["E", "e", "Traceback …"]}
NO_RETRY = FAILED | {"noRetry": True}


def config(*crons: str, fire: bool = True) -> Config:
    bound = tuple(Bound("", "cron", CronTrigger(cron)) for cron in crons)
    settings = Settings(kinds={"cron": fire})
    here = Path("wrangler.toml")
    return Config(here, here, "w", here, "2026-04-01", bindings=bound, settings=settings)


@dataclass
class Scene:
    """Triggers on a clock that stands still; `answers` are given in turn, then OK."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    answers: list[Any] = field(default_factory=list)
    called: list[tuple[str, int]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    async def call(self, handler: str, args: list[Any]) -> Any:
        assert handler == "scheduled"
        self.called.append((args[0], args[1] - VirtualClock().now_ms()))
        answer = self.answers.pop(0) if self.answers else OK
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def wait(self, span_ms: int) -> None:
        """Let time pass, a minute at a time."""
        for _ in range(max(1, span_ms // MINUTE_MS)):
            self.clock.advance(min(span_ms, MINUTE_MS))
            for _ in range(5):
                await asyncio.sleep(0)


def play(scene: Scene, scenario: Callable[[CronTriggers], Awaitable[None]]) -> Scene:
    async def run() -> None:
        opened = cast(Any, None)
        told = scene.told.append
        triggers = CronTriggers(Around(scene.clock, scene.call, opened, told, told))
        try:
            await scenario(triggers)
        finally:
            await triggers.stop()

    asyncio.run(run())
    return scene


def test_each_tick_calls_the_handler_once_with_its_time() -> None:
    scene = Scene()

    async def scenario(triggers: CronTriggers) -> None:
        triggers.follow(config("*/2 * * * *", "*/3 * * * *"))
        triggers.follow(config("*/2 * * * *", "*/3 * * * *"))
        assert triggers.next_ms() == scene.clock.now_ms() + 2 * MINUTE_MS
        await scene.wait(6 * MINUTE_MS)
        assert triggers.in_flight() == set()

    two, three = "*/2 * * * *", "*/3 * * * *"
    assert sorted((ms // MINUTE_MS, cron) for cron, ms in play(scene, scenario).called) == [
        *((2, two), (3, three), (4, two), (6, two), (6, three))
    ]


def test_a_trigger_that_was_taken_out_calls_no_more_and_fire_false_calls_nothing() -> None:
    scene = Scene()

    async def scenario(triggers: CronTriggers) -> None:
        triggers.follow(config("* * * * *"))
        await scene.wait(MINUTE_MS)
        triggers.follow(config())
        await scene.wait(MINUTE_MS)
        triggers.follow(config("* * * * *", fire=False))
        await scene.wait(MINUTE_MS)
        assert triggers.next_ms() is None

    assert play(scene, scenario).called == [("* * * * *", MINUTE_MS)]


@pytest.mark.parametrize(
    ("answers", "calls"),
    [
        ([OK], 1),
        ([FAILED, OK], 2),
        ([NO_RETRY], 1),
        ([FAILED, NO_RETRY], 2),
        ([FAILED] * 20, 1 + RETRIES_MAX),
        ([GuestLost("gone")], 1),
        ([LoadError("E", "broken", "", "", 0)], 1),
        ([TimeoutError(), OK], 2),
    ],
)
def test_a_tick_is_tried_again_when_its_handler_raised(answers: list[Any], calls: int) -> None:
    scene = Scene(answers=answers)

    async def scenario(triggers: CronTriggers) -> None:
        triggers.follow(config("0 1 * * *"))
        await scene.wait(60 * MINUTE_MS)
        for _ in range(200):
            await scene.wait(1_000)

    assert play(scene, scenario).called == [("0 1 * * *", 60 * MINUTE_MS)] * calls


def test_retries_wait_longer_and_longer() -> None:
    scene = Scene(answers=[FAILED] * 20)
    seconds: list[int] = []

    async def scenario(triggers: CronTriggers) -> None:
        triggers.follow(config("0 1 * * *"))
        await scene.wait(60 * MINUTE_MS)
        for second in range(1, 200):
            before = len(scene.called)
            await scene.wait(1_000)
            seconds.extend([second] * (len(scene.called) - before))

    play(scene, scenario)
    assert seconds == [2, 6, 14, 30, 62, 126]


def test_stopping_ends_calls_that_have_not_ended() -> None:
    scene = Scene()
    ended: list[str] = []

    async def hang(handler: str, args: list[Any]) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    scene.call = hang  # type: ignore[method-assign]

    async def scenario(triggers: CronTriggers) -> None:
        triggers.follow(config("* * * * *"))
        await scene.wait(MINUTE_MS)
        assert len(triggers.in_flight()) == 1

    play(scene, scenario)
    assert ended == ["cancelled"]
