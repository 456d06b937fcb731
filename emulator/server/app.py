"""The ASGI app: which request goes where. All of it is in `create_app`.

    RequestLog (request_log.py)        every request, refused ones too; measures only
      Guard (security.py)              refuses before anything looks further
        control routes                 /cdn-cgi/…, /client/v4/…: a Starlette app; user code never
                                       sees these paths, known or not
        Ingress (ingress.py)           everything else: the worker

The control routes themselves are handed in by the caller, who has the engine and the bindings.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from emulator.server.api.envelope import failure
from emulator.server.ingress import Ingress, OnError, Worker
from emulator.server.request_log import OnRequest, RequestLog
from emulator.server.security import Guard, Policy, is_control_path


def create_app(
    worker: Worker,
    *,
    policy: Policy,
    extra_routes: Sequence[BaseRoute] = (),
    on_error: OnError = lambda method, target, error: None,
    on_request: OnRequest | None = None,
) -> ASGIApp:
    """Return the whole server as one ASGI app, to be run by `serve.Server`.

    extra_routes: control routes, all under `/cdn-cgi/` or `/client/v4/`, in the order of matching.
    on_error, on_request: what the terminal wants to know; see `OnError` and `OnRequest`.
    """
    for route in extra_routes:
        assert isinstance(route, Route | Mount) and is_control_path(f"{route.path}/"), route
    control = Starlette(
        routes=list(extra_routes),
        exception_handlers={404: _unknown_route, 405: _wrong_method},
    )
    guarded = Guard(_Split(control, Ingress(worker, on_error)), policy)
    return guarded if on_request is None else RequestLog(guarded, on_request)


class _Split:
    """Sends control paths to one app and all others to the other, with nothing in between."""

    def __init__(self, control: ASGIApp, ingress: ASGIApp) -> None:
        self._control = control
        self._ingress = ingress

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._control if is_control_path(scope["path"]) else self._ingress
        await app(scope, receive, send)


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
