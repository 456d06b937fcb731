"""The event log of an instance as server-sent events, until the instance ends.

Differs: production documents that `GET …/subscribe` exists, not what it sends. Here it sends what
`EventSource` reads: `id` is the event's id, `data` the event, as `subscribe()` returns it.
Source: docs/platform/workflows-rest.md, "Subscriptions";
https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from emulator.engine.views.log import EVENT_TYPES, LogEvent
from emulator.engine.views.subscription import Subscription, Wanted
from emulator.errors import StateError
from emulator.protocol import deep_json
from emulator.protocol.values import MAX_SAFE_INTEGER
from emulator.server.api.envelope import Answer
from emulator.server.api.parameters import bad, choice
from emulator.server.api.workflows.dialects import Dialect
from emulator.server.api.workflows.resource import Resource
from emulator.worker import Worker

KEEP_ALIVE_S = 15.0  # between comments that show both sides that the other is still there


class Streams:
    """Handlers of one base of the API."""

    def __init__(self, worker: Worker, dialect: Dialect) -> None:
        self._worker = worker
        self._dialect = dialect

    async def subscribe(self, request: Request) -> Answer | Response:
        """GET …/subscribe: `cursor`, `filter` (names with commas), `local=true` for our events too.

        An `EventSource` that connects again after the end gets 204, which stops it.
        """
        resource = Resource.of(self._worker, self._dialect, request)
        instance = resource.summary(request)
        subscription = Subscription(self._worker.engine.journal, instance.key, _wanted(request))
        with self._worker.engine.journal.reading(instance.key):
            first = subscription.take()
        if first is None and subscription.ended and "last-event-id" in request.headers:
            return Response(status_code=204)
        return StreamingResponse(
            _stream(subscription, first, instance.id, _shows_local(request)),
            media_type="text/event-stream",
            headers={"cache-control": "no-store"},
        )


def _wanted(request: Request) -> Wanted:
    header = request.headers.get("last-event-id", "")
    name, text = (
        ("Last-Event-ID", header) if header else ("cursor", request.query_params.get("cursor"))
    )
    cursor = 0
    if text:
        if not (text.isascii() and text.isdigit() and len(text) <= 16):
            raise bad(f"'{name}' is '{text}'; expected the eventId of an event.")
        cursor = int(text)
        if cursor > MAX_SAFE_INTEGER:
            raise bad(f"'{name}' is {text}; expected at most {MAX_SAFE_INTEGER}.")
    given = request.query_params.getlist("filter")
    if not given:
        return Wanted(cursor, None, _shows_local(request))
    names = {name for text in given for name in text.split(",") if name}
    if unknown := sorted(names - EVENT_TYPES):
        raise bad(
            f"'filter' has '{unknown[0]}'; expected some of: {', '.join(sorted(EVENT_TYPES))}."
        )
    return Wanted(cursor, frozenset(names), _shows_local(request))


def _shows_local(request: Request) -> bool:
    return choice(request, "local", ("true", "false")) == "true"


async def _stream(
    subscription: Subscription, event: LogEvent | None, instance_id: str, local: bool
) -> AsyncIterator[str]:
    try:
        yield ": subscribed\n\n"  # sends the headers now, so that the client need not wait
        while True:
            if event is not None:
                data = deep_json.dumps(event.as_json(instance_id, local=local))
                yield f"id: {event.id}\ndata: {data}\n\n"
            elif subscription.ended:
                # Moves the client's cursor past events that the filter hides; it causes no event.
                yield f"id: {subscription.last_id}\n\n"
                return
            else:
                yield ":\n\n"
            event = await _next(subscription)
    except StateError as error:
        yield f": {json.dumps(str(error))}\n\n"
    finally:
        subscription.close()


async def _next(subscription: Subscription) -> LogEvent | None:
    """Return the next event; None at the end, and after KEEP_ALIVE_S without one."""
    try:
        async with asyncio.timeout(KEEP_ALIVE_S):
            return await subscription.next()
    except TimeoutError:
        return None
