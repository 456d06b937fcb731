"""A request to a worker and its reply, as the layers above see them; bodies are streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from msgspec import Struct, field

from emulator.errors import EmulatorError, GuestError


class FetchRequest(Struct, frozen=True):
    """An HTTP request for the worker. Header order and repeats are kept; names as received.

    With `web_socket`, the client asks for a WebSocket: its messages are `body`, and the `body` of a
    reply with status 101 (`protocol/web_sockets.py`). entrypoint, props,
    object, depth, durable: see `RpcRequest`.
    """

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: AsyncIterator[bytes] | None = None
    web_socket: bool = False
    entrypoint: str = ""
    props: Mapping[str, Any] = field(default_factory=dict)
    object: int = 0
    depth: int = 0
    durable: str = ""


class FetchReply(Struct, frozen=True):
    """The worker's answer. `body` must be read to its end, or `close` called.

    Iterating `body` raises HandlerError when the worker cut it off. socket: the WebSocket that a
    Durable Object has handed over; its messages are no body.
    """

    status: int
    status_text: str
    headers: list[tuple[str, str]]
    body: AsyncIterator[bytes] | None
    close: Callable[[], Awaitable[None]]
    socket: str = ""


class InvokeRequest(Struct, frozen=True):
    """A call of a method of one of the worker's classes; `entrypoint` "" is the default one.

    One of `args`, or one value in them, may be a `ByteStream`. object: see `RpcRequest`.
    """

    entrypoint: str
    method: str
    args: list[Any]
    object: int = 0


class InvokeReply(Struct, frozen=True):
    """What the method returned. A stream in `value` is an async iterator of bytes.

    It must be read to its end, or `close` called. Iterating it raises HandlerError when the worker
    cut it off.
    """

    value: Any
    close: Callable[[], Awaitable[None]]


class RpcRequest(Struct, frozen=True):
    """A call of a method from another worker; what travels is not looked into.

    payload: the list of arguments as tagged JSON; body: the stream in it. `entrypoint` "" is the
    default one. props: its `ctx.props`. stub: a function of the guest's with this number, or an
    object that has the method, is called in place of an entrypoint. object: so is the Durable
    Object with this number. depth: how many calls of workers it is inside of. durable: the id of
    the Durable Object of the class `entrypoint`, and its name, for guests that keep objects.
    """

    method: str
    payload: bytes
    body: AsyncIterator[bytes] | None = None
    entrypoint: str = ""
    props: Mapping[str, Any] = field(default_factory=dict)
    stub: int = 0
    object: int = 0
    depth: int = 0
    durable: str = ""


class RpcReply(Struct, frozen=True):
    """What it returned, as tagged JSON. `body` must be read to its end, or `close` called."""

    payload: bytes
    body: AsyncIterator[bytes] | None
    close: Callable[[], Awaitable[None]]


class HandlerError(EmulatorError):
    """User code raised while it handled a request. `traceback` is the user's, cut at our frames."""

    def __init__(self, name: str, message: str, traceback: str) -> None:
        super().__init__(f"{name}: {message}" if message else name)
        self.name = name
        self.message = message
        self.traceback = traceback


class LoadError(EmulatorError):
    """The user's code could not be imported. `file`/`line`: where, when known (else "" and 0)."""

    def __init__(self, name: str, message: str, traceback: str, file: str, line: int) -> None:
        super().__init__(f"{name}: {message}" if message else name)
        self.name = name
        self.message = message
        self.traceback = traceback
        self.file = file
        self.line = line


class GuestLost(GuestError):
    """The guest ended while it handled the request; the message says how."""
