"""Tasks of a workflow run that can be dropped; user code only sees that it is closed.

A dropped coroutine is closed (GeneratorExit), like a generator that is no longer read: its
`finally` blocks run, its `except Exception` blocks do not, and it never goes on.
"""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import AsyncGenerator, Coroutine, Iterator
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from .. import scope
from ..loop.asyncio_privates import say_nothing_when_dropped

_dropping = False
_CLOSINGS_MAX = 100  # of a generator whose clean-up waits again and again


class Droppable(Coroutine[Any, Any, Any]):
    """A coroutine that can be closed while a task waits on its behalf."""

    __slots__ = ("_inner", "_dropped")

    def __init__(self, inner: Coroutine[Any, Any, Any]) -> None:
        self._inner = inner
        self._dropped = False

    @property
    def inner(self) -> Coroutine[Any, Any, Any]:
        """The user's coroutine."""
        return self._inner

    def drop(self) -> None:
        """Close the coroutine, even if it raises."""
        self._dropped = True
        _close_generators(self._inner)
        try:
            self._inner.close()
        except BaseException:  # its clean-up failed, or awaits something; nobody waits for it
            pass

    def send(self, value: Any) -> Any:
        if self._dropped:
            raise asyncio.CancelledError
        try:
            waits_for = self._inner.send(value)
        except BaseException:
            if self._dropped:  # while it waited in `run_sync`
                raise asyncio.CancelledError from None
            raise
        if self._dropped:  # the same, and it goes on all the same
            self.drop()
            raise asyncio.CancelledError
        return waits_for

    def throw(self, *details: Any) -> Any:
        if self._dropped:
            raise asyncio.CancelledError
        return self._inner.throw(*details)

    def close(self) -> None:
        if not self._dropped:
            self._inner.close()

    def __await__(self) -> Any:
        return self._inner.__await__()


def _close_generators(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Close the asynchronous generators whose next item a coroutine waits for, the innermost first.

    Python before 3.13 does not do so when the coroutine is closed. They would stay open for ever,
    and closing them later would fail with "asynchronous generator is already running".
    """
    for waiting in reversed(list(_awaited_items(coroutine))):
        for _ in range(_CLOSINGS_MAX):
            try:
                waiting.throw(GeneratorExit)  # it returns what a clean-up waits for: once more
            except BaseException:  # it is closed, even if it raised
                break


def _awaited_items(awaited: Any) -> Iterator[Any]:
    """Yield the items of asynchronous generators that `awaited` waits for, the outermost first."""
    while awaited is not None:
        match awaited:
            case CoroutineType():
                awaited = awaited.cr_await
            case GeneratorType():
                awaited = awaited.gi_yieldfrom
            case AsyncGeneratorType():
                awaited = awaited.ag_await
            case _ if type(awaited) in _THROUGH:
                if type(awaited) in _ITEMS:
                    yield awaited
                # Only the garbage collector knows whose item it is.
                known = (CoroutineType, AsyncGeneratorType, *_THROUGH)
                found = (each for each in gc.get_referents(awaited) if isinstance(each, known))
                awaited = next(found, None)
            case _:
                return


def _kinds_of_items() -> tuple[tuple[type, ...], tuple[type, ...]]:
    """Return the types of an awaited item, and those of all that leads to one."""

    async def nothing() -> AsyncGenerator[None, None]:
        yield None

    async def coroutine() -> None: ...

    plain = coroutine()
    generator = nothing()
    made: list[Any] = [generator.asend(None), generator.aclose()]
    other: list[Any] = [anext(nothing(), None), plain.__await__()]
    kinds = tuple(map(type, made)), tuple(map(type, [*made, *other]))
    for each in [*made, *other, plain]:
        each.close()
    return kinds


_ITEMS, _THROUGH = _kinds_of_items()


class RunTasks:
    """All tasks of one run, those user code starts included."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], Droppable] = {}

    def add(self, task: asyncio.Task[Any], coroutine: Droppable) -> None:
        """Keep a task until it is done."""
        self._tasks[task] = coroutine
        task.add_done_callback(self._forget)

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[asyncio.Task[Any]]:
        return iter(self._tasks)

    def drop(self) -> None:
        """Close every coroutine, then cancel the tasks; user code does not see that."""
        global _dropping
        tasks = dict(self._tasks)
        _dropping = True
        try:
            for coroutine in tasks.values():
                coroutine.drop()
        finally:
            _dropping = False
        for task in tasks:
            task.cancel()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)


def let_go_without_a_word() -> None:
    """Prevent Python's warning of a coroutine that a dropped run had made and not awaited yet."""
    shown = warnings.showwarning

    def show(*warning: Any, **more: Any) -> None:
        if not _dropping:
            shown(*warning, **more)

    warnings.showwarning = show


def task_factory(
    loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any
) -> asyncio.Task[Any]:
    """Make a task; if it belongs to a run, make it droppable and add it to the run."""
    context = options.get("context")
    current = scope.find() if context is None else scope.find_in(context)
    tasks = getattr(current, "tasks", None)
    if not isinstance(tasks, RunTasks) or not asyncio.iscoroutine(coroutine):
        return asyncio.Task(coroutine, loop=loop, **options)  # refuses all but coroutines
    droppable = Droppable(coroutine)
    task = asyncio.Task(droppable, loop=loop, **options)
    if current is not None and current.dropped:  # a dropped run cleans up, without warnings
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
    # A task that still waits for a step when run() ends is never answered, and is dropped with the
    # run. The host says which step that was.
    say_nothing_when_dropped(task)
    tasks.add(task, droppable)
    return task
