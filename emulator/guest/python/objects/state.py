"""`self.ctx` of a Durable Object. Source: docs/platform/durable-objects.md, "The context"."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn

from .. import scope
from ..sdk.javascript.functions import python_of
from ..sdk.jsdict import JsDict
from ..sdk.jserror import JsException
from ..sdk.workers.entrypoints import DurableObjectAbort
from ..web_sockets import WebSocket
from .gate import InputGate
from .ids import DurableObjectId
from .sockets import Sockets
from .storage import DurableObjectStorage

BLOCKED_MAX_S = 30
_BLOCKED_TOO_LONG = (
    "A call to blockConcurrencyWhile() in a Durable Object waited for too long. The call was "
    "canceled and the Durable Object was reset."
)


class DurableObjectContext:
    """The id, the storage and the life of one object. ended: ends the object, with a reason."""

    def __new__(cls, given: Any = None, *rest: Any, **keywords: Any) -> DurableObjectContext:
        return given if isinstance(given, DurableObjectContext) else super().__new__(cls)

    def __init__(
        self,
        id: Any,
        storage: DurableObjectStorage | None = None,
        gate: InputGate | None = None,
        sockets: Sockets | None = None,
        ended: Callable[[str], None] = lambda reason: None,
    ) -> None:
        if id is self or storage is None or gate is None or sockets is None:
            return
        self.id: DurableObjectId = id
        self.storage = storage
        self.props = JsDict()
        self._gate = gate
        self._sockets = sockets
        self._ended = ended

    @property
    def _ctx(self) -> DurableObjectContext:
        return self

    def blockConcurrencyWhile(self, function: Any) -> asyncio.Task[Any]:  # JavaScript's name
        """Await `function()` while no other event goes on; when it raises, the object is reset."""
        task = self._gate.run(lambda: self._blocking(python_of(function)))
        task.add_done_callback(_looked_at)
        return task

    async def _blocking(self, function: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        try:
            async with asyncio.timeout(BLOCKED_MAX_S):
                return await function()
        except TimeoutError:
            self._ended(_BLOCKED_TOO_LONG)
            raise JsException(_BLOCKED_TOO_LONG) from None
        except Exception as error:
            self._ended(str(error))
            raise

    def waitUntil(self, awaitable: Awaitable[Any]) -> None:  # JavaScript's name
        """Keep the event alive until `awaitable` has settled."""
        scope.current().wait_until(awaitable)

    wait_until = waitUntil

    def acceptWebSocket(self, socket: Any, tags: Any = None) -> None:  # JavaScript's name
        """Hand a WebSocket over: its events come to `webSocketMessage` and `webSocketClose`."""
        self._sockets.accept(socket, tags)

    def getWebSockets(self, tag: Any = None) -> list[WebSocket]:  # JavaScript's name
        """Return the open sockets that were handed over, those with a tag, or all."""
        return self._sockets.having(tag)

    def getTags(self, socket: Any) -> list[str]:  # JavaScript's name
        """Return the tags of a socket."""
        return self._sockets.tags(socket)

    def setWebSocketAutoResponse(self, pair: Any = None) -> None:  # JavaScript's name
        """Let one text be answered with another while the object is not in memory."""
        self._sockets.answer_by_itself(pair)

    def getWebSocketAutoResponse(self) -> Any:  # JavaScript's name
        """Return the pair that was set, or None."""
        return self._sockets.auto

    def getWebSocketAutoResponseTimestamp(self, socket: Any) -> Any:  # JavaScript's name
        """Return when a socket was last answered so, or None."""
        return self._sockets.answered(socket)

    def abort(self, reason: Any = None, options: Any = None) -> NoReturn:
        """End the object: its events fail, and the next one makes a new object."""
        text = "Application called abort() to reset Durable Object."
        text = text if reason is None else str(reason)
        self._ended(text)
        raise DurableObjectAbort(text)


def _looked_at(task: asyncio.Task[Any]) -> None:
    """An error that nobody awaits has ended the object already."""
    if not task.cancelled():
        task.exception()


DurableObjectContext.__module__ = "workers"
