"""The loop of a guest, which Pyodide calls `WebLoop`: user code cannot end it, and may wait in it.

What would run in another thread runs at once, as in Pyodide, which has only one.
Source: https://github.com/pyodide/pyodide/blob/main/src/py/pyodide/webloop.py
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import threading
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any, TypeVar

from .. import scope
from . import asyncio_privates
from .handing_over import HandingOver

_T = TypeVar("_T")
THREADS_MAX = 64  # requests to other servers that wait at a time
NO_SUSPENDER = "No suspender"  # Pyodide's text, which libraries compare


class WebLoop(asyncio.SelectorEventLoop):
    """The one loop of a guest."""

    def __init__(self) -> None:
        super().__init__()
        self.handing_over = HandingOver(self)
        self._has_threads = False

    def is_driven_here(self) -> bool:
        """Whether the calling code runs in a callback of this loop."""
        return asyncio_privates.thread_of(self) == threading.get_ident()

    def run_until_complete(self, future: Any) -> Any:
        """In a callback of the loop wait for `future` and return its result, as `run_sync` does."""
        if self.is_running() and self.is_driven_here():
            return self.run_sync(future)
        return super().run_until_complete(future)

    def run_sync(self, awaitable: Awaitable[_T]) -> _T:
        """Return the result of `awaitable` while the loop goes on. Raises what it raises.

        Raises RuntimeError outside of a request or workflow run, and if too many wait.
        """
        _check_suspender()
        future: asyncio.Future[_T] = asyncio.ensure_future(awaitable, loop=self)
        try:
            if not future.done():
                self.handing_over.wait_for(future)
            return future.result()
        except BaseException:
            if future is not awaitable and not future.done():
                future.cancel()  # nobody waits for it
            raise
        finally:
            del future  # its exception has a traceback that leads here

    # --- what user code cannot do to it

    def run_forever(self) -> None:
        """Do nothing if it runs."""
        if not self.is_running():
            super().run_forever()

    def stop(self) -> None:
        """Do nothing in a request or run."""
        if scope.find() is None:
            super().stop()

    def close(self) -> None:
        """Do nothing while it runs."""
        if not self.is_running():
            super().close()

    async def shutdown_asyncgens(self) -> None:
        """Do nothing: those of other requests may run."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Do nothing: nothing runs in one."""

    # --- threads

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Call `func(*args)` at once; a future has the outcome."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            future.set_exception(error)
        return future

    def in_thread(self, func: Callable[..., _T], *args: Any) -> asyncio.Future[_T]:
        """Call `func(*args)` in another thread: for what user code does not see."""
        if not self._has_threads:
            self._has_threads = True
            threads = concurrent.futures.ThreadPoolExecutor(THREADS_MAX, "groundfog thread")
            self.set_default_executor(threads)
        future: asyncio.Future[_T] = super().run_in_executor(None, func, *args)
        return future

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """Look a name up, in another thread."""
        return await self.in_thread(_getaddrinfo, host, port, options)

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:
        """Look an address up, in another thread."""
        return await self.in_thread(_getnameinfo, sockaddr, flags)


def guest_loop() -> WebLoop | None:
    """Return the loop of this guest; None in the forkserver."""
    return _loop


def set_guest_loop(loop: WebLoop) -> None:
    """Make `loop` the one of this guest."""
    global _loop
    _loop = loop


def run_sync(awaitable: Awaitable[_T]) -> _T:
    """Wait for `awaitable` in synchronous code of any thread; see `WebLoop.run_sync`."""
    if _loop is None:
        raise RuntimeError(NO_SUSPENDER)
    if _loop.is_driven_here():
        return _loop.run_sync(awaitable)
    return on_guest_loop(lambda: awaitable).result()


def interrupt(of: scope.Scope, error: type[BaseException]) -> set[asyncio.Task[Any] | None]:
    """Raise `error` where synchronous code of a request or run waits; return what waited."""
    return set() if _loop is None else _loop.handing_over.interrupt(of, error)


def can_run_sync() -> bool:
    """Return whether `run_sync` can wait here."""
    return _loop is not None and scope.find() is not None


def on_guest_loop(make: Callable[[], Awaitable[_T]]) -> concurrent.futures.Future[_T]:
    """From another thread: await `make()` on the guest's loop, in a copy of this context."""
    assert _loop is not None
    _check_suspender()
    loop, outcome = _loop, concurrent.futures.Future[_T]()

    async def awaited() -> None:
        try:
            made = make()
            outcome.set_result(await made if inspect.isawaitable(made) else made)
        except BaseException as error:
            outcome.set_exception(error)

    context = copy_context()
    loop.call_soon_threadsafe(lambda: loop.create_task(awaited(), context=context))
    return outcome


def _check_suspender() -> None:
    if scope.find() is None:
        error = RuntimeError(NO_SUSPENDER)
        error.add_note(
            "run_sync works in a handler or workflow run: not while the worker is loaded, and in a "
            "thread only if contextvars.copy_context().run started its work there."
        )
        raise error
    scope.current()  # raises in a run that was dropped


def _getaddrinfo(host: Any, port: Any, options: dict[str, Any]) -> Any:
    import socket

    return socket.getaddrinfo(host, port, **options)


def _getnameinfo(sockaddr: Any, flags: int) -> Any:
    import socket

    return socket.getnameinfo(sockaddr, flags)


_loop: WebLoop | None = None
WebLoop.__module__ = "pyodide.webloop"
