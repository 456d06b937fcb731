"""Reads asyncio's private parts: what loops, tasks and futures are about to do or wait for.

They are the same in Python 3.11 to 3.14. `self_test` tries them before any user code runs; if an
interpreter differs, `trusted` is False, and none of this is used.
"""

from __future__ import annotations

import asyncio
import select
import threading
from asyncio.tasks import _GatheringFuture  # type: ignore[attr-defined]
from collections.abc import Coroutine, Iterator
from contextvars import Context
from typing import Any, NoReturn

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


# --- a loop that changes its thread, as `loop/handing_over.py` needs it

enter_task = asyncio.tasks._enter_task
leave_task = asyncio.tasks._leave_task
_real_all_tasks = asyncio.tasks.all_tasks


def all_tasks(loop: Any) -> set[Task]:
    """Return the tasks of a loop, whichever thread drove it when each of them was made.

    Python 3.14 keeps tasks with the thread that made them. If the calling thread drives the loop,
    it looks at those of this thread only.
    """
    running = asyncio.events._get_running_loop()
    asyncio.events._set_running_loop(None)
    try:
        return _real_all_tasks(loop)
    finally:
        asyncio.events._set_running_loop(running)


def thread_of(loop: Any) -> int | None:
    """Return the thread that drives a loop."""
    return loop._thread_id  # type: ignore[no-any-return]


def count_of_due(loop: Any) -> int:
    """Return how many callbacks the loop calls next, cancelled ones included."""
    return len(loop._ready)


def take_over(loop: Any, due: int) -> None:
    """The calling thread drives the loop now. It goes on with a turn that may expect `due` more.

    What was due may have been called meanwhile. The turn then skips cancelled ones in their place.
    """
    loop._thread_id = threading.get_ident()
    missing = due - len(loop._ready)
    if missing > 0:
        handle = asyncio.Handle(_nothing, (), loop, Context())
        handle.cancel()
        loop._ready.extend([handle] * missing)


def turn_for_ever(loop: Any) -> NoReturn:
    """Call what the loop has due, until something leaves it by an exception."""
    while True:
        loop._run_once()


def generator_hooks(loop: Any) -> tuple[Any, Any]:
    """Return what a thread that drives the loop tells about asynchronous generators."""
    return loop._asyncgen_firstiter_hook, loop._asyncgen_finalizer_hook


def write_out(transport: Any, socket: Any) -> None:
    """Wait until a transport has written to its socket what it holds."""
    while transport.get_write_buffer_size():
        select.select((), (socket,), ())
        transport._write_ready()


def context_that_runs(frame: Any) -> Context | None:
    """Return the context of the innermost callback of a loop in a thread's stack."""
    while frame is not None:
        handle = frame.f_locals.get("self") if frame.f_code.co_name == "_run" else None
        if isinstance(handle, asyncio.Handle):
            return handle._context  # type: ignore[attr-defined,no-any-return]
        frame = frame.f_back
    return None


def begun(coroutine: Coroutine[Any, Any, Any]) -> Task:
    """Make a task, and run its first step at once, as a turn of the loop would.

    What needs no second step is done then: a turn of the loop costs as much as a short step.
    """
    loop: Any = asyncio.get_running_loop()
    task: Task = loop.create_task(coroutine)
    ready: Any = getattr(loop, "_ready", None)
    is_next = bool(ready) and getattr(ready[-1]._callback, "__self__", None) is task
    current = asyncio.current_task(loop)
    if current is None or not is_next:
        return task
    step = ready.pop()
    leave_task(loop, current)
    try:
        step._run()
    finally:
        enter_task(loop, current)
    return task


def _nothing() -> None: ...
