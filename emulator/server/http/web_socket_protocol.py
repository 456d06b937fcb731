"""uvicorn's WebSocket protocol, as our server runs it; imported when a client asks for one."""

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

# `HttpProtocol` has read and limited this very head before. Tighter limits here would leave a
# client with a long cookie without an answer.
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
        """Hand a message on. uvicorn would print a traceback for text that is not UTF-8.

        Such a connection is failed with 1007. Source: RFC 6455 section 8.1.
        """
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                if self.conn.state is State.OPEN:  # the client may have said goodbye right after it
                    self.conn.send_close(CloseCode.INVALID_DATA)
                    self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    async def send(self, message: ASGISendEvent) -> None:
        """Take what the worker sends. Once the connection was failed, nobody is there to hear it;
        uvicorn would print a traceback.
        """
        failed = self.close_sent and self.handshake_complete and self.initial_response is None
        if failed:
            raise ClientDisconnected
        await super().send(message)

    def abort(self) -> None:
        """Close at once, dropping what the client has not taken yet."""
        self.transport.abort()
