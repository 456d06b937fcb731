"""The feed of a guest: no more is on the way than a window, whatever is due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.engine.guests import feed
from emulator.engine.guests.feed import AT_ONCE, BURST_RUN_BYTES, RUN_BYTES, WINDOW_BYTES, Feed
from emulator.engine.model.step import Left
from emulator.engine.model.step_key import StepKind
from emulator.errors import StateError
from emulator.protocol.message import Message
from emulator.protocol.runs import History, RunAbort, RunStart
from tests.engine.scripted import ScriptedGuest, Step, StepError
from tests.engine.world import CLASS, HOUR, MINUTE, NAME, SECOND, World, play

MIB = 1024 * 1024
Event = dict[str, Any]


class SlowReader:
    """A guest that reads when it is told to."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self._marks: list[Callable[[], None]] = []

    def send(self, message: Message) -> None:
        self.sent.append(message)

    def when_read(self, callback: Callable[[], None]) -> None:
        self._marks.append(callback)

    def read_some(self) -> None:
        """Read up to the first mark."""
        self._marks.pop(0)()

    def read_all(self) -> None:
        marks, self._marks = self._marks, []
        for callback in marks:
            callback()


def history(run: int, *sizes: int) -> Iterator[Message]:
    for size in sizes:
        yield History(run, payload=bytes(size))


def test_no_more_is_sent_than_a_window_until_it_is_read() -> None:
    reader = SlowReader()
    feed = Feed(reader)
    feed.put(history(1, *[MIB] * 100))

    assert len(reader.sent) == WINDOW_BYTES // MIB
    while feed:
        before = len(reader.sent)
        reader.read_all()
        assert len(reader.sent) - before <= WINDOW_BYTES // MIB

    assert len(reader.sent) == 100


def test_messages_are_made_when_they_are_sent_and_not_before() -> None:
    made: list[int] = []

    def parcel() -> Iterator[Message]:
        for number in range(10):
            made.append(number)
            yield History(1, payload=bytes(MIB))

    Feed(SlowReader()).put(parcel())

    assert len(made) == WINDOW_BYTES // MIB


def test_a_long_parcel_does_not_hold_up_a_short_one() -> None:
    reader = SlowReader()
    feed = Feed(reader)
    feed.put(history(1, *[MIB] * 50))
    feed.put(history(2, 10))

    reader.read_all()

    assert 2 in [message.run for message in reader.sent if isinstance(message, History)]


def starts(feed: Feed) -> int:
    """Start runs while there is room, and return how many."""
    count = 0
    while feed.has_room:
        count += 1
        feed.put(iter([RunStart(count, "Flow", "flow", str(count))]))
    return count


def test_starts_of_runs_count_for_the_time_they_take() -> None:
    reader, rooms = SlowReader(), list[None]()
    feed = Feed(reader, lambda: rooms.append(None))

    assert starts(feed) == WINDOW_BYTES // BURST_RUN_BYTES
    assert not rooms
    reader.read_all()
    assert feed.has_room
    assert rooms


def test_fewer_runs_are_on_the_way_to_a_guest_that_does_not_keep_up() -> None:
    reader = SlowReader()
    feed = Feed(reader)
    starts(feed)  # a burst, which fills the window
    reader.read_some()

    total = len(reader.sent)
    for _ in range(20):
        starts(feed)
        reader.read_some()
    per_mark = WINDOW_BYTES // RUN_BYTES // 4
    assert len(reader.sent) - total == 20 * per_mark

    reader.read_all()
    assert starts(feed) > WINDOW_BYTES // RUN_BYTES  # it has caught up


def test_only_a_few_histories_are_on_the_way_at_once() -> None:
    feed = Feed(SlowReader())
    started = 0
    while feed.has_room:
        started += 1
        feed.put(history(started, *[MIB] * 10))

    assert started <= AT_ONCE


def test_a_feed_that_is_stopped_sends_nothing_more() -> None:
    reader = SlowReader()
    feed = Feed(reader)
    feed.put(history(1, *[MIB] * 10))
    feed.stop()
    reader.read_all()

    assert len(reader.sent) == WINDOW_BYTES // MIB


# --- with the engine


def slow(guest: ScriptedGuest, monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """Let a guest say that it has read something only when the callbacks returned are called."""
    marks: list[Callable[[], None]] = []
    monkeypatch.setattr(guest, "when_read", marks.append)
    return marks


def read_on(marks: list[Callable[[], None]]) -> None:
    due, marks[:] = list(marks), []
    for callback in due:
        callback()


def on_the_way(world: World) -> int:
    sent = [message for message in world.guest.sent if isinstance(message, History | RunStart)]
    return sum(len(message.payload) for message in sent)


async def large(event: Event, step: Step) -> int:
    total = 0
    for number in range(12):
        total += len(await step.do(f"step {number}", lambda ctx: "x" * MIB_LESS))
    await step.sleep("nap", "1 hour")
    return total


MIB_LESS = MIB - 100


def test_a_long_history_is_sent_as_fast_as_the_guest_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)  # the run is dropped from the guest
        marks = slow(world.guest, monkeypatch)
        before = on_the_way(world)
        await world.advance(HOUR)
        seen = []
        while world.status() != "complete":
            seen.append(on_the_way(world) - before)
            before = on_the_way(world)
            assert marks
            read_on(marks)
            await world.settle()

        assert max(seen) <= WINDOW_BYTES + 2 * MIB
        assert len(seen) >= 4
        assert world.output() == 12 * MIB_LESS

    play(tmp_path, large, story)


def test_a_run_whose_history_is_on_the_way_can_be_paused_terminated_and_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)
        marks = slow(world.guest, monkeypatch)
        await world.advance(HOUR)
        starts = len(world.sent(RunStart))
        await world.pause()
        assert world.status() == "paused"
        read_on(marks)
        await world.settle()
        assert isinstance(world.guest.sent[-1], RunAbort)  # of a run that never began

        await world.resume()
        world.load()  # while its history is on the way to the guest before
        await world.settle()

        assert world.status() == "complete"
        assert len(world.sent(RunStart)) == starts + 1

    play(tmp_path, large, story)


def test_a_thousand_runs_that_are_due_at_once_start_as_the_guest_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "WINDOW_BYTES", 4 * BURST_RUN_BYTES)
    monkeypatch.setattr(feed, "MARK_BYTES", BURST_RUN_BYTES)

    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("nap", "1 hour")

    async def story(world: World) -> None:
        for number in range(40):
            await world.create(f"{number}")
        await world.advance(MINUTE)
        marks = slow(world.guest, monkeypatch)
        starts = len(world.sent(RunStart))
        await world.advance(HOUR)

        assert len(world.sent(RunStart)) - starts == 4
        assert world.engine.in_flight()  # so virtual time does not go on

        while marks:
            read_on(marks)
            await world.settle()
        assert [world.status(f"{number}") for number in range(40)] == ["complete"] * 40
        assert world.started()[-40:] == [f"{number}" for number in range(40)]

    play(tmp_path, workflow, story)


def test_the_guest_may_be_lost_while_a_history_is_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)
        marks = slow(world.guest, monkeypatch)
        await world.advance(HOUR)
        world.lose_guest()
        read_on(marks)
        world.load({CLASS: large})
        await world.settle()

        assert world.status() == "complete"

    play(tmp_path, large, story)


def test_virtual_time_stands_still_while_starts_are_pending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)
        marks = slow(world.guest, monkeypatch)
        await world.advance(HOUR)
        before = world.engine.in_flight()
        read_on(marks)
        await asyncio.sleep(0)

        assert before
        assert world.engine.in_flight() - before  # it got further

    play(tmp_path, large, story)


# --- large values stay on the disk


def test_large_values_of_steps_are_not_kept_in_memory(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(SECOND)
        key = world.journal.find(NAME, "a")
        assert key is not None
        live = world.engine.roster.instance(key)
        loaded = world.journal.load(key)

        assert live == loaded
        values_ = [step.value for step in loaded.steps.values() if step.kind is StepKind.DO]
        assert all(type(value) is Left for value in values_)
        whole = world.journal.load(key, whole=True)
        for left, step in zip(values_, whole.steps.values(), strict=False):
            assert world.journal.value(left) == step.value
            assert len(step.value) > MIB_LESS

    play(tmp_path, large, story)


def test_a_large_value_is_given_again_wherever_it_is_asked_for(tmp_path: Path) -> None:
    """After a restart of the host, a wait for a large event, and in a rollback."""
    seen: list[int] = []

    async def workflow(event: Event, step: Step) -> None:
        made = await step.do(
            "make", lambda ctx: "x" * MIB_LESS, rollback=lambda undo: seen.append(len(undo.output))
        )
        told = await step.wait_for_event("told", "tell")
        seen.append(len(made) + len(told["payload"]))
        await step.sleep("nap", "1 hour")
        raise StepError("Error", "no")

    async def story(world: World) -> None:
        await world.create()
        await world.send("tell", "y" * MIB_LESS)
        assert seen == [2 * MIB_LESS]
        await world.crash_and_boot()
        await world.advance(HOUR)

        assert set(seen[:-1]) == {2 * MIB_LESS}
        assert seen[-1] == MIB_LESS

    play(tmp_path, workflow, story)


def test_an_instance_whose_values_cannot_be_read_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        await world.create("a")
        await world.create("b")
        await world.advance(MINUTE)
        key = world.journal.find(NAME, "a")
        assert key is not None
        steps = world.journal.load(key).steps.values()
        gone = [step.value for step in steps if type(step.value) is Left]
        read = world.journal.value

        def value(left: bytes) -> bytes:
            if left in gone:
                raise StateError("not read: disk I/O error")
            return read(left)

        monkeypatch.setattr(world.journal, "value", value)
        await world.advance(HOUR)

        assert world.status("b") == "complete"
        assert world.status("a") == "running"
        assert world.reports == [f"{NAME} a: not read: disk I/O error"]
        await world.crash_and_boot()  # and the disk is well again
        assert world.status("a") == "complete"

    play(tmp_path, large, story)
