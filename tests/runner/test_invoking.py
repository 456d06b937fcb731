"""Calls of the worker's methods by the host: arguments, results, streams, errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bindings.binding import ByteStream
from emulator.protocol.values import NotCloneable
from emulator.runner.guest import Guest
from emulator.runner.requests import HandlerError, InvokeRequest
from tests.runner.running import Running, run, write

WORKER = """
import asyncio
from js import ReadableStream
from workers import WorkerEntrypoint, wait_until

kept = []

class Default(WorkerEntrypoint):
    async def planned(self, event):
        return f"{event.cron} in {self.env.PLACE}"

    def none(self):
        pass

    async def _hidden(self):
        pass

class Admin(WorkerEntrypoint):
    def add(self, a, b=10):
        return a + b

    async def length(self, body, factor):
        return factor * sum([len(piece) async for piece in body])

    def letters(self):
        async def pieces():
            yield b"ab"
            yield b"c"
        return {"kind": "text", "body": ReadableStream(pieces())}

    async def late(self):
        async def later():
            await asyncio.sleep(0)
            kept.append("kept")
        wait_until(later())

    def kept(self):
        return kept

    def broken(self):
        raise ValueError("no such user")

    def a_set_of_functions(self):
        return len
"""


def invoking(folder: Path, scenario: Any) -> None:
    async def loaded(it: Running) -> None:
        await scenario(await it.load(variables={"PLACE": "Paris"}))

    run(write(folder, {"src/entry.py": WORKER}), loaded)


async def call(guest: Guest, entrypoint: str, method: str, *args: Any) -> Any:
    reply = await guest.connection.exchanges.invoke(InvokeRequest(entrypoint, method, list(args)))
    return reply.value


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def test_a_method_gets_its_arguments_and_its_value_comes_back(tmp_path: Path) -> None:
    async def scenario(guest: Guest) -> None:
        assert await call(guest, "", "planned", {"cron": "* * * * *"}) == "* * * * * in Paris"
        assert await call(guest, "Admin", "add", 1, 2) == 3
        assert await call(guest, "Admin", "add", 1) == 11
        assert await call(guest, "Default", "none") is None

    invoking(tmp_path, scenario)


def test_streams_go_both_ways(tmp_path: Path) -> None:
    async def scenario(guest: Guest) -> None:
        body = ByteStream(pieces(b"abc", b"d"), "")
        assert await call(guest, "Admin", "length", body, 3) == 12
        found = await call(guest, "Admin", "letters")
        assert found["kind"] == "text"
        assert [piece async for piece in found["body"]] == [b"ab", b"c"]

    invoking(tmp_path, scenario)


def test_a_promise_keeps_the_call_open_until_it_has_settled(tmp_path: Path) -> None:
    async def scenario(guest: Guest) -> None:
        await call(guest, "Admin", "late")
        await guest.connection.exchanges.idle()
        assert await call(guest, "Admin", "kept") == ["kept"]

    invoking(tmp_path, scenario)


@pytest.mark.parametrize(
    ("entrypoint", "method", "problem"),
    [
        ("Admin", "broken", "ValueError: no such user"),
        ("Admin", "a_set_of_functions", "DataCloneError: .* is a function"),
        ("Admin", "nothing", 'does not implement the method "nothing"'),
        ("", "_hidden", 'does not implement the method "_hidden"'),
        ("", "env", 'does not implement the method "env"'),
        ("Other", "add", "There is no 'Other' class defined"),
    ],
)
def test_what_cannot_be_called_or_returned_is_an_error(
    tmp_path: Path, entrypoint: str, method: str, problem: str
) -> None:
    async def scenario(guest: Guest) -> None:
        with pytest.raises(HandlerError, match=problem):
            await call(guest, entrypoint, method)

    invoking(tmp_path, scenario)


def test_arguments_that_cannot_be_sent_open_nothing(tmp_path: Path) -> None:
    async def scenario(guest: Guest) -> None:
        with pytest.raises(NotCloneable, match="a second stream"):
            await call(guest, "Admin", "length", *[ByteStream(pieces(), "") for _ in range(2)])
        assert not guest.connection.exchanges

    invoking(tmp_path, scenario)


def test_giving_the_call_up_cancels_the_method(tmp_path: Path) -> None:
    async def scenario(guest: Guest) -> None:
        silent = ByteStream(_never(), "")
        calling = asyncio.create_task(call(guest, "Admin", "length", silent, 1))
        await asyncio.sleep(0)
        calling.cancel()
        await guest.connection.exchanges.idle()
        assert await call(guest, "Admin", "add", 1, 1) == 2

    invoking(tmp_path, scenario)


async def _never() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""
