"""Whether a run has come to rest: each of its tasks waits for a step, and for nothing else.

What a task waits for is decided in this order. Futures of steps and of other tasks of the run, and
asyncio's futures on top of them (`gather`, `shield`, `wait`, `wait_for`), count as steps. A timer,
a thread, a binding call or a foreign task do not. Everything else (an `Event`, a `Queue`, a
`TaskGroup`) can only be set by the run itself, unless it has a call, timer or socket open.

This needs asyncio's private parts (`asyncio_privates`). If they cannot be trusted, no run is at
rest: each guarded run is restless, and waiting for it takes as long as for a run that does I/O.
This is slower, but never wrong.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator
from contextvars import Context
from types import FrameType
from typing import Any

from ....protocol.record import Record, record
from ..loop import asyncio_privates
from ..loop.asyncio_privates import Future, Task, callbacks_of, gathered, is_of_thread, waited_for
from ..loop.web_loop import WebLoop

_OUR_PACKAGE = __name__.partition(".")[0]


@record
class Waits(Record):
    """What a run waits for, as far as the run knows.

    tasks: the run's own that are not done. steps: futures that only the answer to a step resolves.
    """

    tasks: list[Task]
    steps: list[Future]
    calls_bindings: bool
    owns: Callable[[Context], bool]  # whether what runs in this context belongs to the run


def is_at_rest(waits: Waits, loop: Any) -> bool:
    """Whether the run does nothing more until a step is answered."""
    if not asyncio_privates.trusted:
        return False
    if any(map(waits.owns, asyncio_privates.contexts_about_to_run(loop))):
        return False
    return restless_task(waits, loop) is None


def restless_task(waits: Waits, loop: Any) -> Task | None:
    """Return a task that waits for something other than a step, or is about to run."""
    if not asyncio_privates.trusted:
        return next(iter(waits.tasks), None)
    look = _Look(waits, loop)
    for waiting in waits.tasks:
        future = waited_for(waiting)
        if future is None and isinstance(loop, WebLoop):  # perhaps in synchronous code
            future = loop.handing_over.waited_for(waiting)
        if not look.is_step(future, waiting):
            return waiting
    return None


class _Look:
    """One look at what a run waits for."""

    def __init__(self, waits: Waits, loop: Any) -> None:
        self._waits = waits
        self._loop = loop
        self._steps = _with_dependents({*waits.steps, *waits.tasks})

    def is_step(self, future: Future | None, task: Task) -> bool:
        if future is None or future.done():
            return False  # about to run
        if future in self._steps:
            return True
        children = gathered(future)
        if children is not None:
            pending = [child for child in children if not child.done()]
            return bool(pending) and all(self.is_step(child, task) for child in pending)
        if isinstance(future, asyncio.Task) or self._is_timed(future) or is_of_thread(future):
            return False
        frame = innermost_frame(task)
        if frame is not None and frame.f_globals.get("__name__", "").startswith(_OUR_PACKAGE):
            return False  # a binding call or a body: a future of ours that is not a step is I/O
        return not self._has_open_ends()

    def _is_timed(self, future: Future) -> bool:
        return any(future in args for _, args in self._timers())

    def _has_open_ends(self) -> bool:
        """Whether a call, a timer or a socket of the run may wake it."""
        if self._waits.calls_bindings:
            return True
        if any(self._waits.owns(context) for context, _ in self._timers()):
            return True
        return any(map(self._waits.owns, asyncio_privates.contexts_of_sockets(self._loop)))

    def _timers(self) -> Iterator[tuple[Context, tuple[Any, ...]]]:
        """Yield context and arguments of timers that are pending or go off now.

        The limit of a `timeout` does not count: it only breaks off.
        """
        for callback, context, args in asyncio_privates.timers(self._loop):
            if not isinstance(getattr(callback, "__self__", None), asyncio.Timeout):
                yield context, args


def innermost_frame(task: Task, within: str = "") -> FrameType | None:
    """Return the frame that `task` is suspended in; `within`: the last one of a file below this."""
    coroutine: Any = task.get_coro()
    coroutine = getattr(coroutine, "inner", coroutine)
    found = None
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None and frame.f_code.co_filename.startswith(within):
            found = frame
        following = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
        coroutine = following if following is not coroutine else None
    return found


def _with_dependents(futures: set[Future]) -> set[Future]:
    """Return `futures` and those that a callback of one of them resolves: `shield`, `wait`, …"""
    found = set(futures)
    unseen = list(futures)
    while unseen:
        for callback in callbacks_of(unseen.pop()):
            for other in _futures_of(callback):
                if other not in found:
                    found.add(other)
                    unseen.append(other)
    return found


def _futures_of(callback: Any) -> Iterator[Future]:
    held: list[Any] = []
    if isinstance(callback, functools.partial):
        held += callback.args
        callback = callback.func
    for cell in getattr(callback, "__closure__", None) or ():
        try:
            held.append(cell.cell_contents)
        except ValueError:  # an empty cell
            continue
    yield from (
        each for each in held if isinstance(each, asyncio.Future) and gathered(each) is None
    )
