"""`js.WebSocketPair` and its two `WebSocket`s: events for user code, messages for the exchange.

A pair is two ends of one pipe inside the guest. User code keeps one and accepts it, and returns the
other in a Response, which couples it to the client's connection.
Source: docs/platform/hosting.md, "WebSockets"; docs/platform/python-workers.md, "WebSockets".
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ...protocol import web_sockets as wire
from . import conversion, scope, tracebacks
from .sdk.javascript.buffers import ArrayBuffer, bytes_of
from .sdk.jserror import JsException
from .sdk.jsobject import JsObject
from .sdk.jsproxy import JsArrayProxy, call_with

ATTACHMENT_MAX_BYTES = 16_384
_EVENTS = ("message", "close", "error")
_FORBIDDEN_CODES = frozenset({1004, 1005, 1006, 1015})


class HandedOver(Protocol):
    """What the host has of a socket."""

    name: str

    def send(self, kind: int, payload: bytes) -> None:
        """Send a message to the client."""
        ...

    def attach(self, attachment: bytes) -> None:
        """Keep a value, in tagged JSON."""
        ...


class Event:
    """What a listener is given: `type`, and the attributes of its kind."""

    def __init__(self, type: str, **attributes: Any) -> None:
        self.type = type
        self.__dict__.update(attributes)

    def __repr__(self) -> str:
        return f"<{self.type} event {self.__dict__}>"


class WebSocket(JsObject):
    """One end of a pair. Events wait until `accept` is called. `outgoing_sockets` adds `new`."""

    READY_STATE_CONNECTING = CONNECTING = 0
    READY_STATE_OPEN = OPEN = 1
    READY_STATE_CLOSING = CLOSING = 2
    READY_STATE_CLOSED = CLOSED = 3

    def __init__(self) -> None:
        self.readyState = self.OPEN
        self.binaryType = "arraybuffer"
        self.url: str | None = None
        self.protocol: str | None = None
        self.extensions = None
        self.onopen: Any = None
        self.onmessage: Any = None
        self.onclose: Any = None
        self.onerror: Any = None
        self._peer: WebSocket = self
        self._accepted = False
        self._coupled: asyncio.Queue[tuple[int, bytes] | None] | None = None
        self._close_sent = self._close_received = False
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._listeners: dict[str, list[Callable[[Event], Any]]] = {}
        self._attachment: bytes | None = None
        self.handed_over: HandedOver | None = None

    # --- what user code calls

    def accept(self, options: Any = None) -> None:
        """Begin to receive events here."""
        if self.handed_over is not None:
            raise JsException("Can't accept() WebSocket after enabling hibernation.", "TypeError")
        if self._coupled is not None:
            raise JsException(
                "Can't accept() WebSocket that was already used in a response.", "TypeError"
            )
        if not self._accepted:
            self._accepted = True
            waiting, self._waiting = self._waiting, deque()
            for kind, payload in waiting:
                asyncio.get_running_loop().call_soon(self._dispatch, kind, payload)

    def send(self, message: Any) -> None:
        """Send text, or bytes of any kind."""
        self._check_open("send")
        if isinstance(message, str):
            kind, payload = wire.TEXT, message.encode()
        elif (data := bytes_of(message)) is not None:
            kind, payload = wire.BINARY, data
        else:
            raise JsException(
                f"WebSocket send() takes a str or bytes, not {type(message).__name__}", "TypeError"
            )
        if len(payload) > wire.MESSAGE_MAX_BYTES:
            raise JsException(
                f"Message is too large: {len(payload)} bytes; the limit is 32 MiB", "RangeError"
            )
        self._deliver(kind, payload)

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the connection. Raises JsException for a code that may not be sent."""
        if code is not None and (not 1000 <= code < 5000 or code in _FORBIDDEN_CODES):
            raise JsException(f"Invalid WebSocket close code: {code}.", "InvalidAccessError")
        if reason and code is None:
            raise JsException(
                "If you specify a WebSocket close reason, you must also specify a code.",
                "TypeError",
            )
        if self._close_sent:
            return
        self._check_accepted()
        self._close_sent = True
        self.readyState = self.CLOSED if self.readyState == self.CLOSING else self.CLOSING
        self._deliver(wire.CLOSE, wire.encode_close(code, reason or "")[5:])

    def addEventListener(self, type: str, listener: Any, options: Any = None) -> None:
        """Call `listener(event)` for every event of `type`."""
        self._listeners.setdefault(type, []).append(listener)

    def removeEventListener(self, type: str, listener: Any, options: Any = None) -> None:
        """Stop calling `listener`."""
        listeners = self._listeners.get(type, [])
        if listener in listeners:
            listeners.remove(listener)

    def serializeAttachment(self, attachment: Any) -> None:
        """Keep a copy of a value with the socket."""
        data = conversion.encode(attachment)
        if len(data) > ATTACHMENT_MAX_BYTES:
            raise JsException(
                f"A WebSocket 'attachment' cannot be larger than {ATTACHMENT_MAX_BYTES} bytes. "
                f"'attachment' was {len(data)} bytes."
            )
        self._attachment = data
        if self.handed_over is not None:
            self.handed_over.attach(data)

    def deserializeAttachment(self) -> Any:
        """Return a copy of the value kept with the socket, None when there is none."""
        return None if self._attachment is None else conversion.decode(self._attachment)

    def hand_over(self, far: HandedOver, attachment: bytes | None = None) -> None:
        """Let the host have the messages of this socket; events of its object bring them."""
        if self._accepted:
            raise JsException("Tried to acceptWebSocket() on one that was accepted.", "TypeError")
        self.handed_over, self._accepted = far, True
        if attachment is not None:
            self._attachment = attachment
        elif self._attachment is not None:
            far.attach(self._attachment)

    # --- what the pair and the exchange do

    def couple(self) -> asyncio.Queue[tuple[int, bytes] | None]:
        """Become the client's connection; return what is to be sent to it, None at the end.

        Raises JsException when the socket is in use here, or was returned before.
        """
        if self._coupled is not None:
            raise JsException(
                "Can't return WebSocket that was already used in a response.", "TypeError"
            )
        if self._accepted:
            raise JsException(
                "Can't return WebSocket in a Response after calling accept().", "TypeError"
            )
        self._coupled = asyncio.Queue()
        for message in self._waiting:
            self._coupled.put_nowait(message)
        self._waiting.clear()
        return self._coupled

    def from_client(self, kind: int, payload: bytes) -> None:
        """Pass on what the client has sent."""
        self._peer.receive(kind, payload)

    def disconnected(self) -> None:
        """Tell the other end that the client is gone, unless the client has closed."""
        self._peer.lose()
        if self._coupled is not None:
            self._coupled.put_nowait(None)

    def receive(self, kind: int, payload: bytes) -> None:
        """Take a message in: for the client, for a listener, or for later."""
        if self._coupled is not None:
            self._coupled.put_nowait((kind, payload))
        elif self._accepted:
            self._dispatch(kind, payload)
        else:
            self._waiting.append((kind, payload))

    def lose(self) -> None:
        """The connection broke: events of an error and of a close, unless it was closed before."""
        if self._coupled is not None:
            self._coupled.put_nowait(None)
            return
        if self.readyState in (self.OPEN, self.CLOSING) and not self._close_received:
            text = "WebSocket disconnected between frames without sending `Close`."
            self.readyState = self.CLOSED
            self.tell(Event("error", message=text, error=JsException(text)))
            self.tell(Event("close", code=wire.ABNORMAL, reason=text, wasClean=False))

    @property
    def peer(self) -> WebSocket:
        """The other end of its pair."""
        return self._peer

    def _deliver(self, kind: int, payload: bytes) -> None:
        if self.handed_over is not None:
            self.handed_over.send(kind, payload)
        else:
            self._peer.receive(kind, payload)

    def _dispatch(self, kind: int, payload: bytes) -> None:
        if kind == wire.CLOSE:
            code, reason = wire.close_of(payload)
            self._close_received = True
            self.readyState = self.CLOSED if self._close_sent else self.CLOSING
            self.tell(Event("close", code=code, reason=reason, wasClean=True))
        elif kind == wire.TEXT:
            self.tell(Event("message", data=payload.decode()))
        else:
            self.tell(Event("message", data=ArrayBuffer(payload)))

    def tell(self, event: Event) -> None:
        """Call the listeners of an event."""
        own = getattr(self, f"on{event.type}")
        for listener in [*([own] if own is not None else []), *self._listeners.get(event.type, [])]:
            try:
                result = call_with(listener, event)
            except Exception as error:  # one listener's failure is not the next one's
                tracebacks.print_error(error)
                continue
            if inspect.isawaitable(result):
                scope.current().wait_until(result)

    def _check_open(self, method: str) -> None:
        if self._close_sent:
            raise JsException(f"Can't call WebSocket {method}() after close().", "TypeError")
        self._check_accepted()

    def _check_accepted(self) -> None:
        if not self._accepted:
            raise JsException(
                "You must call accept() on this WebSocket before sending messages.", "TypeError"
            )


class WebSocketPair(JsObject):
    """Two connected sockets: `client, server = WebSocketPair.new().object_values()`."""

    def __init__(self) -> None:
        self._ends = WebSocket(), WebSocket()
        first, second = self._ends
        first._peer, second._peer = second, first

    @staticmethod
    def new() -> WebSocketPair:
        """Return a new pair."""
        return WebSocketPair()

    def object_values(self) -> Any:
        """Return both ends."""
        return JsArrayProxy(list(self._ends), "WebSocketPair")

    def object_keys(self) -> Any:
        """Return their names."""
        return JsArrayProxy(["0", "1"], "WebSocketPair")

    def object_entries(self) -> Any:
        """Return names and ends."""
        return JsArrayProxy([list(pair) for pair in zip("01", self._ends, strict=True)], "entries")

    def __iter__(self) -> Iterator[WebSocket]:
        return iter(self._ends)

    def __getitem__(self, key: int | str) -> WebSocket:
        return self._ends[int(key)]

    def __getattr__(self, name: str) -> WebSocket:
        if name in ("0", "1"):
            return self._ends[int(name)]
        raise AttributeError(name)


for _class in (WebSocket, WebSocketPair, Event):
    _class.__module__ = "js"
