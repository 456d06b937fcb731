"""Requests through a binding of the network, as a worker in workerd makes them.

The other side is `guest/javascript/services.js`. No socket is opened here: the caller serves it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from bindings import http
from bindings.binding import Binding
from bindings.http import FRAMING, METHOD, SOCKET, HttpAnswer, StreamedAnswer
from emulator.errors import WorkerError


async def answer(
    binding: Binding,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes | AsyncIterator[bytes],
) -> HttpAnswer | StreamedAnswer:
    """Send a request to where it was meant to go, and answer with what comes back."""
    url = http.url_of(headers, target, "https")
    pairs = [list(pair) for pair in http.passed_on(headers)]
    try:
        if SOCKET in headers:
            raise WorkerError("Groundfog opens no WebSocket with a certificate of an mTLS binding.")
        called = "fetch" if METHOD not in headers else headers[METHOD]
        found = await binding.call(
            called, [method, url, pairs, body if http.has_body(headers) else None]
        )
    except WorkerError as error:
        return http.failed(error)
    shown = [(name, value) for name, value in found["headers"] if name not in FRAMING]
    content = found["body"]
    pieces = http.whole(content) if isinstance(content, bytes) else content and content.chunks
    return StreamedAnswer(found["status"], shown, pieces)
