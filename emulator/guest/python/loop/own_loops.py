"""Loops that user code makes inside a handler: `asyncio.run`, `Runner`, `new_event_loop`.

The guest has one loop, which goes on. What user code makes is a façade with tasks of its own: to
close it cancels these, and no task of another request.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from asyncio import events, runners, tasks
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, SupportsIndex

from ..scope import find as find_scope
from . import asyncio_privates
from .web_loop import WebLoop, guest_loop, run_sync

_real_sleep = time.sleep
_hidden: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()  # tasks of ours


class OwnLoop(asyncio.AbstractEventLoop):
    """What user code gets as a new loop. It runs on the guest's loop."""

    def __init__(self, loop: WebLoop) -> None:
        self._loop = loop
        self._own_tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self._stopping: asyncio.Future[None] | None = None
        self._running = self._closed = False
        self._debug = False
        self._exception_handler: Any = None

    def own_tasks(self) -> set[asyncio.Task[Any]]:
        """Return its tasks that are not done."""
        return {task for task in self._own_tasks if not task.done()}

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """Make a task on the guest's loop, and own it."""
        self._check_closed()
        task = self._loop.create_task(coro, **options)
        self._own_tasks.add(task)
        return task

    def run_until_complete(self, future: Any) -> Any:
        """Wait for `future`, return its result. Raises RuntimeError if it runs or is closed."""
        self._check_closed()
        if self._running:
            raise RuntimeError("This event loop is already running")
        if asyncio.iscoroutine(future):
            future = self.create_task(future)
        before = events._get_running_loop()
        events._set_running_loop(self._loop)
        self._running = True
        try:
            return run_sync(future)
        finally:
            self._running = False
            events._set_running_loop(before)

    def run_forever(self) -> None:
        """Wait until `stop` is called."""
        self._stopping = self._loop.create_future()
        self.run_until_complete(self._stopping)

    def stop(self) -> None:
        """End `run_forever`."""
        if self._stopping is not None and not self._stopping.done():
            self._stopping.set_result(None)

    def close(self) -> None:
        """Take no more work. Raises RuntimeError while it runs."""
        if self._running:
            raise RuntimeError("Cannot close a running event loop")
        self._closed = True

    def is_running(self) -> bool:
        """Whether code waits in `run_until_complete` or `run_forever`."""
        return self._running

    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    async def shutdown_asyncgens(self) -> None:
        """Do nothing: generators belong to the guest's loop."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Do nothing: there is none."""

    def get_debug(self) -> bool:
        """Return what was set."""
        return self._debug

    def set_debug(self, enabled: bool) -> None:
        """Only note it."""
        self._debug = enabled

    def get_exception_handler(self) -> Any:
        """Return what was set."""
        return self._exception_handler

    def set_exception_handler(self, handler: Any) -> None:
        """Only note it."""
        self._exception_handler = handler

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def __repr__(self) -> str:
        return f"<OwnLoop running={self._running} closed={self._closed}>"

    def _check_closed(self) -> None:
        if self._closed:
            raise RuntimeError("Event loop is closed")


def _passed_on(name: str) -> Callable[..., Any]:
    def method(self: OwnLoop, *args: Any, **options: Any) -> Any:
        return getattr(self._loop, name)(*args, **options)

    return method


for _name in dir(asyncio.AbstractEventLoop):
    if not _name.startswith("_") and _name not in vars(OwnLoop):
        setattr(OwnLoop, _name, _passed_on(_name))
OwnLoop.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]
OwnLoop.__module__ = "pyodide.webloop"


class Runner(asyncio.Runner):  # type: ignore[misc]  # to subclass it is all that is left
    """`asyncio.Runner`, which also runs inside a handler."""

    def __init__(
        self,
        *,
        debug: bool | None = None,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        inside = _loop_that_runs_here() is not None
        super().__init__(debug=debug, loop_factory=None if inside else loop_factory)

    def run(self, coro: Any, **options: Any) -> Any:
        """Run a coroutine and return its result."""
        with _seemingly_outside():
            return super().run(coro, **options)


def run(main: Any, **options: Any) -> Any:
    """`asyncio.run`, which also runs inside a handler."""
    with Runner(**options) as runner:
        return runner.run(main)


def all_tasks(loop: asyncio.AbstractEventLoop | None = None) -> set[asyncio.Task[Any]]:
    """`asyncio.all_tasks`: of a façade its own tasks, and no task of ours."""
    if isinstance(loop, OwnLoop):
        return loop.own_tasks()
    found = asyncio_privates.all_tasks(asyncio.get_running_loop() if loop is None else loop)
    return {task for task in found if task not in _hidden}


def sleep(seconds: float | SupportsIndex, /) -> None:
    """`time.sleep`: in a handler, other requests and runs go on. As in Pyodide."""
    if _loop_that_runs_here() is None or find_scope() is None:
        _real_sleep(seconds)
    else:
        run_sync(asyncio.sleep(float(seconds)))


def install(loop: WebLoop, main: asyncio.Task[Any] | None) -> None:
    """Give user code these in place of asyncio's; `main` is the task that it does not see."""
    if main is not None:
        _hidden.add(main)
    asyncio.run = runners.run = run
    asyncio.Runner = runners.Runner = Runner  # type: ignore[misc]
    asyncio.all_tasks = tasks.all_tasks = all_tasks
    time.sleep = sleep
    policy = getattr(events, "_get_event_loop_policy", events.get_event_loop_policy)()
    real = policy.new_event_loop

    def new_event_loop() -> asyncio.AbstractEventLoop:
        inside = _loop_that_runs_here()
        return real() if inside is None else _own_loop(inside)

    policy.new_event_loop = new_event_loop  # type: ignore[method-assign]


def _own_loop(loop: WebLoop) -> asyncio.AbstractEventLoop:
    made: Any = OwnLoop  # its methods were added above
    own: asyncio.AbstractEventLoop = made(loop)
    return own


def _loop_that_runs_here() -> WebLoop | None:
    loop = guest_loop()
    return loop if loop is not None and loop.is_driven_here() else None


@contextmanager
def _seemingly_outside() -> Iterator[None]:
    """Asyncio's runner refuses to run where a loop runs."""
    loop = _loop_that_runs_here()
    if loop is None:
        yield
        return
    events._set_running_loop(None)
    try:
        yield
    finally:
        events._set_running_loop(loop)
