"""Coroutines that are dropped while they wait for the next item of an asynchronous generator."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from emulator.guest.python.runs.droppable import Droppable

Log = list[str]


async def inner(log: Log) -> AsyncIterator[int]:
    try:
        yield 1
        await asyncio.Event().wait()
    finally:
        log.append("inner")


async def outer(log: Log) -> AsyncIterator[int]:
    try:
        async for item in inner(log):
            yield item
    finally:
        log.append("outer")


async def waits_in_its_cleanup(log: Log) -> AsyncIterator[int]:
    try:
        async for item in inner(log):
            yield item
    finally:
        await asyncio.sleep(0)
        log.append("never")


async def raises_in_its_cleanup(log: Log) -> AsyncIterator[int]:
    try:
        async for item in inner(log):
            yield item
    finally:
        raise ValueError


Generator = Callable[[Log], AsyncIterator[int]]


async def reads_on(log: Log, make: Generator) -> None:
    async for _ in make(log):
        pass


async def asks_for_the_next(log: Log, make: Generator) -> None:
    items = make(log)
    await anext(items)
    await anext(items, None)


async def closes(log: Log, make: Generator) -> None:
    """As a stream does that is given up: the generator is asked to close and takes its time."""
    items = make(log)
    await anext(items)
    try:
        await anext(items)
    finally:
        log.append("reader")
        await items.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("read", [reads_on, asks_for_the_next, closes])
@pytest.mark.parametrize(
    ("make", "closed"),
    [
        (inner, ["inner"]),
        (outer, ["inner", "outer"]),
        (waits_in_its_cleanup, ["inner"]),
        (raises_in_its_cleanup, ["inner"]),
    ],
)
def test_generators_that_a_dropped_coroutine_waits_in_are_closed_in_silence(
    read: Callable[[Log, Generator], Coroutine[Any, Any, None]], make: Generator, closed: Log
) -> None:
    log: Log = []
    said: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: said.append(context))
        dropped = Droppable(read(log, make))
        task = asyncio.Task(dropped, loop=loop)
        for _ in range(3):
            await asyncio.sleep(0)

        dropped.drop()

        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        del dropped, task
        gc.collect()
        for _ in range(3):
            await asyncio.sleep(0)

    asyncio.run(main())

    assert [word for word in log if word != "reader"] == closed
    assert said == []
