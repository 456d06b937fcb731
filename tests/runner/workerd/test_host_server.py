"""What workerd asks its host: bodies that come in pieces, and answers of a known length."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from bindings.http import HttpAnswer, StreamedAnswer
from emulator.runner.workerd.host_connection import UNREAD_MAX_BYTES
from emulator.runner.workerd.host_server import ASKER, HostServer

BODY_BYTES = 16 * 1024 * 1024
HEAD = f"PUT / HTTP/1.1\r\n{ASKER}: files\r\ncontent-length: {BODY_BYTES}\r\n\r\n".encode()


def test_a_body_in_pieces_waits_for_its_reader(tmp_path: Path) -> None:
    async def scenario() -> None:
        may_read = asyncio.Event()
        sizes: list[int] = []

        async def answer(
            method: str, target: str, headers: dict[str, str], body: AsyncIterator[bytes]
        ) -> HttpAnswer:
            await may_read.wait()
            async for piece in body:
                sizes.append(len(piece))
            return HttpAnswer(200, {}, b"read")

        server = HostServer(tmp_path / "host.sock")
        server.handlers["files"] = answer
        server.streaming.add("files")
        await server.start()
        reader, writer = await asyncio.open_unix_connection(server.path)
        writer.write(HEAD + bytes(BODY_BYTES))
        unsent = -1
        while unsent != writer.transport.get_write_buffer_size():
            unsent = writer.transport.get_write_buffer_size()
            await asyncio.sleep(0.02)
        assert unsent > BODY_BYTES - 4 * UNREAD_MAX_BYTES
        may_read.set()
        assert (await reader.readuntil(b"read")).startswith(b"HTTP/1.1 200 OK")
        assert sum(sizes) == BODY_BYTES
        writer.close()
        await server.stop()

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_an_answer_of_known_length_says_it_and_is_closed_when_nobody_reads_on(
    tmp_path: Path,
) -> None:
    closed = asyncio.Event()

    class Pieces:
        def __aiter__(self) -> Pieces:
            return self

        async def __anext__(self) -> bytes:
            return bytes(UNREAD_MAX_BYTES)

        async def aclose(self) -> None:
            closed.set()

    async def answer(
        method: str, target: str, headers: dict[str, str], body: bytes
    ) -> StreamedAnswer:
        return StreamedAnswer(200, [], Pieces(), 2**40)

    async def scenario() -> None:
        server = HostServer(tmp_path / "host.sock")
        server.handlers["files"] = answer
        await server.start()
        reader, writer = await asyncio.open_unix_connection(server.path)
        writer.write(f"GET / HTTP/1.1\r\n{ASKER}: files\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"content-length: %d\r\n" % 2**40 in head and b"chunked" not in head
        writer.transport.abort()
        await closed.wait()
        await server.stop()

    asyncio.run(asyncio.wait_for(scenario(), 20))
