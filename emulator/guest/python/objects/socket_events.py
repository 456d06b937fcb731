"""Events of WebSockets that were handed over: `webSocketMessage` and `webSocketClose`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from .. import tracebacks
from ..calling import relaxed_call, settle
from .sockets import Sockets, message_of

Told = dict[str, Any]


async def message(instance: Any, sockets: Sockets, args: list[Any]) -> Told:
    """Call `webSocketMessage(ws, message)`; args: name of the socket, text or bytes."""
    name, content = args
    return await _called(instance, "webSocketMessage", sockets.named(name), message_of(content))


async def close(instance: Any, sockets: Sockets, args: list[Any]) -> Told:
    """Call `webSocketClose(ws, code, reason, wasClean)`; args: name of the socket, these three."""
    name, *rest = args
    socket = sockets.named(name)
    socket.readyState = socket.CLOSING
    try:
        return await _called(instance, "webSocketClose", socket, *rest)
    finally:
        sockets.forget(name)


async def _called(instance: Any, name: str, *args: Any) -> Told:
    """Call a handler, if the class has it; what it raises is told."""
    handler = getattr(instance, name, None)
    told: Told = {"outcome": "ok"}
    try:
        if handler is not None:
            await settle(relaxed_call(handler, *args))
    except Exception as error:
        told["outcome"] = "exception"
        told["error"] = list(tracebacks.told(error))
    return told


SOCKET_EVENTS: dict[str, Callable[[Any, Sockets, list[Any]], Awaitable[Told]]] = {
    "webSocketClose": close,
    "webSocketMessage": message,
}
