"""The control routes as one Starlette app: everything under `/cdn-cgi/` and `/client/v4/`.

It is imported at the first request for one of them, so that a worker's first answer need not wait.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulator.server.api.envelope import failure
from emulator.server.headers import own_answer
from emulator.server.security import is_control_path


def control_app(routes: Sequence[BaseRoute]) -> ASGIApp:
    """Return an app of `routes`, all under control paths, in the order of matching."""
    for route in routes:
        assert isinstance(route, Route | Mount) and is_control_path(f"{route.path}/"), route
    app = Starlette(
        routes=list(routes),
        exception_handlers={404: _unknown_route, 405: _wrong_method},
    )

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_as_ours(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": own_answer(list(message["headers"]))}
            await send(message)

        await app(scope, receive, send_as_ours)

    return answer


def _unknown_route(request: Request, error: Exception) -> Response:
    path = request.url.path
    if path.startswith("/client/v4"):
        return failure(404, 7000, f"No route for that URI: {request.method} {path}")
    return PlainTextResponse(
        f"{path} is not a route of this server. Paths under /cdn-cgi/ are reserved and never "
        "reach your worker, here as on Cloudflare.\n",
        status_code=404,
    )


def _wrong_method(request: Request, error: Exception) -> Response:
    path = request.url.path
    assert isinstance(error, HTTPException)
    methods = (error.headers or {}).get("Allow", "").split(", ")
    allow = {"allow": ", ".join(sorted(methods))}
    if path.startswith("/client/v4"):
        text = f"Method {request.method} not available for that URI: {path}"
        return failure(405, 7001, text, allow)
    return PlainTextResponse(
        f"{request.method} is not available for {path}; use {allow['allow']}.\n",
        status_code=405,
        headers=allow,
    )
