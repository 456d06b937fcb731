"""What workerd asks its host over a private unix socket: bindings, pages, source maps, news.

A plain HTTP server for one client that we trust, workerd. Each service of a configuration adds a
header that says who asks. `host_connection.py` has the bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from pathlib import Path

from bindings.http import json_answer
from emulator.errors import EmulatorError
from emulator.runner.workerd.host_connection import Answer, Body, Handler, HostConnection

log = logging.getLogger(__name__)

ASKER = "x-groundfog-asker"  # the header; workerd sets it, user code cannot


class HostServer:
    """Listens on a unix socket; `handlers` says who answers whom.

    streaming: askers whose handlers get the body as an async iterator, while it comes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.handlers: dict[str, Handler] = {}  # by asker
        self.streaming: set[str] = set()
        self._server: asyncio.Server | None = None
        self._connections: set[HostConnection] = set()

    async def start(self) -> None:
        """Begin to listen. Raises EmulatorError."""
        if self._server is None:
            listener = listen_privately(self.path)
            loop = asyncio.get_running_loop()
            self._server = await loop.create_unix_server(
                lambda: HostConnection(self._answer, self._streams, self._connections),
                sock=listener,
            )

    async def stop(self) -> None:
        """Close every connection: a client whose host is silent would wait for ever."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for connection in list(self._connections):
                connection.close()
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _streams(self, headers: dict[str, str]) -> bool:
        return headers.get(ASKER, "") in self.streaming

    async def _answer(
        self, method: str, target: str, headers: dict[str, str], body: Body
    ) -> Answer:
        asker = headers.get(ASKER, "")
        handler = self.handlers.get(asker)
        if handler is None:
            return json_answer(404, {"success": False, "error": f"nothing answers {asker!r}"})
        try:
            return await handler(method, target, headers, body)
        except EmulatorError as error:
            return json_answer(500, {"success": False, "error": str(error)})
        except Exception as error:  # a bug in one binding must not take other requests down
            log.exception("%s %s of %s failed inside Groundfog", method, target, asker)
            text = f"internal error in {asker}: {type(error).__name__}: {error}"
            return json_answer(500, {"success": False, "error": text})


def listen_privately(path: Path) -> socket.socket:
    """Return a listening unix socket that only this user may connect to. Raises EmulatorError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()  # a server that was killed leaves it
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.listen(1024)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise EmulatorError(f"{path}: cannot listen on it ({error.strerror or error}).") from error
    return listener
