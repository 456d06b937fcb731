"""Runs the ASGI app on sockets that already listen. Owns only start and stop.

It uses uvicorn's protocol for HTTP, but not its `Server`, which installs signal handlers, wakes ten
times a second, and waits by sleeping.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from starlette.types import ASGIApp
from uvicorn.config import Config

from emulator.protocol.web_sockets import MESSAGE_MAX_BYTES
from emulator.server.http import head
from emulator.server.http.listen import BACKLOG
from emulator.server.http.protocol import Connections, HttpProtocol

if TYPE_CHECKING:
    import ssl

    from emulator.server.http.web_socket_protocol import WebSocketProtocol

# How long requests in progress may take when the server stops.
GRACEFUL_STOP_S = 3.0
# How long cancelled requests may take to clean up after that time.
CANCEL_S = 1.0
# How long an idle connection is kept open; browsers and clients do it for about the same time.
KEEP_ALIVE_S = 75


def _web_socket_protocol(**arguments: Any) -> asyncio.Protocol:
    """Return the protocol of a connection that becomes a WebSocket; imported only then."""
    from emulator.server.http.web_socket_protocol import WebSocketProtocol

    return WebSocketProtocol(**arguments)


class Server:
    """Serves `app` on `sockets` (from `listen.bind`), which it owns from now on.

    head_limit_s: how long the head of a request may take to arrive. tls: for HTTPS.
    """

    def __init__(
        self,
        app: ASGIApp,
        sockets: Sequence[socket.socket],
        *,
        head_limit_s: float = head.LIMIT_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._head_limit_s = head_limit_s
        self._tls = tls
        self._sockets = list(sockets)
        # uvicorn warns of wrong requests. The client gets an error; the terminal need not.
        self._config = Config(
            app,
            http=HttpProtocol,
            ws=_web_socket_protocol,  # type: ignore[arg-type]
            ws_max_size=MESSAGE_MAX_BYTES,
            ws_ping_interval=None,  # a client that stops at a breakpoint does not answer pings
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level=logging.ERROR,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        self._connections = Connections()
        self._servers: list[asyncio.Server] = []

    async def start(self) -> tuple[str, int]:
        """Start to accept connections; return the first socket's address and port.

        Of a unix socket that is its path and 0.
        """
        self._config.load()
        loop = asyncio.get_running_loop()
        for listener in self._sockets:
            server = await loop.create_server(
                self._protocol, sock=listener, backlog=BACKLOG, ssl=self._tls
            )
            self._servers.append(server)
        address = self._sockets[0].getsockname()
        return (address, 0) if isinstance(address, str) else (str(address[0]), int(address[1]))

    async def stop(self) -> None:
        """Accept no more connections, wait GRACEFUL_STOP_S for requests, then cancel the rest."""
        for server in self._servers:
            server.close()
        for listener in self._sockets:
            listener.close()
        for connection in self._open():
            connection.shutdown()
        if not await self._all_gone(GRACEFUL_STOP_S):
            for connection in self._open():
                connection.abort()
            if not await self._all_gone(CANCEL_S):
                for task in list(self._connections.tasks):
                    task.cancel("the server stops")
        for server in self._servers:
            await server.wait_closed()

    def _protocol(self) -> HttpProtocol:
        protocol = HttpProtocol(self._config, self._connections, {})
        protocol.head_limit_s = self._head_limit_s
        return protocol

    def _open(self) -> list[HttpProtocol | WebSocketProtocol]:
        return cast("list[HttpProtocol | WebSocketProtocol]", list(self._connections.connections))

    async def _all_gone(self, timeout_s: float) -> bool:
        """Wait until no connection and no request is left; return False if that takes too long."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._connections.empty.wait()
                while self._connections.tasks:
                    await asyncio.wait(set(self._connections.tasks))
        except TimeoutError:
            return False
        return True
