"""Connections that fail while the worker is at work: nothing of ours is printed (see `serving`)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from emulator.protocol import web_sockets as wire
from emulator.runner.requests import FetchReply, FetchRequest
from tests.server.serving import Serving, reply, run, serving, status_of

OPENING = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
NO_KNOWN_FRAME = b"\x83\x80" + bytes(4)


async def told(s: Serving, frame: bytes) -> bytes:
    """Open a socket, send `frame`, and return what the server says until it hangs up."""
    reader, writer = await s.connect()
    try:
        writer.write(OPENING)
        head = await reader.readuntil(b"\r\n\r\n")
        assert status_of(head) == 101
        writer.write(frame)
        return await reader.read()
    finally:
        writer.close()


def test_a_malformed_body_is_not_asked_for_after_it_is_refused() -> None:
    async def handler(request: FetchRequest) -> FetchReply:
        assert request.body is not None
        return reply(b"".join([chunk async for chunk in request.body]))

    async def main() -> bytes:
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
        async with serving(handler) as s:
            return await s.exchange(head + b"Transfer-Encoding: chunked\r\n\r\nno size\r\n")

    assert status_of(run(main())) == 400


def test_what_a_worker_sends_to_a_socket_that_has_failed_is_dropped() -> None:
    async def handler(request: FetchRequest) -> FetchReply:
        assert request.body is not None
        messages = request.body

        async def answers() -> AsyncIterator[bytes]:
            async for _ in messages:
                yield wire.encode(wire.TEXT, b"too late")
            yield wire.encode(wire.TEXT, b"later still")

        return reply(answers(), 101)

    async def main() -> bytes:
        async with serving(handler) as s:
            return await told(s, NO_KNOWN_FRAME)

    assert b"late" not in run(main())
