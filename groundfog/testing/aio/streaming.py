"""Answers that are read piece by piece: streams, and WebSockets."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any

from groundfog.testing.errors import RefusedError, WebSocketClosed
from groundfog.testing.guest_code import module
from groundfog.testing.opened import Opened
from groundfog.testing.response import Headers
from groundfog.testing.sending import Sending

__tracebackhide__ = True  # pytest shows the line of the test, not ours


class AsyncStream:
    """An answer whose body is read piece by piece; a context manager that sends the request."""

    def __init__(
        self, opened: Opened, sending: Sending, timeout_ms: int, *, web_socket: bool = False
    ) -> None:
        self._opened = opened
        self._sending = sending
        self._timeout_ms = timeout_ms
        self._is_socket = web_socket
        self._id = 0
        self.status_code = 0
        self.headers = Headers([])

    async def read_piece(self) -> bytes | None:
        """Return the next bytes of the body as they come; None at its end. Raises WaitTimeout."""
        found: bytes | None = await self._ask("conversation.piece", timeout_ms=self._timeout_ms)
        return found

    async def read(self) -> bytes:
        """Return the rest of the body."""
        pieces = []
        while (piece := await self.read_piece()) is not None:
            pieces.append(piece)
        return b"".join(pieces)

    async def _ask(self, what: str, **args: Any) -> Any:
        number = self._opened.number
        return await self._opened.link.asking(number, what, id=self._id, **args)

    async def _open(self) -> None:
        args = {**self._sending.args(self._timeout_ms), "web_socket": self._is_socket}
        found = await self._opened.link.asking(self._opened.number, "conversation.open", **args)
        self._id, self.status_code = found["id"], found["status"]
        self.headers = Headers([(name, value) for name, value in found["headers"]])

    async def __aenter__(self) -> AsyncStream:
        await self._open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._ask("conversation.close")


class AsyncWebSocket(AsyncStream):
    """A WebSocket of the worker; a context manager that opens it.

    close_code and close_reason are None and "" until the worker has closed it.
    """

    def __init__(self, opened: Opened, sending: Sending, timeout_ms: int) -> None:
        super().__init__(opened, sending, timeout_ms, web_socket=True)
        self._wire = module("protocol.web_sockets")
        self._decoder = self._wire.Decoder()
        self._came: list[tuple[int, bytes]] = []
        self.close_code: int | None = None
        self.close_reason = ""

    async def send(self, message: str | bytes) -> None:
        """Send text or bytes. Raises WebSocketClosed when the worker has closed it."""
        self._refuse_closed()
        if isinstance(message, str):
            await self._say(self._wire.encode(self._wire.TEXT, message.encode()))
        else:
            await self._say(self._wire.encode(self._wire.BINARY, bytes(message)))

    async def send_json(self, value: Any) -> None:
        """Send a value as the text of its JSON."""
        await self.send(json.dumps(value, ensure_ascii=False))

    async def receive(self) -> str | bytes:
        """Return the next message. Raises WebSocketClosed at the end, WaitTimeout without one."""
        while not self._came:
            self._refuse_closed()
            piece = await self.read_piece()
            if piece is None:
                self.close_code = self._wire.ABNORMAL
            else:
                self._came += self._decoder.feed(piece)
        kind, payload = self._came.pop(0)
        if kind == self._wire.CLOSE:
            self.close_code, self.close_reason = self._wire.close_of(payload)
            self._refuse_closed()
        return payload.decode() if kind == self._wire.TEXT else payload

    async def receive_json(self) -> Any:
        """Return the value of the next message, which is JSON."""
        return json.loads(await self.receive())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it from this side."""
        await self._say(self._wire.encode_close(code, reason))

    async def _say(self, data: bytes) -> None:
        await self._ask("conversation.say", data=data)

    def _refuse_closed(self) -> None:
        if self.close_code is not None:
            text = f"The WebSocket was closed: {self.close_code} {self.close_reason}".rstrip()
            raise WebSocketClosed(text, self.close_code, self.close_reason)

    async def __aenter__(self) -> AsyncWebSocket:
        await self._open()
        if self.status_code != 101:
            text = (await self.read()).decode(errors="replace")
            raise RefusedError(
                f"{self._sending.url} was answered with {self.status_code}, not with a WebSocket:"
                f" {text[:200]}"
            )
        return self
