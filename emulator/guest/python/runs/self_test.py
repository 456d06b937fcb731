"""Tries on known cases whether `rest` can read the asyncio of this interpreter."""

from __future__ import annotations

import asyncio
import concurrent.futures
import socket
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from types import FunctionType
from typing import Any

from ..loop import asyncio_privates
from .rest import Waits, is_at_rest

Future = asyncio.Future[Any]

_LONG_S = 3_600
_TURNS = 3  # of the loop, until a task waits for what it waits for
_of_run: ContextVar[bool] = ContextVar("groundfog_self_test", default=False)


def run() -> None:
    """Note whether asyncio's private parts can be trusted. No event loop may be running."""
    asyncio_privates.trusted = True
    asyncio_privates.trusted = passes()


def passes() -> bool:
    """Return whether rest is recognised correctly in every known case."""
    try:
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(_tells_all_apart(loop))
        finally:
            loop.close()
    except Exception:  # an attribute is missing, or is something else
        return False


async def _step(step: Future) -> None:
    await step


async def _gather(step: Future) -> None:
    await asyncio.gather(step, asyncio.shield(step))


async def _wait(step: Future) -> None:
    await asyncio.wait([step])


async def _wait_for(step: Future) -> None:
    await asyncio.wait_for(step, _LONG_S)


async def _event(step: Future) -> None:
    await asyncio.Event().wait()


async def _sleep(step: Future) -> None:
    await asyncio.sleep(_LONG_S)


async def _step_and_sleep(step: Future) -> None:
    await asyncio.gather(step, asyncio.sleep(_LONG_S))


async def _thread(step: Future) -> None:
    await asyncio.wrap_future(concurrent.futures.Future[None]())


async def _socket(step: Future) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        await asyncio.get_running_loop().sock_recv(ours, 1)


async def _event_of_a_timer(step: Future) -> None:
    event = asyncio.Event()
    asyncio.get_running_loop().call_later(_LONG_S, event.set)
    await event.wait()


# What a run waits for -> whether it is at rest. The last one leaves its timer behind.
_CASES: tuple[tuple[Any, bool], ...] = (
    (_step, True),
    (_gather, True),
    (_wait, True),
    (_wait_for, True),
    (_event, True),
    (_sleep, False),
    (_step_and_sleep, False),
    (_thread, False),
    (_socket, False),
    (_event_of_a_timer, False),
)


async def _tells_all_apart(loop: asyncio.AbstractEventLoop) -> bool:
    users = {
        **globals(),
        "__name__": "__main__",
    }  # waiting in our own modules is never rest
    for wait, expected in _CASES:
        found = await _looks(loop, FunctionType(wait.__code__, users))
        if found != (False, expected, False):
            return False
    return True


async def _looks(
    loop: asyncio.AbstractEventLoop, wait: Callable[[Future], Any]
) -> tuple[bool, bool, bool]:
    """Return whether a run is at rest: before it begins, while it waits, before more of it runs."""
    context = copy_context()
    context.run(_of_run.set, True)
    step: Future = loop.create_future()
    task = loop.create_task(wait(step), context=context)
    waits = Waits([task], [step], False, _owns)
    try:
        before = is_at_rest(waits, loop)
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        waiting = is_at_rest(waits, loop)
        loop.call_soon(_nothing, context=context)
        return before, waiting, is_at_rest(waits, loop)
    finally:
        task.cancel()
        await asyncio.wait([task])


def _nothing() -> None: ...


def _owns(context: Context) -> bool:
    return context.get(_of_run, False)
