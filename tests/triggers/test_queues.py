"""Consumers: batches, what the handler says of messages, retries, delays, dead letters, pauses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from bindings.queues.broker import Broker, Sent
from bindings.queues.queue import Queue
from emulator.clock import Clock, SystemClock, VirtualClock
from emulator.config.model import Bound, Config
from emulator.kinds.queues import Consumer
from emulator.runner.requests import GuestLost, LoadError
from emulator.triggers.queues import QueueConsumers
from emulator.triggers.trigger import Around

NOTHING: dict[str, Any] = {"ackAll": False, "retryAll": None, "acks": [], "retries": {}}
OK = {"outcome": "ok", **NOTHING}
FAILED = {"outcome": "exception", "error": ["E", "e", "Traceback …"], **NOTHING}
Answer = Callable[[list[dict[str, Any]]], Any]


class Scene:
    """A consumer on a broker; `answer` makes what the handler says of the messages of a batch."""

    def __init__(self, folder: Path, answer: Answer, clock: Clock | None = None) -> None:
        self.clock = clock or VirtualClock()
        self.broker = Broker(folder / "q.sqlite", self.clock.now_ms, "NORMAL")
        self.batches: list[list[tuple[str, int]]] = []
        self.told: list[str] = []
        self._answer = answer
        opened = cast(Any, lambda kind, record: Queue(self.broker, record.queue))
        around = Around(self.clock, self._call, opened, self.told.append, self.told.append)
        self.consumers = QueueConsumers(around)

    async def _call(self, handler: str, args: list[Any]) -> Any:
        assert handler == "queue"
        self.batches.append([(each["body"], each["attempts"]) for each in args[1]])
        answer = self._answer(args[1])
        if isinstance(answer, Awaitable):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    def follow(self, *consumers: Consumer) -> None:
        here = Path("wrangler.toml")
        bound = tuple(Bound("", "queues", consumer) for consumer in consumers)
        self.consumers.follow(Config(here, here, "w", here, "2026-04-01", bindings=bound))

    async def send(self, *bodies: str, delay_s: int = 0) -> None:
        sent = [Sent(body.encode(), "text", delay_s) for body in bodies]
        await self.broker.send("q", sent)

    async def rest(self, count: int = 0, queue: str = "q") -> None:
        """Wait until nothing is out, and `count` messages are left."""
        async with asyncio.timeout(10):
            while self.consumers.in_flight() or self.broker.metrics(queue).count != count:
                await asyncio.sleep(0.002)

    async def wait(self, span_ms: int) -> None:
        assert isinstance(self.clock, VirtualClock)
        self.clock.advance(span_ms)
        await asyncio.sleep(0.01)

    def bodies(self, queue: str) -> list[str]:
        return [each.body.decode() for each in self.broker.peek(queue, 100)]


def play(scene: Scene, scenario: Callable[[], Awaitable[None]]) -> Scene:
    async def run() -> None:
        try:
            await scenario()
        finally:
            await scene.consumers.stop()
            await scene.broker.close()

    asyncio.run(run())
    return scene


def test_messages_are_delivered_in_the_order_they_were_sent_in_full_batches(
    tmp_path: Path,
) -> None:
    scene = Scene(tmp_path, lambda messages: OK)

    async def scenario() -> None:
        await scene.send(*"abcdefg")
        scene.follow(Consumer("q", batch_size=3, concurrency=1))
        await scene.rest()

    play(scene, scenario)
    assert scene.batches == [[(b, 1) for b in "abc"], [(b, 1) for b in "def"], [("g", 1)]]
    assert [line.rpartition(" ")[0] for line in scene.told] == ["queue q 3/3"] * 2 + ["queue q 1/1"]


def test_a_batch_that_is_not_full_waits_for_its_timeout(tmp_path: Path) -> None:
    scene = Scene(tmp_path, lambda messages: OK, SystemClock())

    async def scenario() -> None:
        scene.follow(Consumer("q", batch_size=3, timeout_ms=200))
        await scene.send("a")
        await scene.send("b")
        assert scene.batches == []
        await scene.rest()
        await scene.send("c", "d", "e")  # a full one waits for nothing
        await scene.rest()

    assert [len(batch) for batch in play(scene, scenario).batches] == [2, 3]


def says(**said: Any) -> Answer:
    """Return an answer in which a message is named by its body."""

    def answer(messages: list[dict[str, Any]]) -> Any:
        ids = {each["body"]: each["id"] for each in messages}
        acks = [ids[body] for body in said.get("acks", ()) if body in ids]
        retries = {
            ids[body]: {} if delay is None else {"delaySeconds": delay}
            for body, delay in said.get("retries", {}).items()
            if body in ids
        }
        base = FAILED if said.get("fails") else OK
        more = {key: said[key] for key in ("ackAll", "retryAll") if key in said}
        return {**base, "acks": acks, "retries": retries, **more}

    return answer


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ({}, ""),
        ({"acks": "a"}, ""),
        ({"retries": {"b": None}}, "b"),
        ({"fails": True}, "abc"),
        ({"fails": True, "acks": "ac"}, "b"),
        ({"retryAll": {}}, "abc"),
        ({"retryAll": {}, "acks": "a"}, "bc"),
        ({"ackAll": True, "fails": True}, ""),
        ({"fails": True, "acks": "a", "retries": {"a": None}}, "abc"),
    ],
)
def test_what_is_left_after_a_batch(tmp_path: Path, said: dict[str, Any], left: str) -> None:
    scene = Scene(tmp_path, says(**said))

    async def scenario() -> None:
        await scene.send(*"abc")
        scene.follow(Consumer("q", retry_delay_s=60))
        await scene.rest(len(left))

    play(scene, scenario)
    again = Broker(tmp_path / "q.sqlite", lambda: scene.clock.now_ms() + 60_000, "NORMAL")
    found = again.ready("q", 100, ())
    asyncio.run(again.close())
    assert sorted((each.body.decode(), each.attempts) for each in found) == [(b, 1) for b in left]


@pytest.mark.parametrize(
    ("said", "delays_s"),
    [
        ({"retries": {"a": 7}}, [7, 7]),
        ({"retries": {"a": None}}, [5, 5]),
        ({"retryAll": {"delaySeconds": 9}}, [9, 9]),
        ({"retryAll": {"delaySeconds": 9}, "retries": {"a": 2}}, [2, 2]),
        ({"fails": True}, [5, 5]),
    ],
)
def test_a_retry_waits_for_its_delay_by_the_clock(
    tmp_path: Path, said: dict[str, Any], delays_s: list[int]
) -> None:
    scene = Scene(tmp_path, says(**said))
    seconds: list[int] = []

    async def scenario() -> None:
        await scene.send("a")
        scene.follow(Consumer("q", retries=2, retry_delay_s=5))
        await scene.rest(1)
        began_ms = scene.clock.now_ms()
        for _ in range(2):
            due_ms = scene.consumers.next_ms()
            assert due_ms is not None
            seconds.append((due_ms - began_ms) // 1000)
            await scene.wait(due_ms - scene.clock.now_ms())
            await scene.rest(1 if len(seconds) < 2 else 0)
            began_ms = due_ms

    play(scene, scenario)
    assert seconds == delays_s
    assert [batch[0][1] for batch in scene.batches] == [1, 2, 3]


def test_what_always_fails_goes_to_the_dead_letters_with_its_id(tmp_path: Path) -> None:
    ids: list[str] = []

    def answer(messages: list[dict[str, Any]]) -> Any:
        ids.extend(each["id"] for each in messages)
        return FAILED

    scene = Scene(tmp_path, answer)

    async def scenario() -> None:
        await scene.send("a")
        scene.follow(Consumer("q", retries=2, dead_letters="dead"))
        await scene.rest(1, "dead")
        (dead,) = scene.broker.peek("dead", 10)
        assert {dead.id} == set(ids) and len(ids) == 3 and dead.attempts == 0

    play(scene, scenario)
    assert "1 message moved to dead after 3 tries" in "\n".join(scene.told)


def test_without_dead_letters_it_is_dropped_and_told(tmp_path: Path) -> None:
    scene = Scene(tmp_path, lambda messages: FAILED)

    async def scenario() -> None:
        await scene.send("a")
        scene.follow(Consumer("q", retries=0))
        await scene.rest()

    play(scene, scenario)
    assert "1 message dropped after 1 try" in "\n".join(scene.told)


def test_a_delayed_message_comes_when_it_is_due(tmp_path: Path) -> None:
    scene = Scene(tmp_path, lambda messages: OK)

    async def scenario() -> None:
        scene.follow(Consumer("q"))
        await scene.send("late", delay_s=3_600)
        await scene.send("now")
        await scene.rest(1)
        await scene.wait(3_599_999)
        assert len(scene.batches) == 1
        await scene.wait(1)
        await scene.rest()

    assert play(scene, scenario).batches == [[("now", 1)], [("late", 1)]]


@pytest.mark.parametrize("error", [GuestLost("gone"), TimeoutError()])
def test_a_guest_that_is_lost_costs_an_attempt(tmp_path: Path, error: Exception) -> None:
    answers: list[Any] = [error, OK]
    scene = Scene(tmp_path, lambda messages: answers.pop(0))

    async def scenario() -> None:
        await scene.send("a")
        scene.follow(Consumer("q"))
        await scene.rest()

    assert play(scene, scenario).batches == [[("a", 1)], [("a", 2)]]


def test_code_that_does_not_load_costs_no_attempt(tmp_path: Path) -> None:
    answers: list[Any] = [LoadError("E", "broken", "", "", 0), OK]
    scene = Scene(tmp_path, lambda messages: answers.pop(0))

    async def scenario() -> None:
        await scene.send("a")
        scene.follow(Consumer("q"))
        await scene.rest(1)
        scene.follow(Consumer("q"))  # the code was mended
        await scene.rest()

    assert play(scene, scenario).batches == [[("a", 1)], [("a", 1)]]


def test_no_more_batches_are_out_than_configured(tmp_path: Path) -> None:
    most: list[int] = []
    running = 0

    async def slow() -> Any:
        nonlocal running
        running += 1
        most.append(running)
        await asyncio.sleep(0.01)
        running -= 1
        return OK

    scene = Scene(tmp_path, lambda messages: slow())

    async def scenario() -> None:
        await scene.send(*map(str, range(12)))
        scene.follow(Consumer("q", batch_size=1, concurrency=3))
        await scene.rest()

    play(scene, scenario)
    assert max(most) == 3 and len(scene.batches) == 12


def test_what_is_out_at_a_stop_is_delivered_again_and_costs_no_attempt(tmp_path: Path) -> None:
    async def hang() -> Any:
        await asyncio.Event().wait()

    first = Scene(tmp_path, lambda messages: hang())

    async def scenario() -> None:
        await first.send("a")
        first.follow(Consumer("q"))
        async with asyncio.timeout(10):
            while not first.batches:
                await asyncio.sleep(0.001)

    play(first, scenario)
    second = Scene(tmp_path, lambda messages: OK)

    async def again() -> None:
        second.follow(Consumer("q"))
        await second.rest()

    assert play(second, again).batches == [[("a", 1)]]


def test_a_paused_queue_keeps_its_messages(tmp_path: Path) -> None:
    scene = Scene(tmp_path, lambda messages: OK)

    async def scenario() -> None:
        scene.follow(Consumer("q"))
        await scene.broker.pause("q", True)
        await scene.send("a")
        assert scene.consumers.in_flight() == set() and scene.batches == []
        await scene.broker.pause("q", False)
        await scene.rest()

    assert play(scene, scenario).batches == [[("a", 1)]]


def test_what_another_process_sends_is_noticed(tmp_path: Path) -> None:
    scene = Scene(tmp_path, lambda messages: OK)

    async def scenario() -> None:
        scene.follow(Consumer("q"))
        await scene.rest()
        other = Broker(tmp_path / "q.sqlite", scene.clock.now_ms, "NORMAL")
        await other.send("q", [Sent(b"a", "text")])
        await other.close()
        await scene.rest()

    assert play(scene, scenario).batches == [[("a", 1)]]


def test_a_consumer_that_was_taken_out_delivers_no_more(tmp_path: Path) -> None:
    scene = Scene(tmp_path, lambda messages: OK)

    async def scenario() -> None:
        scene.follow(Consumer("q"))
        scene.follow()
        await scene.send("a")
        scene.follow(Consumer("q", pulls=True))
        assert scene.consumers.next_ms() is None
        await scene.rest(1)

    assert play(scene, scenario).batches == []


def test_old_messages_are_forgotten(tmp_path: Path) -> None:
    scene = Scene(tmp_path, lambda messages: OK)

    async def scenario() -> None:
        await scene.send("old")
        await scene.wait(4 * 86_400_000)
        await scene.send("new")
        assert scene.bodies("q") == ["new"]

    play(scene, scenario)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    plan=some.lists(some.tuples(some.integers(0, 4), some.booleans()), min_size=1, max_size=12),
    size=some.integers(1, 5),
    retries=some.integers(0, 3),
)
def test_each_message_is_done_once_or_dead_after_its_tries(
    tmp_path: Path, plan: list[tuple[int, bool]], size: int, retries: int
) -> None:
    """`plan`: for each message how often it fails, and whether it then fails its whole batch."""
    (tmp_path / "q.sqlite").unlink(missing_ok=True)
    done: list[str] = []

    def answer(messages: list[dict[str, Any]]) -> Any:
        acks: list[str] = []
        again: dict[str, Any] = {}
        for each in messages:
            if each["attempts"] <= plan[int(each["body"])][0]:
                again[each["id"]] = {}
            else:
                acks.append(each["id"])
                done.append(each["body"])
        raises = any(each["id"] in again and plan[int(each["body"])][1] for each in messages)
        base = FAILED if raises else OK
        return {**base, "acks": acks, "retries": {} if raises else again}

    scene = Scene(tmp_path, answer)

    async def scenario() -> None:
        await scene.send(*map(str, range(len(plan))))
        scene.follow(Consumer("q", batch_size=size, retries=retries, dead_letters="dead"))
        await scene.rest()

    play(scene, scenario)
    dead = Broker(tmp_path / "q.sqlite", scene.clock.now_ms, "NORMAL")
    given_up = sorted(int(each.body) for each in dead.peek("dead", 100))
    asyncio.run(dead.close())
    assert given_up == [n for n, (fails, _) in enumerate(plan) if fails > retries]
    assert sorted(map(int, done)) == [n for n, (fails, _) in enumerate(plan) if fails <= retries]
