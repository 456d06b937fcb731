"""The ASGI app: which request goes where. `create_app` shows all of it.

    as_request (web_socket.py)         the opening of a WebSocket becomes an ordinary request
    RequestLog (request_log.py)        every request, refused ones too; measures only
      AccessCheck (security.py)        refuses before anything looks further
        control routes                 /cdn-cgi/…, /client/v4/…: a Starlette app; user code never
                                       sees these paths, known or not
        Ingress (ingress.py)           everything else: the worker

The caller, who has the engine and the bindings, passes the control routes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from emulator.server.ingress import Ingress, OnError, Worker
from emulator.server.request_log import OnRequest, RequestLog
from emulator.server.security import Access, AccessCheck, is_control_path
from emulator.server.web_socket import as_request

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from emulator.server.dev_flags import DevFlags

Routes = Callable[[], "Sequence[BaseRoute]"]


def create_app(
    worker: Worker,
    *,
    access: Access,
    routes: Routes = tuple,
    on_error: OnError = lambda method, target, error: None,
    on_request: OnRequest | None = None,
    flags: DevFlags | None = None,
) -> ASGIApp:
    """Return the whole server as one ASGI app, for `serve.Server`.

    routes: makes the control routes, all under `/cdn-cgi/` or `/client/v4/`, in the order of
    matching. It is called at the first request for a control path.
    on_error, on_request: for the terminal; see `OnError` and `OnRequest`. flags: see `DevFlags`.
    """
    ingress: ASGIApp = Ingress(worker, on_error)
    if flags is not None:
        ingress = flags.around_worker(ingress, worker)
    checked: ASGIApp = AccessCheck(_Split(routes, ingress), access)
    if flags is not None:
        checked = flags.around_all(checked)
    return as_request(checked if on_request is None else RequestLog(checked, on_request))


class _Split:
    """Sends control paths to one app and all other paths to another."""

    def __init__(self, routes: Routes, ingress: ASGIApp) -> None:
        self._routes = routes
        self._control: ASGIApp | None = None
        self._ingress = ingress

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_control_path(scope["path"]):
            await self._ingress(scope, receive, send)
            return
        if self._control is None:
            from emulator.server.control import control_app

            self._control = control_app(self._routes())
        await self._control(scope, receive, send)
