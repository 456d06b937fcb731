"""Synchronous code waits for a future while the loop goes on: the loop changes its thread.

Code that waits stands deep in a callback of the loop and cannot return to it. So its thread hands
the loop to another one, which calls what is due, and stands still. When the future is done, the
other thread hands the loop back, between two callbacks, and stands still in its turn: it goes on
with the loop for whoever waits next. Exactly one thread runs at any time. Who waits goes on in the
order in which the futures are done, not in the reverse order of the waiting.

Asyncio's parts that this needs are in `asyncio_privates`.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import threading
import traceback
from asyncio import events
from contextvars import Context
from typing import Any, NoReturn

from .. import scope
from . import asyncio_privates
from .asyncio_privates import Future, Task

WAITING_MAX = 1_000  # each has a thread
_RESTING_MAX = 8  # threads that are kept for the next one who waits
_CRASHED = 70  # sysexits.h EX_SOFTWARE


class _Leave(SystemExit):
    """Ends a thread that is not kept. Asyncio lets a SystemExit leave the loop."""


class Stop:
    """A thread that stands still inside a callback of the loop."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._lock.acquire()
        # At most so many of the callbacks that are due now belong to the turn that stands still.
        self._due = asyncio_privates.count_of_due(loop)
        self.is_main = threading.current_thread() is threading.main_thread()

    def release(self) -> None:
        """Let the thread go on; the calling one must stand still, or end, at once."""
        self._lock.release()

    def stand(self) -> None:
        """Wait until released."""
        self._lock.acquire()
        asyncio_privates.take_over(self._loop, self._due)


class Wait(Stop):
    """Code that waits for `future`. error: what it goes on with instead of the result."""

    def __init__(self, loop: Any, future: Future, task: Task | None) -> None:
        super().__init__(loop)
        self.future = future
        self.task = task
        self.scope = scope.find()
        self.error: BaseException | None = None
        self.over = False


class HandingOver:
    """Who drives one loop, and who waits."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waits: dict[Wait, None] = {}  # in the order in which they began
        self._resting: list[Stop] = []
        self._threads = 0

    def wait_for(self, future: Future) -> None:
        """Stand still until `future` is done, or `interrupt` ends the waiting with an error.

        Call it in a callback of the loop. Raises RuntimeError if too many wait already.
        """
        if len(self._waits) >= WAITING_MAX:
            raise RuntimeError(
                f"run_sync: {WAITING_MAX:,} calls wait already in this worker. Let fewer requests "
                "and steps wait in synchronous code at a time, or use `await`."
            )
        task = asyncio.current_task(self._loop)
        wait = Wait(self._loop, future, task)
        self._waits[wait] = None
        future.add_done_callback(functools.partial(self._give_back, wait), context=Context())
        if task is not None:
            asyncio_privates.leave_task(self._loop, task)
        try:
            self._let_another_drive()
            wait.stand()
        except RuntimeError as error:  # no thread could be started
            wait.over = True
            raise RuntimeError(f"run_sync: no thread for it: {error}") from None
        finally:
            del self._waits[wait]
            if task is not None:
                asyncio_privates.enter_task(self._loop, task)
        if wait.error is not None:
            raise wait.error

    def interrupt(self, of: scope.Scope, error: type[BaseException]) -> set[Task | None]:
        """Raise `error` where code of a request or run waits; return the tasks that waited."""
        found = [wait for wait in self._waits if wait.scope is of and not wait.over]
        for wait in found:
            wait.error = error()
            self._loop.call_soon(self._give_back, wait, context=Context())
        return {wait.task for wait in found}

    def waited_for(self, task: Task) -> Future | None:
        """Return the future that synchronous code of `task` waits for."""
        return next((wait.future for wait in self._waits if wait.task is task), None)

    def _let_another_drive(self) -> None:
        if self._resting:
            self._resting.pop().release()
            return
        self._threads += 1
        name = f"groundfog loop {self._threads}"
        threading.Thread(target=self._drive, name=name, daemon=True).start()

    def _give_back(self, wait: Wait, future: Future | None = None) -> None:
        """In the thread that drives: let the one that waits go on, and stand still."""
        if wait.over:
            return
        wait.over = True
        mine = Stop(self._loop)
        if mine.is_main:
            self._resting.append(mine)  # drives next: user code runs in it if it can
        elif len(self._resting) < _RESTING_MAX:
            self._resting.insert(0, mine)
        else:
            wait.release()
            raise _Leave
        wait.release()
        mine.stand()

    def _drive(self) -> None:
        loop: Any = self._loop
        events._set_running_loop(loop)
        sys.set_asyncgen_hooks(*asyncio_privates.generator_hooks(loop))
        try:
            asyncio_privates.take_over(loop, 0)
            asyncio_privates.turn_for_ever(loop)
        except _Leave:
            pass
        except BaseException:  # what would end the process in its first thread
            _crash()


def _crash() -> NoReturn:
    traceback.print_exc()
    sys.stdout.flush()
    os._exit(_CRASHED)
