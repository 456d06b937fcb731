"""One address on loopback for DevTools and editors, whatever generation of the code serves.

Each workerd has an inspector on a free port of loopback. This module passes debuggers on, and
answers only some: `Host` must be a name of this machine, so that no page reaches it by a name of
its own, and a browser's `Origin` must be one of DevTools.
Source: https://chromedevtools.github.io/devtools-protocol/ (HTTP Endpoints);
https://github.com/cloudflare/workers-sdk/tree/main/packages/wrangler/templates/startDevWorker.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from emulator.runner.debug_door import listening
from emulator.runner.debugging import Debugging
from emulator.runner.guest import Guest
from emulator.runner.workerd.inspector_session import InspectorSession

if TYPE_CHECKING:
    from collections.abc import Mapping

TARGET = "worker"  # the path of the one target
HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
ORIGINS = re.compile(
    r"devtools://devtools"
    r"|https://devtools\.devprod\.cloudflare\.dev"
    r"|https://(?:[a-z0-9]+-)?cloudflare-devtools\.devprod\.workers\.dev"
    r"|https://(?:[a-z0-9]+\.)?cloudflare-devtools\.pages\.dev"
    r"|https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?"
)
TOO_MANY = 1013


class InspectorDoor:
    """Listens from when it is made; answers once started. Raises EmulatorError."""

    def __init__(
        self, port: int, debugging: Debugging, serving: Callable[[], Guest | None], title: str
    ) -> None:
        self._debugging = debugging
        self._serving = serving
        self._title = title
        self._socket = listening(port, "--inspector-port", 9230)
        self.port: int = self._socket.getsockname()[1]
        self._server: Server | None = None
        self._is_taken = False

    async def start(self) -> None:
        """Let debuggers attach."""
        self._server = await serve(
            self._attached,
            sock=self._socket,
            process_request=self._answer,
            compression=None,
            max_size=None,
            ping_interval=None,
        )

    async def stop(self) -> None:
        """Let every debugger go."""
        self.discard()
        if self._server is not None:
            await self._server.wait_closed()

    def discard(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
        self._socket.close()

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a request that is no WebSocket, and one that is refused."""
        refused = _refusal(request.headers)
        if refused:
            return connection.respond(HTTPStatus.FORBIDDEN, f"{refused}\n")
        if "upgrade" in request.headers.get("connection", "").lower():
            return None
        match urlsplit(request.path).path:
            case "/json/version":
                told: object = {"Browser": "Groundfog", "Protocol-Version": "1.3"}
            case "/json" | "/json/list":
                told = [self._target(request.headers["host"])]
            case _:
                return connection.respond(HTTPStatus.NOT_FOUND, "/json lists what there is\n")
        response = connection.respond(HTTPStatus.OK, json.dumps(told))
        del response.headers["content-type"]
        response.headers["content-type"] = "application/json"
        return response

    def _target(self, host: str) -> dict[str, str]:
        address = f"{host}/{TARGET}"
        return {
            "id": TARGET,
            "title": self._title,
            "description": "a worker in Groundfog",
            "type": "node",
            "url": f"file:///{self._title}",
            "webSocketDebuggerUrl": f"ws://{address}",
            "devtoolsFrontendUrl": devtools_url(address),
            "faviconUrl": "",
        }

    async def _attached(self, connection: ServerConnection) -> None:
        if self._is_taken:
            await connection.close(TOO_MANY, "Another debugger is attached; only one can be.")
            return
        self._is_taken = True
        try:
            await InspectorSession(connection, self._debugging, self._serving).run()
        finally:
            self._is_taken = False


def devtools_url(address: str) -> str:
    """Return where Chrome's DevTools for a target at this address are."""
    return f"devtools://devtools/bundled/js_app.html?v8only=true&ws={address}"


def _refusal(headers: Mapping[str, str]) -> str:
    """Return why a request is refused; "" if it is not."""
    try:
        name = urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        name = None
    if name not in HOSTS:
        return "The Host of this request is not a name of this machine."
    origin = headers.get("origin")  # every browser sends it with a WebSocket; programs do not
    if origin is not None and not ORIGINS.fullmatch(origin):
        return "The Origin of this request is not one of DevTools."
    return ""
