"""Tells the terminal about each request when it is over. Formats nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulator.server.http.connection import target_of

# As nginx logs a client that went away before its answer; it is never sent.
CLIENT_CLOSED_REQUEST = 499

OnRequest = Callable[[str, str, int, float], None]
"""Called as on_request(method, target, status, duration_ms); the target is as received."""


class RequestLog:
    """ASGI middleware that measures requests. A request that was not answered has status 499."""

    def __init__(self, app: ASGIApp, on_request: OnRequest) -> None:
        self._app = app
        self._on_request = on_request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = CLIENT_CLOSED_REQUEST

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        now = asyncio.get_running_loop().time
        began = now()
        try:
            await self._app(scope, receive, send_and_note)
        finally:
            duration_ms = (now() - began) * 1000
            self._on_request(scope["method"], target_of(scope), status, duration_ms)
