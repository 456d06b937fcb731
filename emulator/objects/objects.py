"""The Durable Objects of one worker: each is in one guest at a time, and its events go there.

An object is made in the guest that serves when its next event comes. It is forgotten when it was
idle for a while, when its guest ends, and when newer code serves: its storage is what stays.
An answer leaves when what its object had written before it is durable.
Source: docs/platform/durable-objects.md, "Life".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from bindings.binding import Call, Encoded
from bindings.durable_objects.namespace import Address, ObjectClass
from emulator import forwarding
from emulator.clock import Clock
from emulator.errors import EmulatorError, WorkerError
from emulator.objects.resident import Resident
from emulator.objects.sockets import Sockets
from emulator.protocol.objects import ObjectOver, SocketCall, StorageCall, StorageFailed
from emulator.runner.guest import Guest
from emulator.runner.requests import (
    FetchReply,
    FetchRequest,
    InvokeRequest,
    RpcReply,
    RpcRequest,
)
from emulator.sqlite import Synchronous

if TYPE_CHECKING:
    from bindings.durable_objects.alarms import Alarm
    from bindings.durable_objects.syncing import Syncing

LEAVING_S = 3.0  # how long events on old code may go on after a save
CODE_UPDATED = "Durable Object reset because its code was updated."
EVICTED = "The Durable Object was evicted from memory."
_LOST = "The Durable Object's guest ended."


class Objects:
    """Satisfies `ObjectCalls`.

    file: the storage file of an object. serving: waits for code that runs, and returns its guest.
    Raises EmulatorError. error: tells the person at the terminal.
    """

    def __init__(
        self,
        file: Callable[[ObjectClass, str], Path],
        synchronous: Callable[[], Synchronous],
        clock: Clock,
        error: Callable[[str], None],
    ) -> None:
        self.serving: Callable[[], Awaitable[Guest]] = _not_running
        self.alarm_changed: Callable[[Address, int | None], None] = lambda address, due_ms: None
        self._file = file
        self._synchronous = synchronous
        self._clock = clock
        self._error = error
        self._sockets: dict[tuple[str, str], Sockets] = {}
        self._syncing: Syncing | None = None
        self._residents: dict[tuple[str, str], Resident] = {}
        self._by_number: dict[int, Resident] = {}
        self._last = 0
        self._guest: Guest | None = None
        self._sweep: asyncio.TimerHandle | None = None

    async def answer(self, address: Address, call: Call) -> Encoded:
        """Let an object answer a call of a worker. Raises WorkerError."""
        who = f"Durable Object {address.of.name}"
        forwarding.check_depth(who, call.depth)
        try:
            if call.method == forwarding.FETCH:
                return forwarding.encoded_fetch(
                    await self.fetch(address, forwarding.fetch_request(call))
                )
            request = RpcRequest(call.method, call.payload, call.body, depth=call.depth + 1)
            return forwarding.encoded(await self.rpc(address, request))
        except forwarding.FAILURES as error:
            raise forwarding.told(error, who) from error

    async def fetch(self, address: Address, request: FetchRequest) -> FetchReply:
        """Let an object answer a request. Raises EmulatorError."""
        async with _Event(self, address) as resident:
            reply = await resident.guest.fetch(replace(request, object=resident.number))
        if reply.socket:
            return self._connected(address, request, reply)
        body = None if reply.body is None else resident.held(reply.body)
        return FetchReply(reply.status, reply.status_text, reply.headers, body, reply.close)

    def _connected(self, address: Address, request: FetchRequest, reply: FetchReply) -> FetchReply:
        """Return the reply whose body is what goes to the client of a handed over socket."""
        sockets = self._sockets_of(address)

        async def deliver(method: str, args: list[Any]) -> None:
            await self._deliver(address, method, args)

        socket = sockets.connect(reply.socket, request.body, deliver)

        async def close() -> None:
            socket.end()

        return replace(reply, body=socket.messages(), close=close, socket="")

    async def _deliver(self, address: Address, method: str, args: list[Any]) -> None:
        """Let an object handle an event of a socket; tell the terminal what it raises."""
        shown = f"{method} of {address.of.name} {address.name or address.id}"
        try:
            async with _Event(self, address) as resident:
                request = InvokeRequest("", method, args, object=resident.number)
                told = (await resident.guest.invoke(request)).value
        except EmulatorError as error:
            self._error(f"{shown}: {error}")
            return
        if told["outcome"] != "ok":
            self._error(f"{shown} failed\n{told['error'][2].rstrip()}")

    def _sockets_of(self, address: Address) -> Sockets:
        if address.key not in self._sockets:
            self._sockets[address.key] = Sockets(self._clock)
        return self._sockets[address.key]

    async def rpc(self, address: Address, request: RpcRequest) -> RpcReply:
        """Call a method of an object. Raises EmulatorError."""
        async with _Event(self, address) as resident:
            reply = await resident.guest.rpc(replace(request, object=resident.number))
        body = None if reply.body is None else resident.held(reply.body)
        return RpcReply(reply.payload, body, reply.close)

    def alarms(self, of: ObjectClass) -> Iterator[tuple[Address, int]]:
        """Yield the stored alarms of a class: each object, and when its alarm is due."""
        from bindings.durable_objects.alarms import marked

        for found in marked(self._file(of, "").parent):
            assert found.alarm is not None
            yield Address(of, found.id, found.name), found.alarm.due_ms

    async def ring(
        self, address: Address, now_ms: Callable[[], int], again_ms: Callable[[int], int | None]
    ) -> Rung | None:
        """Let an object's alarm ring, if it is due. Raises EmulatorError.

        again_ms: when it is tried again after so many failures, None for never.
        """
        ended = False
        try:
            async with _Event(self, address) as resident:
                found = resident.storage.alarm()
                if found is None or found.due_ms > now_ms():
                    self.alarm_changed(address, None if found is None else found.due_ms)
                    return None
                alarm = found
                resident.storage.begin_ringing()
                error = await _rang(resident, alarm)
                again = again_ms(alarm.retries) if error else None
                ended = bool(resident.over)
                if not ended:
                    resident.storage.end_ringing(again)
        except WorkerError:
            if not ended:
                raise
        if ended:
            async with _Event(self, address) as anew:
                if anew.storage.alarm() == alarm:
                    anew.storage.begin_ringing()
                    anew.storage.end_ringing(again)
        return Rung(error, alarm.retries, again)

    async def durable(self, number: int) -> None:
        """Return when what the object with this number has written is durable."""
        resident = self._by_number.get(number)
        if resident is not None:
            await resident.durable()

    def serve(self, guest: Guest) -> None:
        """New objects are made in this guest from now on, and the others move there."""
        self._guest = guest
        guest.connection.hear_objects(
            partial(self._on_storage, guest), self._on_socket, self._on_over, self.durable
        )
        guest.connection.exchanges.on_object_idle = self.idle
        guest.connection.closed.add_done_callback(lambda _: self._guest_gone(guest))
        for resident in list(self._residents.values()):
            if resident.guest is not guest:
                self._leave(resident)

    async def close(self) -> None:
        """Close every storage."""
        if self._sweep is not None:
            self._sweep.cancel()
        for sockets in self._sockets.values():
            sockets.end_all()
        for resident in list(self._residents.values()):
            self.close_resident(resident, "Groundfog stops.", tell=False)
        if self._syncing is not None:
            self._syncing.close()

    async def resident(self, address: Address) -> Resident:
        """Return the object in memory; it is made if it is not there. Raises EmulatorError."""
        found = self._residents.get(address.key)
        if found is None:
            guest = await self.serving()
            found = self._residents.get(address.key) or self._open(address, guest)
        return found

    def in_memory(self, address: Address) -> Resident | None:
        """Return the object if it is in memory."""
        return self._residents.get(address.key)

    def _open(self, address: Address, guest: Guest) -> Resident:
        from bindings.durable_objects.storage import Storage
        from bindings.durable_objects.syncing import Syncing

        if self._syncing is None:
            self._syncing = Syncing()
        self._last += 1
        storage = Storage(
            self._file(address.of, address.id),
            self._synchronous(),
            self._syncing,
            name=address.name,
            has_sql=address.of.has_sql,
            now_ms=self._clock.now_ms,
            alarm_changed=lambda due_ms: self.alarm_changed(address, due_ms),
        )
        resident = Resident(self._last, address, guest, storage, self.close_resident)
        self._residents[address.key] = resident
        self._by_number[resident.number] = resident
        resident.used_s = asyncio.get_running_loop().time()
        sockets = self._sockets.get(address.key)
        resident.open(b"" if sockets is None else sockets.told())
        if self._sweep is None:
            self._sweep_later()
        return resident

    def close_resident(self, resident: Resident, reason: str, *, tell: bool = True) -> None:
        """Forget an object; its next event makes it again."""
        resident.close(reason, tell=tell)
        self._by_number.pop(resident.number, None)
        if self._residents.get(resident.address.key) is resident:
            del self._residents[resident.address.key]

    def _leave(self, resident: Resident) -> None:
        if not resident.is_busy:
            self.close_resident(resident, EVICTED)
        elif not resident.leaving:
            resident.leaving = True
            asyncio.get_running_loop().call_later(
                LEAVING_S, self.close_resident, resident, CODE_UPDATED
            )

    def idle(self, number: int) -> None:
        """An event of an object is over: move it if it was the last one on old code."""
        resident = self._by_number.get(number)
        if resident is not None and resident.leaving and not resident.is_busy:
            self.close_resident(resident, EVICTED)

    def _guest_gone(self, guest: Guest) -> None:
        for resident in list(self._residents.values()):
            if resident.guest is guest:
                self.close_resident(resident, _LOST, tell=False)

    def _on_socket(self, message: SocketCall) -> None:
        resident = self._by_number.get(message.object)
        if resident is not None:
            self._sockets_of(resident.address).hear(message, resident.storage)

    def _on_over(self, message: ObjectOver) -> None:
        resident = self._by_number.get(message.object)
        if resident is not None:
            if (sockets := self._sockets.pop(resident.address.key, None)) is not None:
                sockets.end_all()
            self.close_resident(resident, message.reason or _LOST)

    def _on_storage(self, guest: Guest, message: StorageCall) -> None:
        resident = self._by_number.get(message.object)
        if resident is not None:
            resident.call_storage(message)
        elif message.id:
            text = "This Durable Object instance is no longer active."
            guest.connection.send(StorageFailed(message.id, text))
            guest.connection.flush()

    def _sweep_later(self) -> None:
        shortest_ms = min(each.address.of.idle_ms for each in self._residents.values())
        loop = asyncio.get_running_loop()
        self._sweep = loop.call_later(shortest_ms / 4_000, self._sweep_idle)

    def _sweep_idle(self) -> None:
        """Forget what was idle for long."""
        now_s = asyncio.get_running_loop().time()
        for resident in list(self._residents.values()):
            if resident.is_busy:
                resident.used_s = now_s
            elif (now_s - resident.used_s) * 1000 >= resident.address.of.idle_ms:
                self.close_resident(resident, EVICTED)
        self._sweep = None
        if self._residents:
            self._sweep_later()


@dataclass(frozen=True, slots=True)
class Rung:
    """How an alarm has rung: `error` is "" if it went well. again_ms: when it is tried again."""

    error: str
    retries: int
    again_ms: int | None


class _Event:
    """A call of an object: it is in memory meanwhile, and what it wrote is durable at the end."""

    def __init__(self, objects: Objects, address: Address) -> None:
        self._objects = objects
        self._address = address
        self._resident: Resident | None = None

    async def __aenter__(self) -> Resident:
        self._resident = await self._objects.resident(self._address)
        self._resident.events += 1
        return self._resident

    async def __aexit__(self, *raised: object) -> None:
        resident = self._resident
        assert resident is not None
        try:
            if raised[1] is None:
                await self._finish(resident)
        finally:
            resident.events -= 1
            resident.used_s = asyncio.get_running_loop().time()
            self._objects.idle(resident.number)

    async def _finish(self, resident: Resident) -> None:
        if resident.over:
            raise WorkerError(resident.over)
        try:
            await resident.durable()
        except WorkerError as error:
            self._objects.close_resident(resident, error.message)
            raise


async def _rang(resident: Resident, alarm: Alarm) -> str:
    """Call the object's alarm(); return what it raised, "" if it went well."""
    args = [alarm.retries, alarm.at_ms]
    try:
        request = InvokeRequest("", "alarm", args, object=resident.number)
        told = (await resident.guest.invoke(request)).value
    except EmulatorError as error:
        return str(error)
    return "" if told["outcome"] == "ok" else str(told["error"][2])


async def _not_running() -> Guest:
    raise WorkerError("The worker is not running.")
