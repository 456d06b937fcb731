"""uvicorn's WebSocket protocol for our server; imported when a client asks for a WebSocket."""

from __future__ import annotations

from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets import http11
from websockets.frames import CloseCode
from websockets.protocol import State

from emulator.server.http import head
from emulator.server.http.protocol import Connections

# `HttpProtocol` has already read this head, with its limits. With smaller limits here, a client
# with a long cookie would get no answer.
http11.MAX_LINE_LENGTH = head.HEADERS_MAX_BYTES + head.TARGET_MAX_BYTES
http11.MAX_NUM_HEADERS = head.HEADERS_MAX_COUNT


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

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.handshake_complete = self.close_sent = True
            self.transport.write(head.NOT_A_WEB_SOCKET.wire())
            self.transport.close()

    def send_receive_event_to_app(self) -> None:
        """Pass a message on. uvicorn would print a traceback for text that is not UTF-8.

        Such a connection is closed with 1007. Source: RFC 6455 section 8.1.
        """
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                if self.conn.state is State.OPEN:  # the client may have closed it right after that
                    self.conn.send_close(CloseCode.INVALID_DATA)
                    self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message of the worker. If the connection was closed as wrong, ignore the message;
        uvicorn would print a traceback.
        """
        failed = self.close_sent and self.handshake_complete and self.initial_response is None
        if failed:
            raise ClientDisconnected
        await super().send(message)

    def abort(self) -> None:
        """Close at once; bytes that the client has not taken are lost."""
        self.transport.abort()
