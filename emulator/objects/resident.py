"""One Durable Object in memory: the guest that runs it, and its storage."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from bindings.durable_objects.namespace import Address
from emulator.errors import WorkerError
from emulator.protocol import values
from emulator.protocol.objects import (
    ObjectClose,
    ObjectOpen,
    StorageCall,
    StorageFailed,
    StorageResult,
)
from emulator.runner.guest import Guest

if TYPE_CHECKING:
    from bindings.durable_objects.storage import Storage

log = logging.getLogger(__name__)


class Resident:
    """An object with a number in a guest, from `open` to `close`.

    events: calls that are on their way in. used_s: when it was last called, by the loop's clock.
    over: why it can be called no more, or "". leaving: it moves to newer code when it is idle.
    broke: is told why it cannot go on.
    """

    def __init__(
        self,
        number: int,
        address: Address,
        guest: Guest,
        storage: Storage,
        broke: Callable[[Resident, str], None],
    ) -> None:
        self.number = number
        self.address = address
        self.guest = guest
        self.storage = storage
        self.events = 0
        self.used_s = 0.0
        self.over = ""
        self.leaving = False
        self._broke = broke
        self._long: asyncio.Task[None] | None = None  # a query that takes long

    def open(self, sockets: bytes) -> None:
        """Let the guest make it. sockets: what it is told of those that were handed over."""
        of, name = self.address.of, self.address.name
        self.guest.send(
            ObjectOpen(
                self.number,
                of.name,
                self.address.id,
                name or "",
                name is not None,
                of.has_sql,
                sockets,
            )
        )

    @property
    def is_busy(self) -> bool:
        """Whether an event is on its way or going on."""
        exchanges = self.guest.connection.exchanges
        return self.events > 0 or self._long is not None or exchanges.has_object(self.number)

    async def durable(self) -> None:
        """Return when everything that it has written so far is durable. Raises WorkerError."""
        await self.storage.durable()

    async def held(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield each piece of an answer when what was written before it is durable."""
        async for piece in body:
            await self.durable()
            yield piece

    def close(self, reason: str, *, tell: bool = True) -> None:
        """Forget it; what it has not committed is undone. tell: the guest does not know yet."""
        if self.over:
            return
        self.over = reason
        if tell:
            self.guest.send(ObjectClose(self.number, reason))
        if self._long is None:
            self.storage.close()
        else:
            self.storage.stop_query()
            self._long.add_done_callback(lambda _: self.storage.close())

    def call_storage(self, message: StorageCall) -> None:
        """Answer a call of the guest's."""
        from bindings.durable_objects.user_sql import TooSlow

        if message.method == "sync":
            self._spawn(self._sync(message.id))
            return
        try:
            args = values.decode(message.payload)
            result = self.storage.call(message.method, args)
        except TooSlow:
            self._long = self._spawn(self._call_long(message, args))
        except WorkerError as error:
            if message.id:
                self._refuse(message.id, error)
            else:
                self._broke(self, error.message)
        else:
            if message.id:
                self._answer(message.id, result)

    def _answer(self, number: int, result: object) -> None:
        connection = self.guest.connection
        connection.send(StorageResult(number, values.encode(result)))
        connection.flush()  # the guest stands still

    def _refuse(self, number: int, error: WorkerError) -> None:
        connection = self.guest.connection
        connection.send(StorageFailed(number, error.message, error.name))
        connection.flush()

    async def _call_long(self, message: StorageCall, args: list[object]) -> None:
        from bindings.durable_objects.user_sql import QueryTooLong

        try:
            result = await asyncio.to_thread(self.storage.call_long, message.method, args)
            self._answer(message.id, result)
        except QueryTooLong as error:
            self._refuse(message.id, error)
            self._broke(self, error.message)
        except WorkerError as error:
            self._refuse(message.id, error)
        except Exception as error:
            log.exception("storage.%s failed inside Groundfog", message.method)
            self._refuse(message.id, WorkerError(f"internal error: {error!r}"))
        finally:
            self._long = None

    async def _sync(self, number: int) -> None:
        try:
            await self.durable()
            self._answer(number, None)
        except WorkerError as error:
            self._refuse(number, error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        _running.add(task)
        task.add_done_callback(_running.discard)
        return task


_running: set[asyncio.Task[None]] = set()
