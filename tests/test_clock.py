"""The clocks: real time in slices, virtual time only when told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator import clock as clock_module
from emulator.clock import SystemClock, VirtualClock


def test_the_system_clock_tells_utc_milliseconds() -> None:
    before = int(time.time() * 1000)

    now_ms = SystemClock().now_ms()

    assert before <= now_ms <= time.time() * 1000 + 1


def test_the_system_clock_calls_when_the_time_has_come() -> None:
    async def main() -> int:
        clock = SystemClock()
        due_ms = clock.now_ms() + 20
        called = asyncio.get_running_loop().create_future()
        clock.call_at(due_ms, lambda: called.set_result(clock.now_ms()))
        return int(await asyncio.wait_for(called, 10)) - due_ms

    assert asyncio.run(main()) >= 0


def test_the_system_clock_calls_soon_for_a_time_that_has_passed() -> None:
    async def main() -> None:
        called = asyncio.Event()
        SystemClock().call_at(0, called.set)
        assert not called.is_set()
        await asyncio.wait_for(called.wait(), 10)

    asyncio.run(main())


def test_a_cancelled_alarm_does_not_ring() -> None:
    async def main() -> list[str]:
        rung: list[str] = []
        clock = SystemClock()
        done = asyncio.Event()
        alarm = clock.call_at(clock.now_ms() + 5, lambda: rung.append("cancelled"))
        clock.call_at(clock.now_ms() + 10, done.set)
        alarm.cancel()
        alarm.cancel()
        await asyncio.wait_for(done.wait(), 10)
        return rung

    assert asyncio.run(main()) == []


class Watch:
    """The wall clock and the steady one of a machine, set by a test, in seconds."""

    def __init__(self) -> None:
        self.wall_s = 1_000_000_000.0
        self.steady_s = 50.0
        self.clock = SystemClock(lambda: int(self.wall_s * 1e9), lambda: int(self.steady_s * 1e9))

    def passes(self, seconds: float) -> None:
        self.wall_s += seconds
        self.steady_s += seconds

    @property
    def now_s(self) -> float:
        return self.clock.now_ms() / 1000 - 1_000_000_000


def test_a_wall_clock_that_is_set_back_does_not_turn_time_back() -> None:
    watch = Watch()
    watch.passes(10)
    assert watch.now_s == 10

    watch.wall_s -= 3_600

    assert watch.now_s == 10
    watch.passes(5)
    assert watch.now_s == 15


def test_a_wall_clock_that_jumps_ahead_is_followed() -> None:
    watch = Watch()

    watch.wall_s += 3_600

    assert watch.now_s == 3_600
    watch.passes(1)
    assert watch.now_s == 3_601


def test_a_wall_clock_that_goes_back_and_forth_adds_nothing() -> None:
    watch = Watch()
    for _ in range(10):
        watch.wall_s -= 2
        watch.clock.now_ms()
        watch.wall_s += 2

    assert watch.now_s == 0


def alarms_rung(watch: Watch, due_s: list[float], happens: Callable[[], None]) -> list[float]:
    """Return which of the alarms have rung, each as often as it has, after what `happens`."""
    rung: list[float] = []

    async def main() -> None:
        for due in due_s:
            watch.clock.call_at(
                watch.clock.now_ms() + int(due * 1000),
                lambda due=due: rung.append(due),  # type: ignore[misc]
            )
        happens()
        slices = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, slices.set)  # many slices of 1 ms
        await slices.wait()

    asyncio.run(main())
    return rung


def test_a_laptop_that_slept_finds_what_became_due_rung_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock_module, "MAX_WAIT_SLICE_MS", 1)
    watch = Watch()

    def sleeps_two_hours() -> None:
        watch.wall_s += 7_200  # the steady clock stands still during that time

    assert alarms_rung(watch, [3_600, 7_000, 7_300], sleeps_two_hours) == [3_600, 7_000]


def test_an_alarm_is_not_late_for_a_wall_clock_that_was_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock_module, "MAX_WAIT_SLICE_MS", 1)
    watch = Watch()

    def set_back() -> None:
        watch.wall_s -= 86_400
        watch.passes(60)

    assert alarms_rung(watch, [59, 61], set_back) == [59]


def test_a_virtual_clock_stands_still() -> None:
    clock = VirtualClock(1_000)

    assert [clock.now_ms(), clock.now_ms()] == [1_000, 1_000]


def test_advancing_calls_alarms_at_their_own_time_in_order() -> None:
    clock = VirtualClock(0)
    rung: list[tuple[str, int]] = []
    for name, due_ms in (("c", 30), ("a", 10), ("b", 10), ("late", 31)):
        clock.call_at(due_ms, lambda name=name: rung.append((name, clock.now_ms())))  # type: ignore[misc]

    clock.advance(30)

    assert rung == [("a", 10), ("b", 10), ("c", 30)]
    assert (clock.now_ms(), clock.next_ms()) == (30, 31)


def test_an_alarm_set_by_an_alarm_rings_in_the_same_advance_when_due() -> None:
    clock = VirtualClock(0)
    rung: list[int] = []

    def first() -> None:
        clock.call_at(20, lambda: rung.append(clock.now_ms()))

    clock.call_at(10, first)

    clock.advance(20)

    assert rung == [20]


def test_an_alarm_in_the_past_rings_without_turning_time_back() -> None:
    clock = VirtualClock(100)
    rung: list[int] = []
    clock.call_at(50, lambda: rung.append(clock.now_ms()))

    clock.advance(0)

    assert rung == [100]


def test_a_cancelled_virtual_alarm_is_not_next() -> None:
    clock = VirtualClock(0)
    clock.call_at(10, lambda: None).cancel()

    assert clock.next_ms() is None
    assert clock.advance_to_next() is False


def test_advancing_to_the_next_alarm_rings_only_what_is_due_then() -> None:
    clock = VirtualClock(0)
    rung: list[str] = []
    clock.call_at(10, lambda: rung.append("first"))
    clock.call_at(20, lambda: rung.append("second"))

    assert clock.advance_to_next() is True
    assert (rung, clock.now_ms()) == (["first"], 10)


@given(st.lists(st.integers(0, 1_000)), st.lists(st.integers(0, 200), max_size=10))
def test_every_alarm_rings_once_and_never_early(dues: list[int], spans: list[int]) -> None:
    clock = VirtualClock(0)
    rung: list[tuple[int, int]] = []
    for due_ms in dues:
        clock.call_at(due_ms, lambda due_ms=due_ms: rung.append((due_ms, clock.now_ms())))  # type: ignore[misc]

    for span_ms in [0, *spans]:
        clock.advance(span_ms)

    assert [due_ms for due_ms, _ in rung] == sorted(due for due in dues if due <= clock.now_ms())
    assert all(due_ms == at_ms for due_ms, at_ms in rung)
