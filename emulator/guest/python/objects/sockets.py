"""WebSockets that an object has handed over to the host: they stay when the instance is forgotten.

Source: docs/platform/durable-objects.md, "WebSockets".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....protocol import values
from ....protocol import web_sockets as wire
from ....protocol.message import Message
from ....protocol.objects import SocketCall
from ..sdk.javascript.buffers import ArrayBuffer
from ..sdk.javascript.dates import Date
from ..sdk.jserror import JsException
from ..sdk.jsobject import JsObject, array_of
from ..sdk.jsproxy import plain
from ..web_sockets import WebSocket

TAGS_MAX, TAG_MAX_CHARS = 10, 256
AUTO_MAX_CHARS = 2048


class WebSocketRequestResponsePair(JsObject):
    """A text, and the text that answers it while the object is not in memory."""

    def __init__(self, request: Any, response: Any) -> None:
        for text in (request, response):
            if len(str(text)) > AUTO_MAX_CHARS:
                raise JsException(
                    f"Request and response cannot be longer than {AUTO_MAX_CHARS} characters.",
                    "RangeError",
                )
        self.request = str(request)
        self.response = str(response)


class Sockets:
    """The handed over sockets of one object, by name. send: sends when writes are committed."""

    def __init__(self, number: int, send: Callable[[Message], None], payload: bytes) -> None:
        self._number = number
        self._send = send
        self._count = 0
        self._open: dict[str, tuple[WebSocket, _Far]] = {}
        stored = values.decode(payload) or {"sockets": [], "auto": None}
        for name, tags, attachment, answered_ms in stored["sockets"]:
            socket, far = WebSocket(), self._far(name, tags)
            far.answered_ms = answered_ms
            socket.hand_over(far, None if attachment is None else attachment.encode())
            self._open[name] = socket, far
        auto = stored["auto"]
        self._auto = None if auto is None else WebSocketRequestResponsePair(*auto)

    def accept(self, socket: Any, tags: Any = None) -> None:
        """Hand a socket over. Raises JsException."""
        if not isinstance(socket, WebSocket):
            raise JsException("acceptWebSocket() needs a WebSocket.", "TypeError")
        texts = [str(tag) for tag in array_of(plain(tags) if tags is not None else None)]
        if len(texts) > TAGS_MAX:
            raise JsException(f"a Hibernatable WebSocket cannot have more than {TAGS_MAX} tags")
        if any(len(tag) > TAG_MAX_CHARS for tag in texts):
            text = f"a tag of a Hibernatable WebSocket is longer than {TAG_MAX_CHARS} characters"
            raise JsException(text)
        self._count += 1
        far = self._far(f"{self._number}.{self._count}", list(dict.fromkeys(texts)))
        self._say(far.name, "accept", values.encode(far.tags))
        socket.hand_over(far)
        self._open[far.name] = socket, far

    def having(self, tag: Any = None) -> list[WebSocket]:
        """Return the open sockets, those with this tag, or all."""
        wanted = None if tag is None else str(tag)
        return [
            socket for socket, far in self._open.values() if wanted is None or wanted in far.tags
        ]

    def tags(self, socket: Any) -> list[str]:
        """Return the tags of a socket. Raises JsException."""
        return list(self._far_of(socket).tags)

    def answer_by_itself(self, pair: Any = None) -> None:
        """Let the host answer one text with another; None ends that."""
        self._auto = pair
        texts = None if pair is None else [str(pair.request), str(pair.response)]
        self._say("", "auto_respond", values.encode(texts))

    @property
    def auto(self) -> Any:
        """What the host answers by itself."""
        return self._auto

    def answered(self, socket: Any) -> Date | None:
        """Return when the host last answered a socket by itself, before this instance was made."""
        answered_ms = self._far_of(socket).answered_ms
        return None if answered_ms is None else Date(answered_ms)

    def named(self, name: str) -> WebSocket:
        """Return an open socket. Raises JsException."""
        if name not in self._open:
            raise JsException("The WebSocket is closed.")
        return self._open[name][0]

    def forget(self, name: str) -> None:
        """A socket is closed."""
        found = self._open.pop(name, None)
        if found is not None:
            found[0].readyState = WebSocket.CLOSED

    def _far(self, name: str, tags: list[str]) -> _Far:
        def say(method: str, payload: bytes) -> None:
            self._say(name, method, payload)

        return _Far(name, tags, say)

    def _far_of(self, socket: Any) -> _Far:
        far = getattr(socket, "handed_over", None)
        if not isinstance(far, _Far):
            raise JsException("The WebSocket was not accepted by acceptWebSocket().", "TypeError")
        return far

    def _say(self, name: str, method: str, payload: bytes) -> None:
        self._send(SocketCall(self._number, name, method, payload))


class _Far:
    """What the host has of a socket. answered_ms: when it last answered by itself, if known."""

    def __init__(self, name: str, tags: list[str], say: Callable[[str, bytes], None]) -> None:
        self.name = name
        self.tags = tags
        self.answered_ms: int | None = None
        self._say = say

    def send(self, kind: int, payload: bytes) -> None:
        self._say("send", wire.encode(kind, payload))

    def attach(self, attachment: bytes) -> None:
        self._say("attach", attachment)


def message_of(content: Any) -> Any:
    """Return what `webSocketMessage` gets: text, or an ArrayBuffer."""
    return content if isinstance(content, str) else ArrayBuffer(bytes(content))


WebSocketRequestResponsePair.__module__ = "js"
