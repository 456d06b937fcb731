"""Calls of another worker, as a worker in workerd makes them: `guest/javascript/stubs.js`.

A method: the arguments as tagged JSON in, the value or the error out. Without the header that names
one, it is a request for the worker. No socket is opened here: the caller serves it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from urllib.parse import unquote

from bindings.binding import ByteStream, Call, Forwarding
from bindings.http import (
    FRAMING,
    METHOD,
    OWN,
    SOCKET,
    HttpAnswer,
    StreamedAnswer,
    failed,
    has_body,
    passed_on,
    url_of,
    whole,
)
from bindings.service.service import FETCH
from emulator.errors import WorkerError

PAYLOAD = "x-groundfog-payload"  # the size of the value; what follows it is the stream in it
STREAM = "x-groundfog-stream"
DEPTH = "x-groundfog-depth"
SWITCHING = 101
OBJECT = "x-groundfog-object"  # the method of a request, with the object that it is for


async def answer(
    binding: Forwarding,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes | AsyncIterator[bytes],
) -> HttpAnswer | StreamedAnswer:
    """Answer a call of a method, or a request."""
    pieces = whole(body) if isinstance(body, bytes) else body
    if METHOD not in headers:
        return await _fetch(binding, method, target, headers, pieces)
    payload, rest = await _parts(pieces, int(headers[PAYLOAD]))
    stream = rest if STREAM in headers else None
    depth = int(headers.get(DEPTH, "0"))
    try:
        result = await binding.forward(Call(unquote(headers[METHOD]), payload, stream, depth))
    except WorkerError as error:
        return failed(error)
    if result.stream is None:
        return HttpAnswer(200, {}, result.data)
    sizes = [(PAYLOAD, str(len(result.data)))]
    return StreamedAnswer(200, sizes, _joined(result.data, result.stream))


async def _fetch(
    binding: Forwarding,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: AsyncIterator[bytes],
) -> HttpAnswer | StreamedAnswer:
    url, pairs = url_of(headers, target, "http"), passed_on(headers)
    if asks_socket := SOCKET in headers:
        method = "GET"
        pairs.append(("upgrade", "websocket"))
    payload = json.dumps([method, url, pairs, {"$body": 1} if has_body(headers) else None]).encode()
    depth = int(headers.get(DEPTH, "0"))
    called = unquote(headers.get(OBJECT, FETCH))
    try:
        result = await binding.forward(Call(called, payload, body, depth))
    except WorkerError as error:
        return failed(error)
    found = json.loads(result.data)
    shown = [(name.lower(), value) for name, value in found["headers"]]
    shown = [pair for pair in shown if pair[0] not in FRAMING and not pair[0].startswith(OWN)]
    pieces = None if result.stream is None else result.stream.chunks
    if asks_socket and found["status"] == SWITCHING:
        return StreamedAnswer(200, [*shown, (SOCKET, "1")], pieces)
    return StreamedAnswer(found["status"], shown, pieces)


async def _parts(pieces: AsyncIterator[bytes], size: int) -> tuple[bytes, AsyncIterator[bytes]]:
    """Return the first bytes, and what follows them."""
    first = b""
    while len(first) < size:
        piece = await anext(pieces, b"")
        if not piece:
            raise WorkerError("The arguments of a call were cut off.")
        first += piece
    return first[:size], _following(first[size:], pieces)


async def _following(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for piece in pieces:
        yield piece


async def _joined(data: bytes, stream: ByteStream) -> AsyncIterator[bytes]:
    yield data
    try:
        async for piece in stream.chunks:
            yield piece
    finally:
        if (aclose := getattr(stream.chunks, "aclose", None)) is not None:
            await aclose()
