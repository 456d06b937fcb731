"""One Durable Object in memory: its instance, its gates, and the calls that it handles."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

from ....protocol.message import Message
from ....protocol.objects import ObjectOpen, ObjectOver
from .. import flags
from ..loader import Worker
from ..sdk.jserror import JsException
from .gate import InputGate
from .ids import DurableObjectId
from .keys import Keys
from .line import Line, Storages
from .sockets import Sockets
from .state import DurableObjectContext
from .storage import DurableObjectStorage


class Event(Protocol):
    """A call that the object handles."""

    def break_off(self, error: BaseException) -> None:
        """The object has ended: the call fails with this error."""
        ...


class DurableInstance:
    """An object with a number. Its first event makes the instance of the user's class."""

    def __init__(self, message: ObjectOpen, worker: Worker, storages: Storages) -> None:
        self.number = message.object
        self.events: set[Event] = set()
        self._gate = InputGate()
        self.class_name = message.class_name
        self._worker = worker
        self._send = storages.send
        self._line = Line(storages, message.object)
        self._keys = Keys(
            self._line,
            has_sql=message.has_sql,
            has_alarm=hasattr(worker.objects.get(message.class_name), "alarm"),
            deletes_alarm=worker.flags.get(flags.DELETES_ALARM, False),
        )
        name = message.name if message.has_name else None
        storage = DurableObjectStorage(self._line, self._keys, self._gate, has_sql=message.has_sql)
        self.sockets = Sockets(message.object, self.send, message.payload)
        self._ctx = DurableObjectContext(
            DurableObjectId(message.id, name), storage, self._gate, self.sockets, self.end
        )
        self._instance: Any = None

    @property
    def over(self) -> str:
        """Why it has ended; "" while it lives."""
        return self._line.over

    async def entered(self) -> Any:
        """Return the instance when an event may begin. Raises what its constructor raises."""
        await self._gate.passed()
        self._check()
        if self._instance is None:
            self._instance = self._made()
            await self._gate.passed()  # the constructor may have begun a section
            self._check()
        return self._instance

    def send(self, message: Message) -> None:
        """Send an answer: the host holds it back until what was written before is durable."""
        self._keys.commit()
        self._send(message)

    def before_call(self) -> int:
        """Return the number with which a binding is called: the host waits in the same way."""
        self._keys.commit()
        return self.number

    async def confirmed(self) -> None:
        """Return when what was written is durable: before something leaves past the host."""
        self._keys.commit()
        if self._keys.is_unconfirmed:
            await self._line.durable()
            self._keys.is_unconfirmed = False

    async def after(self, answer: Awaitable[Any]) -> Any:
        """Wait for an answer from elsewhere, and then until code may go on."""
        return await self._gate.after(answer)

    def end(self, reason: str) -> None:
        """End it by itself: its events fail, and what was not committed is undone."""
        if not self.over:
            self._send(ObjectOver(self.number, reason))
            self.close(reason)

    def close(self, reason: str) -> None:
        """The host has ended it, or has been told so."""
        self._line.over = reason
        for event in list(self.events):
            event.break_off(JsException(reason))

    def _made(self) -> Any:
        cls = self._worker.objects.get(self.class_name)
        if cls is None:
            raise JsException(
                f"The worker has no class {self.class_name} that extends DurableObject.",
                "TypeError",
            )
        try:
            return cls(self._ctx, self._worker.env)
        except Exception as error:
            self.end(str(error))
            raise

    def _check(self) -> None:
        if self.over:
            raise JsException(self.over)
