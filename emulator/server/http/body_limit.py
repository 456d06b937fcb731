"""The limit for a request body of unknown length; bytes are counted as they are read.

A length in the head is checked before anything is read (`security.py`), and then the HTTP parser
enforces it. So only chunked requests need this module.
"""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulator.server.http.connection import connection_of
from emulator.server.refusal import Refusal

# Production's largest default (Enterprise); a plan's own limit may be lower.
# Source: https://developers.cloudflare.com/workers/platform/limits/#request-limits
REQUEST_BODY_MAX_BYTES = 500 * 1024 * 1024

BODY_TOO_LARGE = Refusal(
    413,
    f"The request body is larger than {REQUEST_BODY_MAX_BYTES // (1024 * 1024)} MB, the most that "
    "Cloudflare accepts by default.",
)


class BodyTooLarge(HTTPException):
    """The reader of a body gets this beyond the limit. Starlette's routes answer with 413."""

    def __init__(self) -> None:
        super().__init__(413, BODY_TOO_LARGE.reason)


async def run_with_body_limit(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run `app`; when its request body exceeds the limit, stop it and answer 413.

    One task reads the body of a user's request, and another waits for the worker. The reader gets
    BodyTooLarge. The waiting task is cancelled, which cancels the worker's request. When a response
    has begun, it cannot become a 413; then the connection is cut.
    """
    meter = _Meter(receive, send)
    try:
        await app(scope, meter.receive, meter.send)
    except (BodyTooLarge, asyncio.CancelledError):
        if not meter.exceeded:
            raise
        meter.forgive_cancellation()
        if meter.response_started:
            connection_of(scope).cut()
        else:
            await BODY_TOO_LARGE.send(send)


class _Meter:
    def __init__(self, receive: Receive, send: Send) -> None:
        self.exceeded = False
        self.response_started = False
        self._receive = receive
        self._send = send
        self._seen_bytes = 0
        self._task = asyncio.current_task()
        self._cancelled = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._seen_bytes += len(message.get("body", b""))
        if self._seen_bytes > REQUEST_BODY_MAX_BYTES:
            self._stop()
            raise BodyTooLarge
        return message

    async def send(self, message: Message) -> None:
        self.response_started = True
        await self._send(message)

    def forgive_cancellation(self) -> None:
        """Undo the cancellation that `_stop` asked for, after it was delivered."""
        if self._cancelled and self._task is not None:
            self._task.uncancel()

    def _stop(self) -> None:
        if not self.exceeded and self._task is not None:
            self.exceeded = True
            if self._task is not asyncio.current_task():
                self._cancelled = self._task.cancel()
