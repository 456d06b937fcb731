"""Handlers that the platform calls, besides `fetch`: `scheduled`, `queue`, `email` and `tail`.

The host calls one like a method, by its name, and gets `{"outcome", "error"?, …}`: a handler may
raise and still have said something, such as `controller.noRetry()`.
Source: docs/platform/python-workers.md, "Handlers".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from . import tracebacks
from .batches import MessageBatch, Told
from .calling import relaxed_call, settle
from .sdk.jsobject import JsObject
from .sdk.pyodide.ffi import JsException


class ScheduledController(JsObject):
    """What `scheduled` gets. `cron` is the expression; `scheduledTime` is in milliseconds."""

    def __init__(self, cron: str, scheduled_ms: int, told: Told) -> None:
        self.cron = cron
        self.scheduledTime = scheduled_ms
        self.type = "scheduled"
        self._told = told

    def noRetry(self) -> None:
        """Do not call the handler again when it fails."""
        self._told["noRetry"] = True


async def scheduled(instance: Any, args: list[Any]) -> Told:
    """Call `scheduled(controller, env, ctx)`; args: cron expression, milliseconds."""
    told: Told = {"outcome": "ok", "noRetry": False}
    return await _called(instance, "scheduled", ScheduledController(args[0], args[1], told), told)


async def queue(instance: Any, args: list[Any]) -> Told:
    """Call `queue(batch, env, ctx)`; args: name of the queue, messages."""
    batch = MessageBatch(args[0], args[1])
    return await _called(instance, "queue", batch, batch._told)


class AlarmInvocationInfo(JsObject):
    """What `alarm` gets: how often this alarm has failed, and when it was set to ring."""

    def __init__(self, retries: int, scheduled_ms: int) -> None:
        self.retryCount = retries
        self.isRetry = retries > 0
        self.scheduledTime = scheduled_ms


async def alarm(instance: Any, args: list[Any]) -> Told:
    """Call `alarm(info)` of a Durable Object, or `alarm()`; args: failures, milliseconds."""
    told: Told = {"outcome": "ok"}
    try:
        await settle(relaxed_call(instance.alarm, AlarmInvocationInfo(*args)))
    except Exception as error:
        told["outcome"] = "exception"
        told["error"] = list(tracebacks.told(error))
    return told


async def _called(instance: Any, name: str, event: Any, told: Told) -> Told:
    """Call a handler with three arguments, as the runtime does; what it raises is told."""
    try:
        handler = getattr(instance, name, None)
        if handler is None:
            told["unhandled"] = True
            raise JsException(f"Handler does not export a {name}() function.")
        await settle(handler(event, None, None))
    except Exception as error:
        told["outcome"] = "exception"
        told["error"] = list(tracebacks.told(error))
    return told


async def tail(instance: Any, args: list[Any]) -> Told:
    """Call `tail(events, env, ctx)`; args: what events of other workers did."""
    from .tail_events import trace_items  # few workers hear of others

    return await _called(instance, "tail", trace_items(args[0]), {"outcome": "ok"})


async def email(instance: Any, args: list[Any]) -> Told:
    """Call `email(message, env, ctx)`; args: see `ForwardableEmailMessage`."""
    from .emails import ForwardableEmailMessage  # few workers receive any

    told: Told = {"outcome": "ok", "rejectReason": None}
    return await _called(instance, "email", ForwardableEmailMessage(told, *args), told)


EVENTS: dict[str, Callable[[Any, list[Any]], Awaitable[Told]]] = {
    "alarm": alarm,
    "email": email,
    "queue": queue,
    "scheduled": scheduled,
    "tail": tail,
}
