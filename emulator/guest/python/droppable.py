"""Tasks of a workflow run, which can be dropped without user code noticing more than a close.

A dropped coroutine is closed (GeneratorExit), as a generator nobody reads any more: its `finally`
blocks run, no `except Exception` of it does, and it never goes on.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Coroutine, Iterator
from typing import Any

from . import scope

_dropping = False


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
        """Close the coroutine, whatever it makes of it."""
        self._dropped = True
        try:
            self._inner.close()
        except BaseException:  # its own clean-up failed, or it awaits in it; nobody waits for it
            pass

    def send(self, value: Any) -> Any:
        if self._dropped:
            raise asyncio.CancelledError
        return self._inner.send(value)

    def throw(self, *details: Any) -> Any:
        if self._dropped:
            raise asyncio.CancelledError
        return self._inner.throw(*details)

    def close(self) -> None:
        if not self._dropped:
            self._inner.close()

    def __await__(self) -> Any:
        return self._inner.__await__()


class RunTasks:
    """All tasks of one run, those user code starts included."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], Droppable] = {}

    def add(self, task: asyncio.Task[Any], coroutine: Droppable) -> None:
        """Own a task until it is done."""
        self._tasks[task] = coroutine
        task.add_done_callback(self._forget)

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[asyncio.Task[Any]]:
        return iter(self._tasks)

    def drop(self) -> None:
        """Close every coroutine, then cancel the tasks, which reach user code no more."""
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
    """Have Python say nothing of a coroutine that a dropped run had made and not awaited yet."""
    shown = warnings.showwarning

    def show(*warning: Any, **more: Any) -> None:
        if not _dropping:
            shown(*warning, **more)

    warnings.showwarning = show


def task_factory(
    loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any
) -> asyncio.Task[Any]:
    """Make a task; one that belongs to a run is made droppable and told to it."""
    context = options.get("context")
    current = scope.find() if context is None else scope.find_in(context)
    tasks = getattr(current, "tasks", None)
    if not isinstance(tasks, RunTasks) or not asyncio.iscoroutine(coroutine):
        return asyncio.Task(coroutine, loop=loop, **options)  # which refuses what is no coroutine
    droppable = Droppable(coroutine)
    task = asyncio.Task(droppable, loop=loop, **options)
    # What run() leaves waiting for a step is never answered, and goes with the run. The host says
    # which step that was; asyncio would only add "Task was destroyed but it is pending".
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # as asyncio.gather does
    tasks.add(task, droppable)
    return task
