"""Wake-ups: one per instance, at its earliest deadline."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from emulator.clock import VirtualClock
from emulator.engine.runs.timers import Timers


def make() -> tuple[VirtualClock, list[tuple[int, int]], Timers]:
    clock = VirtualClock(0)
    woken: list[tuple[int, int]] = []
    return clock, woken, Timers(clock, lambda key: woken.append((key, clock.now_ms())))


def test_an_instance_is_woken_once_at_its_earliest_deadline() -> None:
    clock, woken, timers = make()
    for due_ms in (30, 10, 20, None):
        timers.set(1, due_ms)

    clock.advance(100)

    assert woken == [(1, 10)]


def test_a_forgotten_instance_is_not_woken() -> None:
    clock, woken, timers = make()
    timers.set(1, 10)
    timers.forget(1)
    timers.set(2, 20)

    clock.advance(100)

    assert woken == [(2, 20)]


def test_an_instance_can_be_set_again_after_it_was_forgotten() -> None:
    clock, woken, timers = make()
    timers.set(1, 10)
    timers.forget(1)
    timers.set(1, 10)

    clock.advance(100)

    assert woken == [(1, 10)]


def test_nobody_is_woken_after_stop() -> None:
    clock, woken, timers = make()
    timers.set(1, 10)
    timers.stop()

    clock.advance(100)

    assert (woken, len(timers)) == ([], 0)


def test_deadlines_that_no_longer_count_do_not_pile_up() -> None:
    clock, woken, timers = make()
    for key in range(100_000):
        timers.set(key, 600_000)
        if key >= 10:
            timers.forget(key)

    assert timers.heap_size < 2_000
    clock.advance(600_000)
    assert sorted(key for key, _ in woken) == list(range(10))


@given(st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 50)), max_size=40))
def test_each_set_deadline_wakes_in_order_of_time(operations: list[tuple[int, int | None]]) -> None:
    """None stands for `forget`."""
    clock, woken, timers = make()
    expected: dict[int, int] = {}
    for key, due_ms in operations:
        if due_ms is None:
            timers.forget(key)
            expected.pop(key, None)
        else:
            timers.set(key, due_ms)
            expected[key] = min(due_ms, expected.get(key, due_ms))

    clock.advance(50)

    assert sorted(woken) == sorted(expected.items())
    assert [at_ms for _, at_ms in woken] == sorted(at_ms for _, at_ms in woken)
