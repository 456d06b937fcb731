"""How an object's storage is reached: the host has it, and most calls let all code stand still.

So nothing comes between a read and what follows it, as where storage is in the same process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ....protocol.message import Message
from ....protocol.objects import StorageCall, StorageFailed, StorageResult
from .. import conversion
from ..sdk.jserror import JsException

Send = Callable[[Message], None]
Ask = Callable[[Message, Callable[[Message], bool]], Message]


class Storages:
    """The calls of all storages of one guest, by number."""

    def __init__(self, send: Send, ask: Ask) -> None:
        self.send = send
        self.ask = ask
        self._last = 0
        self._waiting: dict[int, asyncio.Future[None]] = {}

    def next_id(self) -> int:
        """Return a number for a call."""
        self._last += 1
        return self._last

    def wait(self, number: int) -> asyncio.Future[None]:
        """Return what is done when this call was answered."""
        waiter = self._waiting[number] = asyncio.get_running_loop().create_future()
        return waiter

    def answered(self, message: StorageResult | StorageFailed) -> None:
        """The host has answered a call that lets other code go on."""
        waiter = self._waiting.pop(message.id, None)
        if waiter is None or waiter.done():
            return
        if isinstance(message, StorageFailed):
            waiter.set_exception(JsException(message.message, message.name))
        else:
            waiter.set_result(None)


class Line:
    """The storage of one object. `over`: why it cannot be used any more, or ""."""

    def __init__(self, storages: Storages, number: int) -> None:
        self._storages = storages
        self._number = number
        self.over = ""

    def ask(self, method: str, *args: Any) -> Any:
        """Call a method and return its answer; all code stands still. Raises JsException."""
        number = self._storages.next_id()
        message = self._call(method, args, number)

        def answers(received: Message) -> bool:
            kind = type(received)
            return (kind is StorageResult or kind is StorageFailed) and received.id == number  # type: ignore[attr-defined]

        answer = self._storages.ask(message, answers)
        if isinstance(answer, StorageFailed):
            raise JsException(answer.message, answer.name)
        assert isinstance(answer, StorageResult)
        return conversion.decode(answer.payload)

    def tell(self, method: str, *args: Any) -> None:
        """Call a method that answers nothing. When it fails, the host ends the object."""
        self._storages.send(self._call(method, args, 0))

    async def durable(self) -> None:
        """Return when everything that was committed is durable. Raises JsException."""
        number = self._storages.next_id()
        message = self._call("sync", (), number)
        waiter = self._storages.wait(number)
        self._storages.send(message)
        await waiter

    def _call(self, method: str, args: tuple[Any, ...], number: int) -> StorageCall:
        if self.over:
            raise JsException(self.over)
        return StorageCall(self._number, method, number, conversion.encode(list(args)))
