"""A client's WebSocket: an HTTP request that may be answered with 101, and its messages.

Everything before ingress treats the opening of a WebSocket as the GET request that it is, with one
log and one guard. This module translates to and from ASGI's messages for WebSockets.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, MutableMapping
from typing import Any, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulator.protocol import web_sockets as wire
from emulator.server.http.connection import CONNECTION, TARGET

WEB_SOCKET = "groundfog.web_socket"
WORKER_GONE = 1011  # RFC 6455: the server met a condition that prevents it from going on


class ClientSocket:
    """The client's end. Satisfies `connection.Connection` until the request is answered."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send

    def watch(self, on_lost: Callable[[], None] | None) -> None:
        """Do nothing: `messages` ends when the client goes away."""

    def cut(self) -> None:
        """Do nothing: the answer to a refused socket closes the connection."""

    async def messages(self) -> AsyncIterator[bytes]:
        """Yield the client's messages, encoded by `protocol/web_sockets.py`."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                if "reason" in message:  # closed by the client; a broken connection has no reason
                    yield wire.encode_close(_sendable(message["code"]), message["reason"] or "")
                return
            if message.get("text") is not None:
                yield wire.encode(wire.TEXT, message["text"].encode())
            else:
                yield wire.encode(wire.BINARY, message["bytes"])

    async def deliver(self, body: AsyncIterator[bytes]) -> None:
        """Send the worker's messages to the client, to the end. Raises the errors of `body`."""
        decoder = wire.Decoder()
        async for piece in body:
            for kind, payload in decoder.feed(piece):
                if kind == wire.CLOSE:
                    await self.close(*wire.close_of(payload))
                elif kind == wire.TEXT:
                    await self._send({"type": "websocket.send", "text": payload.decode()})
                else:
                    await self._send({"type": "websocket.send", "bytes": payload})

    async def close(self, code: int, reason: str) -> None:
        """Close the socket."""
        sendable = _sendable(code) or 1000
        await self._send({"type": "websocket.close", "code": sendable, "reason": reason})


def socket_of(scope: MutableMapping[str, Any]) -> ClientSocket | None:
    """Return the WebSocket that a request asks for, or None."""
    return cast("ClientSocket | None", scope.get(WEB_SOCKET))


def as_request(app: ASGIApp) -> ASGIApp:
    """Return `app`, which knows HTTP only, as an app that also gets WebSockets."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()  # websocket.connect
            await app(_request_scope(scope, receive, send), _no_body, _answering(send))
        else:
            await app(scope, receive, send)

    return serve


def _request_scope(scope: Scope, receive: Receive, send: Send) -> Scope:
    target = scope["raw_path"]
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    socket = ClientSocket(receive, send)
    return {
        **scope,
        "type": "http",
        "method": "GET",
        "scheme": "https" if scope["scheme"] == "wss" else "http",
        TARGET: target,
        CONNECTION: socket,
        WEB_SOCKET: socket,
    }


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def _answering(send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 101:
            await send({"type": "websocket.accept", "headers": message["headers"]})
        else:
            await send({**message, "type": f"websocket.{message['type']}"})

    return answer


def _sendable(code: int) -> int | None:
    """Return a close code if it may be sent in a message, else None."""
    return None if code in (wire.NO_STATUS, wire.ABNORMAL) else code
