from __future__ import annotations

import asyncio

import pytest

from emulator.runner.requests import FetchReply, FetchRequest
from emulator.server.http import serve
from tests.server.serving import get, reply, run, serving, status_of


def test_a_request_in_flight_is_answered_before_the_server_stops() -> None:
    async def main() -> bytes:
        running, go_on = asyncio.Event(), asyncio.Event()

        async def handler(request: FetchRequest) -> FetchReply:
            running.set()
            await go_on.wait()
            return reply()

        async with serving(handler) as s:
            exchange = asyncio.create_task(s.exchange(get()))
            await running.wait()
            stop = asyncio.create_task(s.server.stop())
            asyncio.get_running_loop().call_soon(go_on.set)
            await stop
            return await exchange

    assert status_of(run(main())) == 200


def test_a_request_that_does_not_end_is_cancelled_after_the_grace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serve, "GRACEFUL_STOP_S", 0.01)

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
            writer.write(get())
            await running.wait()
            await s.server.stop()
            assert cancelled.is_set()
            writer.close()

    run(main())


def test_an_idle_connection_does_not_hold_up_the_stop() -> None:
    async def main() -> bytes:
        async with serving() as s:
            reader, writer = await s.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b"0\r\n\r\n")
            async with asyncio.timeout(serve.GRACEFUL_STOP_S / 2):
                await s.server.stop()
            rest = await reader.read()
            writer.close()
            return rest

    assert run(main()) == b""


def test_a_stopped_server_refuses_connections() -> None:
    async def main() -> None:
        async with serving() as s:
            await s.server.stop()
            with pytest.raises(ConnectionRefusedError):
                await s.connect()

    run(main())


def test_responses_do_not_say_what_serves_them() -> None:
    async def main() -> bytes:
        async with serving() as s:
            return await s.exchange(get())

    assert b"server:" not in run(main()).lower()
