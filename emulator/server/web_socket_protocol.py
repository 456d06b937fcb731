"""uvicorn's WebSocket protocol, as our server runs it; imported when a client asks for one."""

from __future__ import annotations

from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from emulator.server.http_protocol import Connections


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One client's WebSocket. It counts as a connection of the server until it is gone."""

    def __init__(
        self, config: Config, server_state: Connections, app_state: dict[str, Any]
    ) -> None:
        super().__init__(config, server_state, app_state)
        self._state = server_state

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._state.note_end()

    def abort(self) -> None:
        """Close at once, dropping what the client has not taken yet."""
        self.transport.abort()
