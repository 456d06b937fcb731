"""Requests through a binding of the network, as a worker in workerd makes them.

The other side is `guest/javascript/services.js`. No socket is opened here: the caller serves it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from bindings.binding import Binding
from bindings.http import (
    FAILED,
    METHOD,
    OWN,
    SCHEME,
    SOCKET,
    HttpAnswer,
    StreamedAnswer,
    json_answer,
)
from emulator.errors import WorkerError

_FRAMING = ("content-length", "transfer-encoding", "connection")


async def answer(
    binding: Binding,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes | AsyncIterator[bytes],
) -> HttpAnswer | StreamedAnswer:
    """Send a request to where it was meant to go, and answer with what comes back."""
    url = f"{headers.get(SCHEME, 'https')}://{headers.get('host', 'localhost')}{target}"
    pairs = [[name, value] for name, value in headers.items() if not name.startswith(OWN)]
    pairs = [pair for pair in pairs if pair[0] not in _FRAMING]
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    try:
        if SOCKET in headers:
            raise WorkerError("Groundfog opens no WebSocket with a certificate of an mTLS binding.")
        called = "fetch" if METHOD not in headers else headers[METHOD]
        found = await binding.call(called, [method, url, pairs, body if has_body else None])
    except WorkerError as error:
        told = {"name": error.name, "message": error.message}
        return json_answer(500, told, {FAILED: "1"})
    shown = [(name, value) for name, value in found["headers"] if name not in _FRAMING]
    content = found["body"]
    pieces = _whole(content) if isinstance(content, bytes) else content and content.chunks
    return StreamedAnswer(found["status"], shown, pieces)


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    if content:
        yield content
