"""Queue consumers: delivers messages in batches, and settles what the handler said of each.

A batch is delivered when it is full, or when its first message has waited for the batch timeout;
several at the same time. What the handler did not settle counts as done when it returned, and is
tried again when it raised. Messages that are out are known in memory only: after a crash or a stop
they are delivered again, and that costs no attempt.
Source: docs/platform/queues.md, "Consumers".
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct

from emulator.clock import Alarm, VirtualClock
from emulator.config.model import Config
from emulator.engine.clock_control import Work
from emulator.errors import EmulatorError, WorkerError
from emulator.kinds.queues import KIND, Consumer
from emulator.runner.requests import GuestLost
from emulator.triggers.trigger import Around
from emulator.words import counted

if TYPE_CHECKING:
    from bindings.queues.broker import Broker, Message
    from bindings.queues.queue import Queue

LOOK_EVERY_S = 1.0  # at the file: a command may have changed it
TIMEOUT_S = 15 * 60


class QueueConsumers:
    """The consumers of a worker, by queue."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._consumers: dict[str, _Deliveries] = {}
        self._retired: list[_Deliveries] = []
        self._broker: Broker | None = None
        self._version = 0
        self._look: asyncio.TimerHandle | None = None

    def follow(self, config: Config) -> None:
        """See `Trigger`."""
        records = [bound.record for bound in config.bound(Consumer) if not bound.record.pulls]
        wanted = {record.queue: record for record in records}
        for name in list(self._consumers):
            if self._consumers[name].consumer != wanted.get(name):
                self._retired.append(self._consumers.pop(name).retired())
        self._retired = [each for each in self._retired if each.in_flight()]
        for name, record in wanted.items():
            if name not in self._consumers:
                self._consumers[name] = self._made(record)
            self._consumers[name].resume()
        if self._consumers and self._look is None:
            self._look_again()

    def next_ms(self) -> int | None:
        """See `Trigger`."""
        found = [each.next_ms() for each in self._consumers.values()]
        return min((each for each in found if each is not None), default=None)

    def in_flight(self) -> set[Work]:
        """See `Trigger`."""
        everyone = (*self._consumers.values(), *self._retired)
        return {work for each in everyone for work in each.in_flight()}

    async def stop(self) -> None:
        """See `Trigger`."""
        if self._look is not None:
            self._look.cancel()
        everyone = (*self._consumers.values(), *self._retired)
        await asyncio.gather(*(each.stop() for each in everyone))

    def _made(self, record: Consumer) -> _Deliveries:
        queue = cast("Queue", cast(Any, self._around.opened(KIND, record)))
        broker = self._broker = queue.broker
        made = _Deliveries(record, broker, self._around)
        broker.on_change[record.queue] = made.look
        return made

    def _look_again(self) -> None:
        """Look for what another process has changed."""
        assert self._broker is not None
        try:
            version = self._broker.version()
        except WorkerError:  # the file is gone, which is told elsewhere
            version = self._version
        if version != self._version:
            self._version = version
            for each in self._consumers.values():
                each.look()
        self._look = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look_again)


class _Batch(Struct, frozen=True):
    number: int
    messages: list[Message]


class _Deliveries:
    """The batches of one queue that are out, and when the next one goes."""

    def __init__(self, consumer: Consumer, broker: Broker, around: Around) -> None:
        self.consumer = consumer
        self._broker = broker
        self._around = around
        self._batches: dict[asyncio.Task[None], _Batch] = {}
        self._taken: set[int] = set()
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None  # of a batch that is not full
        self._waited = False  # that batch goes now, full or not
        self._alarm: tuple[int, Alarm] | None = None  # for the next message with a delay
        self._halted = True

    def resume(self) -> None:
        """Deliver from now on: there is code that may handle it."""
        self._halted = False
        self.look()

    def retired(self) -> _Deliveries:
        """Deliver nothing more; what is out goes on. Returns itself."""
        self._halted = True
        self._disarm()
        return self

    async def stop(self) -> None:
        """Give up what is out."""
        self.retired()
        for task in list(self._batches):
            task.cancel()
        await asyncio.gather(*self._batches, return_exceptions=True)

    def next_ms(self) -> int | None:
        """Return when the next message with a delay can be delivered."""
        return None if self._alarm is None else self._alarm[0]

    def in_flight(self) -> set[Work]:
        """See `Trigger`."""
        name = self.consumer.queue
        return {(-batch.number, f"queue {name}", 1) for batch in self._batches.values()}

    def look(self) -> None:
        """Deliver what can be delivered, and wait for the rest."""
        if self._halted:
            return
        try:
            self._deliver_ready()
            self._wait_for_delayed()
        except WorkerError as error:  # the disk; the next look may succeed
            self._around.error(f"queue {self.consumer.queue}: {error.message}")

    def _deliver_ready(self) -> None:
        consumer = self.consumer
        while len(self._batches) < consumer.concurrency:
            ready = self._broker.ready(consumer.queue, consumer.batch_size, self._taken)
            if not ready:
                self._end_wait()
                return
            if len(ready) < consumer.batch_size and not self._has_waited():
                return
            self._end_wait()
            self._begin(ready)

    def _has_waited(self) -> bool:
        """Whether a batch that is not full may go; begin to wait if it may not."""
        # Where time stands still, nobody could wait for more.
        if self._waited or isinstance(self._around.clock, VirtualClock):
            return True
        if self.consumer.timeout_ms == 0:
            return True
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.consumer.timeout_ms / 1000, self._time_is_up)
        return False

    def _time_is_up(self) -> None:
        self._timer = None
        self._waited = True
        self.look()

    def _end_wait(self) -> None:
        self._waited = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait_for_delayed(self) -> None:
        next_ms = self._broker.next_ms(self.consumer.queue)
        if self._alarm is not None:
            if self._alarm[0] == next_ms:
                return
            self._alarm[1].cancel()
            self._alarm = None
        if next_ms is not None:
            self._alarm = next_ms, self._around.clock.call_at(next_ms, self._delayed_is_due)

    def _delayed_is_due(self) -> None:
        self._alarm = None
        self.look()

    def _disarm(self) -> None:
        self._end_wait()
        if self._alarm is not None:
            self._alarm[1].cancel()
            self._alarm = None

    def _begin(self, messages: list[Message]) -> None:
        self._count += 1
        self._taken.update(message.seq for message in messages)
        name = f"queue {self.consumer.queue}"
        task = asyncio.get_running_loop().create_task(self._deliver(messages), name=name)
        self._batches[task] = _Batch(self._count, messages)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        batch = self._batches.pop(task)
        self._taken.difference_update(message.seq for message in batch.messages)
        if not task.cancelled():
            if (error := task.exception()) is not None:
                self._around.error(f"queue {self.consumer.queue}: {error}")
            self.look()

    async def _deliver(self, messages: list[Message]) -> None:
        began = perf_counter()
        queue = self.consumer.queue
        args = [queue, [_shown(message) for message in messages]]
        try:
            async with asyncio.timeout(TIMEOUT_S):
                told: dict[str, Any] = await self._around.call("queue", args)
        except GuestLost as error:
            told = _failed(str(error))
        except TimeoutError:
            told = _failed(f"the handler took longer than {TIMEOUT_S // 60} minutes")
        except EmulatorError as error:  # the code does not load: wait until it does
            self._around.error(f"queue {queue} waits: {error}")
            self._halted = True
            return
        settled = self._settled(messages, told)
        await self._broker.settle(queue, settled, self.consumer.dead_letters)
        spent_ms = (perf_counter() - began) * 1000
        self._tell(len(settled.done), messages, told, spent_ms)
        if settled.dead:
            self._tell_dead(settled.dead)

    def _settled(self, messages: list[Message], told: dict[str, Any]) -> Any:
        """Return what becomes of each message."""
        from bindings.queues.broker import Settled

        again_all = told["outcome"] != "ok" or told["retryAll"] is not None
        delay_all = (told["retryAll"] or {}).get("delaySeconds")
        now_ms = self._around.clock.now_ms()
        done, retried, dead = [], [], []
        for message in messages:
            asked = told["retries"].get(message.id)
            is_acked = told["ackAll"] or message.id in told["acks"]
            if asked is None and (is_acked or not again_all):
                done.append(message)
            elif message.attempts >= self.consumer.retries:
                dead.append(message)
            else:
                delay_s = (asked or {}).get("delaySeconds")
                if delay_s is None:
                    delay_s = self.consumer.retry_delay_s if delay_all is None else delay_all
                retried.append((message, now_ms + int(delay_s) * 1000))
        return Settled(done, retried, dead)

    def _tell(
        self, done: int, messages: list[Message], told: dict[str, Any], spent_ms: float
    ) -> None:
        text = f"queue {self.consumer.queue} {done}/{len(messages)} ({spent_ms:.0f}ms)"
        if told["outcome"] == "ok":
            self._around.notice(text)
        else:
            self._around.error(f"{text} failed\n{told['error'][2].rstrip()}")

    def _tell_dead(self, dead: list[Message]) -> None:
        tries = self.consumer.retries + 1
        to = self.consumer.dead_letters
        where = f"moved to {to}" if to else "dropped"
        ids = ", ".join(message.id for message in dead[:3]) + ("…" if len(dead) > 3 else "")
        text = f"{counted(len(dead), 'message')} {where} after {counted(tries, 'try', 'tries')}"
        self._around.error(f"queue {self.consumer.queue}: {text}: {ids}")


def _failed(text: str) -> dict[str, Any]:
    nothing: dict[str, Any] = {"ackAll": False, "retryAll": None, "acks": [], "retries": {}}
    return {"outcome": "exception", "error": ["Error", text, text], **nothing}


def _shown(message: Message) -> dict[str, Any]:
    """Return a message as the guest gets it."""
    body: Any = message.body
    if message.content_type in ("text", "json"):
        body = message.body.decode("utf-8", "replace")
    return {
        "id": message.id,
        "timestamp": datetime.fromtimestamp(message.created_ms / 1000, UTC),
        "attempts": message.attempts + 1,
        "contentType": message.content_type,
        "body": body,
    }


def trigger(around: Around) -> QueueConsumers:
    """Return the queue consumers of a worker, which `follow` sets going."""
    return QueueConsumers(around)
