"""The door of a worker in workerd: who answers clients when, and what workerd asks about them.

Clients talk with workerd itself (`guest/javascript/front.js`). This module serves what it passes
on: control routes, and requests to be refused. As long as no generation runs, it serves clients
too, with the reason why.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from bindings.http import HttpAnswer, StreamedAnswer
from emulator.errors import EmulatorError
from emulator.runner.loads import Loads
from emulator.runner.requests import FetchReply, FetchRequest, HandlerError, LoadError
from emulator.runner.workerd.host_server import listen_privately
from emulator.runner.workerd.process import SWITCH_S
from emulator.runner.workerd.public_sockets import Berth, PublicSockets
from emulator.runner.workerd.stacks import Stacks
from emulator.server.headers import RawHeaders
from emulator.server.http.serve import Server
from emulator.server.ingress import OnError
from emulator.server.request_log import OnRequest

if TYPE_CHECKING:
    import ssl

_OWN = "x-groundfog-"  # headers between front.js and here
_LOADS = "x-groundfog-loads"


class Serving(Protocol):
    """What is served; the supervisor has it."""

    loads: Loads

    @property
    def project_dir(self) -> Path: ...
    @property
    def generation(self) -> int: ...
    def failed_load(self) -> LoadError | None: ...
    async def front(self, request: FetchRequest) -> FetchReply | None: ...


class WorkerdDoor:
    """Owns the public sockets and the private one behind them. `app` answers both.

    tls: with which clients are answered as long as no generation runs.
    """

    def __init__(
        self, sockets: list[socket.socket], folder: Path, tls: ssl.SSLContext | None
    ) -> None:
        self.public = PublicSockets(sockets)
        self._tls = tls
        self.path = folder / "door.sock"
        self._private: Server | None = None
        self._public_server: Server | None = None
        self._app: ASGIApp | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.public.changed = self._changed

    async def start(self, app: ASGIApp) -> None:
        """Answer what workerd passes on. Raises EmulatorError."""
        self._app = app
        private = app if self._tls is None else _of_https(app)
        self._private = Server(private, [listen_privately(self.path)])
        await self._private.start()

    def serve_clients(self) -> None:
        """No generation serves: answer clients here until one does."""
        if self._public_server is None and self._app is not None:
            berth = self.public.chosen
            sockets = [each.dup() for each in berth.sockets]
            self._public_server = Server(self._app, sockets, tls=self._tls)
            self.public.is_served = True
            self._spawn(self._public_server.start())

    async def stop(self) -> None:
        """Stop listening; requests in progress have the usual time."""
        servers = [server for server in (self._public_server, self._private) if server is not None]
        self._public_server = self._private = None
        self.public.close()
        await asyncio.gather(*(server.stop() for server in servers))
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _changed(self, before: Berth) -> None:
        """A generation serves now; before it, this server may have."""
        server, self._public_server = self._public_server, None
        if server is not None:
            self._spawn(self._leave(server, before))

    async def _leave(self, server: Server, berth: Berth) -> None:
        await asyncio.sleep(SWITCH_S)
        await server.stop()
        self.public.leave(berth)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _of_https(app: ASGIApp) -> ASGIApp:
    """Return `app` for requests that clients sent by HTTPS, and workerd passes on without."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        scheme = "wss" if scope["type"] == "websocket" else "https"
        await app({**scope, "scheme": scheme}, receive, send)

    return serve


class WorkerdQuestions:
    """Answers what the workers in workerd ask that is about no binding.

    tell: for the terminal. `serving` is set once it is there.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        on_error: OnError,
        on_request: OnRequest | None,
    ) -> None:
        self._tell = tell
        self._on_error = on_error
        self._on_request = on_request
        self.serving: Serving | None = None

    async def answer(
        self, path: str, stacks: Stacks, headers: Mapping[str, str], body: bytes
    ) -> HttpAnswer | StreamedAnswer:
        """Answer one request; see `failures.js` and `front.js`, which send them."""
        match path:
            case "/failed":
                return await self._failed(json.loads(body), stacks)
            case "/rejected":
                error = await _handler_error(json.loads(body)["error"], stacks)
                self._tell(f"in a promise given to waitUntil: {error.traceback or error}")
                return HttpAnswer(204, {}, b"")
            case "/front":
                return await self._front(headers)
            case "/navigation":
                return self._navigation(headers, stacks)
            case "/log":
                for method, target, status, duration_ms in json.loads(body):
                    if self._on_request is not None:
                        self._on_request(method, target, status, duration_ms)
                return HttpAnswer(204, {}, b"")
            case "/map":
                return HttpAnswer(200, {"content-type": "application/json"}, stacks.map or b"")
            case _:
                return HttpAnswer(404, {}, b"")

    async def _failed(self, about: dict[str, Any], stacks: Stacks) -> HttpAnswer:
        error = await _handler_error(about["error"], stacks)
        method, target = about["method"], about["target"]
        self._on_error(method, target, error)
        headers = [
            (name.encode(), value.encode("utf-8", "replace")) for name, value in about["headers"]
        ]
        return self._page(error, stacks, method, target, headers, still_serving=False)

    async def _front(self, headers: Mapping[str, str]) -> HttpAnswer | StreamedAnswer:
        """Answer a request before the worker does, or say that only the worker can."""
        asked = {name: value for name, value in headers.items() if not name.startswith(_OWN)}
        asked["host"] = urlsplit(headers["x-groundfog-url"]).netloc
        url, method = headers["x-groundfog-url"], headers["x-groundfog-method"]
        request = FetchRequest(method, url, list(asked.items()))
        reply = await self.serving.front(request) if self.serving is not None else None
        if reply is None:
            return HttpAnswer(204, {"x-groundfog-none": "1"}, b"")
        return StreamedAnswer(reply.status, reply.headers, reply.body)

    def _navigation(self, headers: Mapping[str, str], stacks: Stacks) -> HttpAnswer:
        failed = self.serving.failed_load() if self.serving is not None else None
        if failed is None:
            return HttpAnswer(204, {_LOADS: str(self._loads(stacks))}, b"")
        accept = [(b"accept", headers.get("accept", "").encode("latin-1", "replace"))]
        target = headers.get(f"{_OWN}target", "/")
        return self._page(failed, stacks, "GET", target, accept, still_serving=True)

    def _page(
        self,
        error: EmulatorError,
        stacks: Stacks,
        method: str,
        target: str,
        headers: RawHeaders,
        *,
        still_serving: bool,
    ) -> HttpAnswer:
        from emulator.server import error_page

        told = None
        if self.serving is not None:
            told = error_page.Serving(self.serving.project_dir, self._loads(stacks))
        raw, body = error_page.answer(
            error, method, target, headers, told, still_serving=still_serving
        )
        return HttpAnswer(500, {name.decode(): value.decode() for name, value in raw}, body)

    def _loads(self, stacks: Stacks) -> int:
        """Return how often code was loaded when this generation began to serve.

        A connection that is kept alive may lead to the generation before, for a moment: its page
        loads again at once.
        """
        if self.serving is None:
            return 0
        is_new = stacks.generation == self.serving.generation
        return self.serving.loads.count if is_new else self.serving.loads.count - 1


async def _handler_error(told: dict[str, Any], stacks: Stacks) -> HandlerError:
    stack = told.get("stack") or ""
    cause = told.get("cause")
    while stack and isinstance(cause, dict):
        stack += f"\nCaused by: {cause.get('stack') or cause.get('message', '')}"
        cause = cause.get("cause")
    traceback = await asyncio.to_thread(stacks.mapped, stack) if stack else ""
    return HandlerError(str(told["name"]), str(told["message"]), traceback)
