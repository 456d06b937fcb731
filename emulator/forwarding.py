"""Calls of workers, and of what they have, on their way to the guest that answers.

What travels is not looked into, except for the head of a request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from bindings.binding import ByteStream, Call, Encoded
from emulator.errors import EmulatorError, GuestError, WorkerError
from emulator.protocol import values
from emulator.protocol.framing import FrameTooLarge
from emulator.runner import payloads
from emulator.runner.requests import FetchReply, FetchRequest, HandlerError, LoadError, RpcReply

FETCH = "fetch"
# Source: https://developers.cloudflare.com/workers/platform/limits/ (invocations of workers in one
# request).
DEPTH_MAX = 32
# What a call of another worker can fail with.
FAILURES = (EmulatorError, FrameTooLarge)
_CONTENT_TYPE = "application/octet-stream"  # of a stream; the message beside it says what it is


def fetch_request(
    call: Call, entrypoint: str = "", props: Mapping[str, Any] | None = None
) -> FetchRequest:
    """Return the request of a call `fetch(method, url, headers, body)`."""
    shapes = values.Shapes(body=lambda: call.body)
    method, url, headers, body = values.decode(call.payload, shapes)
    pairs = [(str(name), str(value)) for name, value in headers]
    asks_socket = ("upgrade", "websocket") in ((n.lower(), v.lower()) for n, v in pairs)
    return FetchRequest(
        method,
        url,
        pairs,
        _whole(body) if isinstance(body, bytes) else body,
        asks_socket and call.body is not None,
        entrypoint=entrypoint,
        props={} if props is None else props,
        depth=call.depth + 1,
    )


def encoded_fetch(reply: FetchReply) -> Encoded:
    """Return a reply as the answer of such a call: `{"status", "headers", "body", …}`."""
    body = None if reply.body is None else _Body(reply.body, reply)
    answer = {
        "status": reply.status,
        "status_text": reply.status_text,
        "headers": [list(pair) for pair in reply.headers],
        "body": None if body is None else ByteStream(body, _CONTENT_TYPE),
    }
    return Encoded(*payloads.encode(answer))


def encoded(reply: RpcReply) -> Encoded:
    """Return what a method returned as the answer of a call."""
    if reply.body is None:
        return Encoded(reply.payload)
    return Encoded(reply.payload, ByteStream(_Body(reply.body, reply), _CONTENT_TYPE))


def check_depth(called: str, depth: int) -> None:
    """Raise WorkerError for a call inside too many others."""
    if depth >= DEPTH_MAX:
        raise WorkerError(
            f"{called} was called from {DEPTH_MAX} calls inside one another: one request may call "
            f"at most {DEPTH_MAX} workers. Do they call each other in a circle?"
        )


def told(error: Exception, who: str) -> WorkerError:
    """Return what the caller gets for one of `FAILURES`."""
    match error:
        case WorkerError():
            return error
        case HandlerError():
            return WorkerError(error.message, name=error.name)
        case LoadError():
            return WorkerError(f"{who} cannot be called: its code does not load ({error})")
        case FrameTooLarge():
            return WorkerError(str(error), name="RangeError")
        case GuestError():
            return WorkerError(f"{who} cannot be called: {error}")
    return WorkerError(str(error))


class _Body:
    """The body of a reply; closing it tells the guest that sends it."""

    def __init__(self, pieces: AsyncIterator[bytes], reply: FetchReply | RpcReply) -> None:
        self._pieces = pieces
        self._reply = reply

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._pieces)
        except HandlerError as error:
            raise WorkerError(error.message, name=error.name) from error

    async def aclose(self) -> None:
        await self._reply.close()


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body
