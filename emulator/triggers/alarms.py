"""Alarms of Durable Objects: calls `alarm` when it is due, and again after a while when it fails.

The alarm itself is in the storage of its object; here is only when it is due. When the handler
raises, it is tried again up to six times, each time after twice as long. An alarm whose guest or
server ends meanwhile rings again.
Source: docs/platform/durable-objects.md, "Alarms".
"""

from __future__ import annotations

import asyncio
import heapq
from typing import Any, cast

from bindings.durable_objects.namespace import Address, ObjectClass
from emulator.clock import Alarm
from emulator.config.model import Config
from emulator.engine.clock_control import Work
from emulator.errors import EmulatorError
from emulator.kinds.durable_objects import KIND
from emulator.triggers.trigger import Around

RETRIES_MAX = 6
FIRST_RETRY_MS = 2_000


class ObjectAlarms:
    """The alarms of a worker's objects."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._objects: Any = None
        self._classes: set[str] = set()  # whose stored alarms are known
        self._due: dict[Address, int] = {}
        self._order: list[tuple[int, int, Address]] = []  # entries that do not count any more too
        self._count = 0
        self._armed: tuple[int, Alarm] | None = None
        self._ringing: dict[asyncio.Task[None], Work] = {}
        self._busy: set[Address] = set()  # whose alarm rings
        self._stopped = False

    def follow(self, config: Config) -> None:
        """See `Trigger`."""
        for bound in config.bound(ObjectClass):
            namespace = cast(Any, self._around.opened(KIND, bound.record))
            self._objects = namespace.objects
            self._objects.alarm_changed = self._changed
            if bound.record.unique_key not in self._classes:
                self._classes.add(bound.record.unique_key)
                for address, due_ms in self._objects.alarms(bound.record):
                    self._changed(address, due_ms)
        for address, due_ms in list(self._due.items()):  # those that failed with the old code
            self._changed(address, due_ms)

    def next_ms(self) -> int | None:
        """See `Trigger`."""
        return None if self._armed is None else self._armed[0]

    def in_flight(self) -> set[Work]:
        """See `Trigger`."""
        return set(self._ringing.values())

    async def stop(self) -> None:
        """See `Trigger`."""
        self._stopped = True
        if self._armed is not None:
            self._armed[1].cancel()
        for task in list(self._ringing):
            task.cancel()
        await asyncio.gather(*self._ringing, return_exceptions=True)

    def _changed(self, address: Address, due_ms: int | None) -> None:
        """The alarm of an object is due at this time; None: it has none."""
        if due_ms is None:
            self._due.pop(address, None)
            return
        self._due[address] = due_ms
        self._count += 1
        heapq.heappush(self._order, (due_ms, self._count, address))
        self._arm()

    def _arm(self) -> None:
        while self._order and self._due.get(self._order[0][2]) != self._order[0][0]:
            heapq.heappop(self._order)
        due_ms = self._order[0][0] if self._order else None
        if self._stopped or (self._armed is not None and self._armed[0] == due_ms):
            return
        if self._armed is not None:
            self._armed[1].cancel()
        self._armed = None
        if due_ms is not None:
            self._armed = due_ms, self._around.clock.call_at(due_ms, self._ring_due)

    def _ring_due(self) -> None:
        self._armed = None
        now_ms = self._around.clock.now_ms()
        while self._order and self._order[0][0] <= now_ms:
            due_ms, _, address = heapq.heappop(self._order)
            if self._due.get(address) == due_ms:
                self._begin(address)
        self._arm()

    def _begin(self, address: Address) -> None:
        if address in self._busy:  # `_ring` looks again at its end
            return
        self._busy.add(address)
        task = asyncio.get_running_loop().create_task(self._ring(address), name="alarm")
        self._count += 1
        self._ringing[task] = (-self._count, f"alarm {address.of.name}", 1)
        task.add_done_callback(self._ringing.pop)

    async def _ring(self, address: Address) -> None:
        shown = f"alarm of {address.of.name} {address.name or address.id}"
        clock = self._around.clock

        def again_ms(failures: int) -> int | None:
            if failures >= RETRIES_MAX:
                return None
            delay_ms: int = FIRST_RETRY_MS * 2**failures
            return clock.now_ms() + delay_ms

        try:
            rung = await self._objects.ring(address, clock.now_ms, again_ms)
        except EmulatorError as error:  # the code does not load: `follow` rings again
            self._around.error(f"{shown} did not ring: {error}")
            return
        finally:
            self._busy.discard(address)
        if address in self._due:
            self._changed(address, self._due[address])
        if rung is None or not rung.error:
            return
        told = f"{shown} failed\n{rung.error.rstrip()}"
        if rung.again_ms is None:
            told += f"\nIt is given up after {RETRIES_MAX + 1} tries."
        self._around.error(told)


def trigger(around: Around) -> ObjectAlarms:
    """Return the alarms of a worker's objects, which `follow` sets going."""
    return ObjectAlarms(around)
