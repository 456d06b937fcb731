"""WebSockets to other servers: `js.WebSocket.new(url)`, and `fetch` with an `upgrade` header.

User code has one end of a pair; the other end is coupled to the connection. Source: RFC 6455.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import ssl
import struct
from typing import Any
from urllib.parse import urlsplit

from ...protocol import web_sockets as wire
from . import scope
from .sdk.jserror import JsException
from .web_sockets import Event, WebSocket, WebSocketPair

Headers = list[tuple[str, str]]
_PING, _PONG, _LAST, _MASKED = 9, 10, 0x80, 0x80
_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_OWN = ("host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version")
_SHORT_MAX, _MEDIUM_MAX, _MEDIUM, _LONG = 125, 65_535, 126, 127


class Connection:
    """A connection that has become a WebSocket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.status = 0
        self.headers: Headers = []
        self._reader = reader
        self._writer = writer

    @property
    def protocol(self) -> str:
        """The protocol that the server has chosen."""
        return dict(self.headers).get("sec-websocket-protocol", "")

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()

    async def shake_hands(self, target: str, host: str, headers: Headers) -> None:
        """Ask for a WebSocket. Raises JsException if the server declines."""
        key = base64.b64encode(os.urandom(16))
        own = [("host", host), ("upgrade", "websocket"), ("connection", "Upgrade")]
        own += [("sec-websocket-key", key.decode()), ("sec-websocket-version", "13")]
        sent = [*own, *(pair for pair in headers if pair[0].lower() not in _OWN)]
        lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent), "", ""]
        self._writer.write("\r\n".join(lines).encode("latin-1"))
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *rest = answer.split("\r\n")
        self.status = int(first.split(" ")[1])
        pairs = (line.partition(":") for line in rest if line)
        self.headers = [(name.strip().lower(), value.strip()) for name, _, value in pairs]
        accept = base64.b64encode(hashlib.sha1(key + _KEY).digest()).decode()
        if self.status != 101 or dict(self.headers).get("sec-websocket-accept") != accept:
            text = f"WebSocket handshake failed: the server answered with status {self.status}."
            raise JsException(text, "TypeError")

    async def send(self, kind: int, payload: bytes) -> None:
        """Send a message. Raises OSError."""
        length = len(payload)
        if length <= _SHORT_MAX:
            head = struct.pack(">BB", _LAST | kind, _MASKED | length)
        elif length <= _MEDIUM_MAX:
            head = struct.pack(">BBH", _LAST | kind, _MASKED | _MEDIUM, length)
        else:
            head = struct.pack(">BBQ", _LAST | kind, _MASKED | _LONG, length)
        mask = os.urandom(4)
        self._writer.write(head + mask + _masked(payload, mask))
        await self._writer.drain()

    async def receive(self) -> tuple[int, bytes]:
        """Return the next message, a close too. Raises OSError or EOFError when it breaks."""
        kind, parts = 0, b""
        while True:
            last, found, payload = await self._frame()
            if found == _PING:
                await self.send(_PONG, payload)
            elif found == wire.CLOSE:
                return found, payload
            elif found != _PONG:
                kind, parts = found or kind, parts + payload
                if len(parts) > wire.MESSAGE_MAX_BYTES:
                    raise OSError("a message of the server is larger than 32 MiB")
                if last:
                    return kind, parts

    async def _frame(self) -> tuple[bool, int, bytes]:
        first, second = await self._reader.readexactly(2)
        length = second & _LONG
        if length == _MEDIUM:
            (length,) = struct.unpack(">H", await self._reader.readexactly(2))
        elif length == _LONG:
            (length,) = struct.unpack(">Q", await self._reader.readexactly(8))
        if length > wire.MESSAGE_MAX_BYTES:
            raise OSError("a message of the server is larger than 32 MiB")
        return bool(first & _LAST), first & 0x0F, await self._reader.readexactly(length)


async def connect(url: str, headers: Headers) -> Connection:
    """Open a WebSocket. Raises OSError, or JsException for a server that declines."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise JsException(f"WebSocket cannot connect to: {url}", "SyntaxError")
    secure = parts.scheme in ("https", "wss")
    port = parts.port or _PORTS[parts.scheme]
    context = ssl.create_default_context() if secure else None
    streams = await asyncio.open_connection(
        parts.hostname, port, ssl=context, server_hostname=parts.hostname if secure else None
    )
    connection = Connection(*streams)
    target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
    try:
        await connection.shake_hands(target, parts.netloc.rpartition("@")[2], headers)
    except BaseException as error:
        connection.close()
        if isinstance(error, EOFError):
            raise OSError(f"{url}: the server closed the connection") from None
        raise
    return connection


async def converse(connection: Connection, far: WebSocket) -> None:
    """Pass messages between a connection and the end of a pair, until one of them closes."""
    messages = far.couple()

    async def send() -> None:
        while (message := await messages.get()) is not None:
            await connection.send(*message)

    sending = asyncio.ensure_future(send())
    try:
        kind = 0
        while kind != wire.CLOSE:
            kind, payload = await connection.receive()
            far.from_client(kind, payload)
        await connection.send(wire.CLOSE, payload[:2])
    except (OSError, EOFError):
        far.disconnected()
    finally:
        sending.cancel()
        connection.close()


async def opened(url: str, headers: Headers) -> tuple[Connection, WebSocket]:
    """Open a WebSocket for `fetch`: return it, and the socket that user code accepts."""
    connection = await connect(url, headers)
    near, far = WebSocketPair()
    _keep(converse(connection, far))
    return connection, near


def new(url: Any, protocols: Any = None) -> WebSocket:
    """`WebSocket.new(url, protocols)`: the socket tells `open` when it is."""
    scope.current()
    near, far = WebSocketPair()
    near.url, near.readyState = str(url), WebSocket.CONNECTING
    near.accept()
    names = [protocols] if isinstance(protocols, str) else list(protocols or ())
    headers = [("sec-websocket-protocol", ", ".join(names))] if names else []
    if urlsplit(str(url)).scheme not in _PORTS:
        raise JsException(f"Invalid url for WebSocket: {url}", "SyntaxError")
    _keep(_open(near, far, headers))
    return near


async def _open(near: WebSocket, far: WebSocket, headers: Headers) -> None:
    try:
        connection = await connect(str(near.url), headers)
    except (OSError, JsException) as error:
        near.readyState = WebSocket.CLOSED
        near.tell(Event("error", message=str(error), error=error))
        near.tell(Event("close", code=wire.ABNORMAL, reason=str(error), wasClean=False))
        return
    near.readyState, near.protocol = WebSocket.OPEN, connection.protocol
    near.tell(Event("open"))
    await converse(connection, far)


def _keep(work: Any) -> None:
    task = asyncio.ensure_future(work)
    _open_now.add(task)
    task.add_done_callback(_open_now.discard)


def _masked(payload: bytes, mask: bytes) -> bytes:
    if not payload:
        return b""
    repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
    number = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return number.to_bytes(len(payload), "big")


_open_now: set[asyncio.Task[Any]] = set()
type.__setattr__(WebSocket, "new", staticmethod(new))
