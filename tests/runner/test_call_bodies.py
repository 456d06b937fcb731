"""Bodies of binding calls, both ways, at the pace of whoever reads them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bindings.binding import ByteStream
from emulator.errors import WorkerError
from emulator.protocol.windows import CHUNK_BYTES, WINDOW_BYTES
from tests.runner.running import Running, run, write
from tests.runner.test_requests import until

PIECES = 3 * WINDOW_BYTES // CHUNK_BYTES
TOTAL_BYTES = PIECES * CHUNK_BYTES

# `put` and `get` as the client of a store would make them; `sent` and `closed` are what they did.
WORKER = f"""
import asyncio
from js import ReadableStream
from workers import Response, WorkerEntrypoint

sent = 0
closed = False

async def pieces(fails=False):
    global sent, closed
    try:
        for _ in range({PIECES}):
            sent += {CHUNK_BYTES}
            yield b"x" * {CHUNK_BYTES}
            if fails:
                raise ValueError("the disk is gone")
    finally:
        closed = True

class Default(WorkerEntrypoint):
    def call(self, method, *args):
        return self.env.STORE._caller.call("STORE", method, list(args), takes_stream=True)

    async def fetch(self, request):
        path = request.url.partition("//")[2].partition("/")[2]
        if path == "sent":
            return Response.json([sent, closed])
        if path == "put":
            return Response.json(await self.call("put", "a", ReadableStream(pieces())))
        if path == "fail":
            return Response.json(await self.call("put", "a", ReadableStream(pieces(fails=True))))
        if path == "pass":
            return Response.json(await self.call("put", "a", request.body))
        if path == "two":
            two = [ReadableStream(pieces()), ReadableStream(pieces())]
            return Response.json(await self.call("put", "a", *two))
        if path == "impatient":
            reading = asyncio.create_task(self.call("get", "a"))
            await asyncio.sleep(0)
            reading.cancel()
            return Response("gone")
        if path == "get":
            found = await self.call("get", "a")
            return Response(found.body, headers={{"x-size": str(found.size)}})
"""


class Store:
    """A binding that takes and gives streams."""

    kind = "ai"

    def __init__(self) -> None:
        self.may_read = asyncio.Event()
        self.given = 0
        self.closed = False

    async def call(self, method: str, args: list[Any]) -> Any:
        if method == "get":
            return {"size": TOTAL_BYTES, "body": ByteStream(self._pieces(), "text/plain")}
        await self.may_read.wait()
        if args[0] != "a":
            raise WorkerError("another key")
        return sum([len(piece) async for piece in args[1]])

    async def close(self) -> None: ...

    async def _pieces(self) -> AsyncIterator[bytes]:
        try:
            for _ in range(PIECES):
                self.given += CHUNK_BYTES
                yield b"y" * CHUNK_BYTES
        finally:
            self.closed = True


class Slow(Store):
    """One that gives its streams late."""

    async def call(self, method: str, args: list[Any]) -> Any:
        await self.may_read.wait()
        return await super().call(method, args)


class Careless(Store):
    """One that never reads what it is given."""

    async def call(self, method: str, args: list[Any]) -> Any:
        return "done"


def store(folder: Path) -> Path:
    return write(folder, {"src/entry.py": WORKER})


async def sent(it: Running) -> list[Any]:
    return json.loads(await it.get("/sent"))  # type: ignore[no-any-return]


def test_a_put_sends_its_stream_as_the_binding_reads_it(tmp_path: Path) -> None:
    async def scenario(it: Running) -> None:
        binding = Store()
        await it.load({"STORE": binding})
        putting = asyncio.create_task(it.get("/put"))
        while (await sent(it))[0] < WINDOW_BYTES:
            pass
        for _ in range(20):
            now, closed = await sent(it)
            assert now <= WINDOW_BYTES + CHUNK_BYTES and not closed
        binding.may_read.set()
        assert await putting == str(TOTAL_BYTES).encode()
        assert await sent(it) == [TOTAL_BYTES, True]

    run(store(tmp_path), scenario)


def test_a_get_gives_its_stream_as_user_code_reads_it(tmp_path: Path) -> None:
    async def scenario(it: Running) -> None:
        binding = Store()
        await it.load({"STORE": binding})
        reply = await it.fetch("/get")
        assert dict(reply.headers)["x-size"] == str(TOTAL_BYTES)
        await until(lambda: binding.given >= WINDOW_BYTES, "a window is given")
        for _ in range(20):
            await sent(it)
        assert binding.given < TOTAL_BYTES  # a window to the guest, and one from it to the client
        assert reply.body is not None
        assert sum([len(piece) async for piece in reply.body]) == TOTAL_BYTES

    run(store(tmp_path), scenario)


def test_the_body_of_a_request_goes_through_to_a_binding(tmp_path: Path) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"abc"
        yield b"de"

    async def scenario(it: Running) -> None:
        binding = Store()
        binding.may_read.set()
        await it.load({"STORE": binding})
        reply = await it.fetch("/pass", "POST", body())
        assert reply.body is not None
        assert [piece async for piece in reply.body] == [b"5"]

    run(store(tmp_path), scenario)


def test_what_the_binding_leaves_unread_is_closed(tmp_path: Path) -> None:
    async def scenario(it: Running) -> None:
        await it.load({"STORE": Careless()})
        assert await it.get("/put") == b'"done"'
        while not (await sent(it))[1]:
            pass
        assert (await sent(it))[0] < TOTAL_BYTES

    run(store(tmp_path), scenario)


def test_a_stream_that_nobody_waits_for_any_more_is_closed(tmp_path: Path) -> None:
    async def scenario(it: Running) -> None:
        binding = Slow()
        await it.load({"STORE": binding})
        assert await it.get("/impatient") == b"gone"
        binding.may_read.set()
        await until(lambda: binding.closed, "the stream is closed")
        assert binding.given < TOTAL_BYTES

    run(store(tmp_path), scenario)


@pytest.mark.parametrize(
    ("path", "problem"),
    [("/fail", "the disk is gone"), ("/two", "Only one ReadableStream can be sent in a value.")],
)
def test_a_stream_that_cannot_be_sent_fails_the_call(
    tmp_path: Path, path: str, problem: str
) -> None:
    async def scenario(it: Running) -> None:
        binding = Store()
        binding.may_read.set()
        await it.load({"STORE": binding})
        with pytest.raises(Exception, match=problem):
            await it.get(path)

    run(store(tmp_path), scenario)
