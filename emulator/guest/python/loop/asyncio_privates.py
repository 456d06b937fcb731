"""Reads asyncio's private parts: what loops, tasks and futures are about to do or wait for.

They are the same in Python 3.11 to 3.14. `self_test` tries them before any user code runs; if an
interpreter differs, `trusted` is False, and none of this is used.
"""

from __future__ import annotations

import asyncio
from asyncio.tasks import _GatheringFuture  # type: ignore[attr-defined]
from collections.abc import Iterator
from contextvars import Context
from typing import Any

Future = asyncio.Future[Any]
Task = asyncio.Task[Any]

trusted = True


def contexts_about_to_run(loop: Any) -> Iterator[Context]:
    """Yield the context of each callback that the loop calls next."""
    return (handle._context for handle in loop._ready if not handle._cancelled)


def timers(loop: Any) -> Iterator[tuple[Any, Context, tuple[Any, ...]]]:
    """Yield callback, context and arguments of each timer, and of what is called next."""
    for handle in (*loop._scheduled, *loop._ready):
        if not handle._cancelled:
            yield handle._callback, handle._context, handle._args or ()


def contexts_of_sockets(loop: Any) -> Iterator[Context]:
    """Yield the context of each callback that waits for a socket or pipe."""
    selector = getattr(loop, "_selector", None)
    keys = selector.get_map().values() if selector is not None else ()
    for key in keys:
        yield from (handle._context for handle in key.data or () if handle is not None)


def waited_for(task: Task) -> Future | None:
    """Return what a task waits for; None: it is about to run."""
    return task._fut_waiter  # type: ignore[attr-defined,no-any-return]


def gathered(future: Future) -> list[Future] | None:
    """Return what `gather` waits for, if `future` is one of its own."""
    return future._children if isinstance(future, _GatheringFuture) else None


def callbacks_of(future: Future) -> list[Any]:
    """Return what is called when `future` is done."""
    return [callback for callback, _ in getattr(future, "_callbacks", None) or ()]


def is_of_thread(future: Future) -> bool:
    """Whether `run_in_executor` or `wrap_future` made it."""
    return any(
        getattr(callback, "__qualname__", "").startswith("_chain_future.")
        for callback in callbacks_of(future)
    )


def say_nothing_when_dropped(task: Task) -> None:
    """Prevent asyncio's message "Task was destroyed but it is pending", as `gather` does."""
    if hasattr(task, "_log_destroy_pending"):
        task._log_destroy_pending = False
