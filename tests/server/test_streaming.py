from __future__ import annotations

import asyncio
import socket
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from emulator.runner.requests import FetchReply, FetchRequest, GuestLost, HandlerError
from emulator.server import ingress
from emulator.server.http import body_limit
from tests.server.serving import Serving, chunks, get, reply, request, run, serving, status_of

MB = 1024 * 1024
UPLOAD_HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\n"


async def endless(taken: list[int]) -> AsyncIterator[bytes]:
    while True:
        taken.append(1)
        yield bytes(64 * 1024)


async def aborted(s: Serving, raw: bytes) -> None:
    """Send `raw`, then drop the connection as a killed client does."""
    _, writer = await s.connect()
    writer.write(raw)
    await writer.drain()
    writer.transport.abort()


def test_an_upload_of_100_mb_is_streamed_without_being_held_in_memory() -> None:
    async def handler(request: FetchRequest) -> FetchReply:
        assert request.body is not None
        total = 0
        async for chunk in request.body:
            total += len(chunk)
        return reply(str(total).encode())

    async def source() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield bytes(MB)

    async def main() -> str:
        async with serving(handler) as s, s.client as client:
            tracemalloc.start()
            response = await client.post("/", content=source())
            return response.text

    try:
        assert run(main()) == str(100 * MB)
        assert tracemalloc.get_traced_memory()[1] < 12 * MB
    finally:
        tracemalloc.stop()


def test_a_download_of_100_mb_is_streamed_without_being_held_in_memory() -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield bytes(MB)

    async def handler(request: FetchRequest) -> FetchReply:
        return reply(body())

    async def main() -> int:
        async with serving(handler) as s, s.client as client, client.stream("GET", "/") as response:
            tracemalloc.start()
            return sum([len(chunk) async for chunk in response.aiter_raw()])

    try:
        assert run(main()) == 100 * MB
        assert tracemalloc.get_traced_memory()[1] < 12 * MB
    finally:
        tracemalloc.stop()


def test_the_first_chunk_arrives_before_the_second_is_made() -> None:
    async def main() -> list[bytes]:
        go_on = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield b"first"
            await go_on.wait()
            yield b"second"

        async def handler(request: FetchRequest) -> FetchReply:
            return reply(body())

        async with serving(handler) as s, s.client as client, client.stream("GET", "/") as response:
            received = []
            async for chunk in response.aiter_raw():
                received.append(chunk)
                go_on.set()
            return received

    assert run(main()) == [b"first", b"second"]


def test_the_worker_can_answer_while_the_request_body_still_arrives() -> None:
    async def handler(request: FetchRequest) -> FetchReply:
        return reply(request.body)

    async def main() -> list[bytes]:
        async with serving(handler) as s:
            reader, writer = await s.connect()
            writer.write(UPLOAD_HEAD + b"Content-Length: 6\r\nConnection: close\r\n\r\n")
            echoed = []
            await reader.readuntil(b"\r\n\r\n")
            for part in (b"abc", b"def"):
                writer.write(part)
                await reader.readuntil(b"\r\n")
                echoed.append((await reader.readuntil(b"\r\n"))[:-2])
            writer.close()
            return echoed

    assert run(main()) == [b"abc", b"def"]


def test_a_slow_reader_holds_up_the_worker() -> None:
    """1. The client reads the head and nothing more. 2. The worker's stream comes to a stand.

    Result: what was taken from the worker is what socket buffers hold, and no more of it follows.
    """

    async def main() -> None:
        taken: list[int] = []

        async def handler(request: FetchRequest) -> FetchReply:
            return reply(endless(taken))

        async with serving(handler) as s:
            client = socket.create_connection(("127.0.0.1", s.port))
            client.sendall(get())
            before = -1
            while before != len(taken):
                before = len(taken)
                # Other connections make progress, so the loop had turns to read more.
                await s.exchange(get(host="not.ours"))
                await s.exchange(get(host="not.ours"))
            assert 0 < len(taken) < 16 * MB // (64 * 1024)
            client.close()

    run(main())


def test_a_worker_that_does_not_read_holds_up_the_upload() -> None:
    async def main() -> None:
        answer = asyncio.Event()

        async def handler(request: FetchRequest) -> FetchReply:
            await answer.wait()
            return reply()

        async with serving(handler) as s:
            client = socket.create_connection(("127.0.0.1", s.port))
            client.setblocking(False)
            client.send(UPLOAD_HEAD + b"Content-Length: 99000000\r\n\r\n")
            sent, stalls = 0, 0
            while stalls < 3:
                try:
                    sent += client.send(bytes(MB))
                    stalls = 0
                except BlockingIOError:
                    stalls += 1
                    await s.exchange(get(host="not.ours"))
                assert sent < 16 * MB
            answer.set()
            client.close()

    run(main())


def test_a_client_that_leaves_before_the_answer_cancels_the_handler() -> None:
    async def main() -> None:
        running, cancelled = asyncio.Event(), asyncio.Event()

        async def handler(request: FetchRequest) -> FetchReply:
            running.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise
            return reply()

        async with serving(handler) as s:
            _, writer = await s.connect()
            writer.write(get())
            await running.wait()
            writer.transport.abort()
            await cancelled.wait()
            assert s.errors == []

    run(main())


def test_a_client_that_leaves_during_the_response_closes_the_reply() -> None:
    async def main() -> None:
        closed = asyncio.Event()

        async def close() -> None:
            closed.set()

        async def handler(request: FetchRequest) -> FetchReply:
            return reply(endless([]), close=close)

        async with serving(handler) as s:
            reader, writer = await s.connect()
            writer.write(get())
            await reader.read(1000)
            writer.transport.abort()
            await closed.wait()

    run(main())


def test_a_client_that_leaves_closes_also_a_reply_that_was_overtaken_by_the_next_request() -> None:
    async def main() -> None:
        closed, waiting = asyncio.Event(), asyncio.Event()

        async def close() -> None:
            closed.set()

        async def silent() -> AsyncIterator[bytes]:
            yield b"x"
            waiting.set()
            await asyncio.Event().wait()

        async def handler(request: FetchRequest) -> FetchReply:
            return reply(silent(), close=close)

        async with serving(handler) as s:
            _, writer = await s.connect()
            ahead = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
            writer.write(ahead + ahead)
            await waiting.wait()
            writer.transport.abort()
            await closed.wait()
            assert len(s.worker.requests) == 1

    run(main())


@pytest.mark.parametrize(
    "partial",
    [
        UPLOAD_HEAD + b"Content-Length: 100\r\n\r\nonly this",
        UPLOAD_HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n",
        UPLOAD_HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\nnonsense\r\n",
    ],
    ids=["length", "chunked", "malformed"],
)
def test_a_request_body_cut_off_in_the_middle_ends_with_an_error(partial: bytes) -> None:
    async def main() -> None:
        received: list[bytes] = []
        ended = asyncio.get_running_loop().create_future()

        async def handler(request: FetchRequest) -> FetchReply:
            assert request.body is not None
            try:
                async for chunk in request.body:
                    received.append(chunk)
                    if b"nonsense" not in partial:
                        writer.transport.abort()
            except ingress.RequestBodyCutOff as error:
                ended.set_result(error)
                raise HandlerError("Error", "body", "") from error
            ended.set_result(None)
            return reply()

        async with serving(handler) as s:
            _, writer = await s.connect()
            writer.write(partial)
            assert isinstance(await ended, ingress.RequestBodyCutOff)
            assert b"".join(received) in (b"only this", b"")
            writer.close()

    run(main())


def test_a_malformed_chunk_after_the_response_began_cuts_it_and_adds_nothing() -> None:
    async def handler(request: FetchRequest) -> FetchReply:
        return reply(request.body)

    async def main() -> bytes:
        async with serving(handler) as s:
            reader, writer = await s.connect()
            writer.write(UPLOAD_HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
            await reader.readuntil(b"\r\n\r\n1\r\na\r\n")
            writer.write(b"nonsense\r\n")
            rest = await reader.read()
            writer.close()
            return rest

    assert run(main()) == b""


def test_a_handler_that_ignores_its_cut_off_body_is_cancelled_after_a_grace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ingress, "CUT_OFF_GRACE_S", 0.01)

    async def main() -> None:
        running, cancelled = asyncio.Event(), asyncio.Event()

        async def handler(request: FetchRequest) -> FetchReply:
            running.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            return reply()

        async with serving(handler) as s:
            _, writer = await s.connect()
            writer.write(UPLOAD_HEAD + b"Content-Length: 100\r\n\r\npart")
            await running.wait()
            writer.transport.abort()
            await cancelled.wait()

    run(main())


@pytest.mark.parametrize("error", [HandlerError("Error", "late", ""), GuestLost("gone")])
@pytest.mark.parametrize("length", [None, "10"])
def test_a_response_body_that_the_worker_cuts_off_is_seen_as_incomplete(
    error: Exception, length: str | None
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"part"
        raise error

    async def handler(request: FetchRequest) -> FetchReply:
        return reply(body(), headers=[] if length is None else [("content-length", length)])

    async def main() -> bytes:
        async with serving(handler) as s:
            response = await s.exchange(get())
            assert s.errors == [error]
            return response

    body_seen = run(main()).split(b"\r\n\r\n", 1)[1]

    assert body_seen == (b"part" if length else b"4\r\npart\r\n")


def test_an_unread_reply_body_is_closed_after_a_head_request() -> None:
    async def main() -> None:
        closed = asyncio.Event()

        async def close() -> None:
            closed.set()

        async def handler(request: FetchRequest) -> FetchReply:
            return reply(chunks(b"never read"), close=close)

        async with serving(handler) as s:
            await s.exchange(request("HEAD", "/"))
            await closed.wait()

    run(main())


def test_an_announced_body_over_the_cap_is_refused_before_it_is_sent() -> None:
    size = body_limit.REQUEST_BODY_MAX_BYTES + 1

    async def main() -> bytes:
        async with serving() as s:
            reader, writer = await s.connect()
            writer.write(UPLOAD_HEAD + b"Content-Length: %d\r\n\r\n" % size)
            response = await reader.readuntil(b"\r\n\r\n")
            assert s.worker.requests == []
            writer.close()
            return response

    assert status_of(run(main())) == 413


@pytest.mark.parametrize("reads_elsewhere", [False, True])
def test_a_chunked_body_over_the_cap_is_refused_when_it_passes_it(
    monkeypatch: pytest.MonkeyPatch, reads_elsewhere: bool
) -> None:
    monkeypatch.setattr(body_limit, "REQUEST_BODY_MAX_BYTES", 5)

    async def read(request: FetchRequest) -> None:
        assert request.body is not None
        async for _ in request.body:
            pass

    async def handler(request: FetchRequest) -> FetchReply:
        if not reads_elsewhere:
            await read(request)
            return reply()
        task = asyncio.ensure_future(read(request))
        try:
            await asyncio.Event().wait()
        finally:
            assert isinstance(task.exception(), body_limit.BodyTooLarge)
        return reply()

    async def main() -> bytes:
        async with serving(handler) as s:
            raw = request(
                "POST", "/", "Transfer-Encoding: chunked", body=b"6\r\n123456\r\n0\r\n\r\n"
            )
            return await s.exchange(raw)

    assert status_of(run(main())) == 413


def test_a_client_that_waits_for_100_continue_is_told_to_go_on_when_the_body_is_read() -> None:
    async def handler(request: FetchRequest) -> FetchReply:
        assert request.body is not None
        assert "expect" not in dict(request.headers)
        return reply(b"".join([chunk async for chunk in request.body]))

    async def main() -> bytes:
        async with serving(handler) as s:
            reader, writer = await s.connect()
            writer.write(UPLOAD_HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
            writer.write(b"hi")
            await reader.readuntil(b"\r\n\r\n")
            chunk = await reader.readuntil(b"hi\r\n")
            writer.close()
            return chunk

    assert run(main()) == b"2\r\nhi\r\n"
