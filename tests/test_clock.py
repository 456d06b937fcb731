"""The clocks: real time in slices, virtual time only when told."""

from __future__ import annotations

import asyncio
import time

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


def test_a_wall_clock_that_jumps_ahead_is_noticed_after_a_slice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock_module, "MAX_WAIT_SLICE_MS", 5)

    class Jumping(SystemClock):
        ahead_ms = 0

        def now_ms(self) -> int:
            return super().now_ms() + self.ahead_ms

    async def main() -> None:
        clock = Jumping()
        called = asyncio.Event()
        clock.call_at(clock.now_ms() + 3_600_000, called.set)
        clock.ahead_ms = 7_200_000  # a laptop that slept
        await asyncio.wait_for(called.wait(), 10)

    asyncio.run(main())


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
