"""Checks that an event loop does not stop: every 10 ms it must answer something small.

    with loop_watch():                         # inside a coroutine: the loop it runs on
        await database.run(hostile)
    with server_watch(server.pid, server.url): # a real server: its main thread is its loop
        server.post("/", content=hostile)
    answer = unblocked(server.pid, server.url, lambda: server.post("/", content=hostile))

All fail when one answer took more than `LIMIT_MS` of work, on the loop's own thread or on another
thread that had the interpreter lock. A busy machine does not make them fail: the time in which the
thread waited for a processor is subtracted, and no stall is longer than the computing time of the
process. So waiting for a disk or a lock is not noticed. What a virtual machine takes away cannot be
seen; so `unblocked` tries three times, since only a stall of our own comes back each time.
"""

from __future__ import annotations

import asyncio
import gc
import http.client
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import psutil

T = TypeVar("T")

LIMIT_MS = 100
_PAUSE_S = 0.01
_TRIES = 3
_UNKNOWN_PATH = "/cdn-cgi/watchdog"  # a control path, so that no worker is asked


class StoodStill(AssertionError):
    """The event loop stood still for longer than allowed."""


class _Stall:
    """The longest stall so far, measured from `begin()` to `end()`, again and again."""

    def __init__(self, cpu_s: Callable[[], float], *threads: Path) -> None:
        self.longest_ms = 0.0
        self._cpu_s = cpu_s
        self._threads = threads  # their wait for a processor does not count
        self.begin()

    def begin(self) -> None:
        self.began = (time.monotonic(), self._cpu_s(), self._waited_s())

    def end(self, due_s: float = 0.0) -> None:
        """Something was due `due_s` after `begin()`, and is done now."""
        wall, cpu, waited = self.began
        late = time.monotonic() - wall - due_s - (self._waited_s() - waited)
        self.longest_ms = max(self.longest_ms, 1000 * min(late, self._cpu_s() - cpu))

    def _waited_s(self) -> float:
        # Linux: time on the processor, time waiting for one, both in nanoseconds, and a count.
        return sum(_schedstat(path)[1] for path in self._threads) / 1e9


def _schedstat(path: Path) -> list[int]:
    try:
        return [int(number) for number in path.read_text().split()]
    except OSError:  # not Linux, or the thread is gone
        return [0, 0, 0]


def _thread(pid: int | str, thread_id: int) -> Path:
    return Path(f"/proc/{pid}/task/{thread_id}/schedstat")


@contextmanager
def loop_watch(limit_ms: float = LIMIT_MS) -> Iterator[None]:
    """Fail at the end when the running loop stood still for longer than `limit_ms`."""
    loop = asyncio.get_running_loop()
    stall = _Stall(time.process_time, _thread("self", threading.get_native_id()))

    is_over = False

    def beat() -> None:
        if not is_over:
            stall.end(_PAUSE_S)
            stall.begin()
            loop.call_later(_PAUSE_S, beat)

    loop.call_later(_PAUSE_S, beat)
    gc.freeze()  # a test run holds far more objects than a server: do not look through them
    try:
        with _stack_of(threading.get_ident(), lambda: stall.began[0], limit_ms) as seen:
            yield
    finally:
        is_over = True
        gc.unfreeze()
    stall.end(_PAUSE_S)
    _judge(stall, limit_ms, "".join(seen))


@contextmanager
def server_watch(pid: int, url: str, limit_ms: float = LIMIT_MS) -> Iterator[None]:
    """Fail at the end when the server `pid` at `url` stood still for longer than `limit_ms`."""
    where = urlsplit(url)
    ready, over = threading.Event(), threading.Event()
    failures: list[Exception] = []
    stalls: list[_Stall] = []
    times = psutil.Process(pid).cpu_times

    def ask(connection: http.client.HTTPConnection) -> None:
        connection.request("GET", _UNKNOWN_PATH)
        connection.getresponse().read()

    def watch() -> None:
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        try:
            ask(connection)  # the first one imports the control routes
            mine = _thread("self", threading.get_native_id())
            stalls.append(_Stall(lambda: times().user + times().system, _thread(pid, pid), mine))
            ready.set()
            while not over.is_set():
                stalls[0].begin()
                ask(connection)
                stalls[0].end()
                over.wait(_PAUSE_S)
        except (OSError, psutil.Error, http.client.HTTPException) as error:
            failures.append(error)
        finally:
            ready.set()
            connection.close()

    watcher = threading.Thread(target=watch)
    watcher.start()
    ready.wait()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    assert not failures, f"the server did not answer the watchdog: {failures[0]!r}"
    _judge(stalls[0], limit_ms, "")


def unblocked(pid: int, url: str, action: Callable[[], T], limit_ms: float = LIMIT_MS) -> T:
    """Return what `action()` returns; fail when each of three tries holds the server up."""
    for _ in range(_TRIES - 1):
        with suppress(StoodStill), server_watch(pid, url, limit_ms):
            return action()
    with server_watch(pid, url, limit_ms):
        return action()


@contextmanager
def _stack_of(
    thread_id: int, last_beat: Callable[[], float], limit_ms: float
) -> Iterator[list[str]]:
    """Yield a list that gets the first stack of the thread that is late; it may stay empty."""
    seen: list[str] = []
    over = threading.Event()

    def look() -> None:
        while not seen and not over.wait(limit_ms / 2000):
            if time.monotonic() - last_beat() > limit_ms / 1000:
                seen.extend(traceback.format_stack(sys._current_frames()[thread_id]))

    looker = threading.Thread(target=look)
    looker.start()
    try:
        yield seen
    finally:
        over.set()
        looker.join()


def _judge(stall: _Stall, limit_ms: float, stack: str) -> None:
    where = f"; it was here:\n{stack}" if stack else ""
    if stall.longest_ms > limit_ms:
        raise StoodStill(
            f"the event loop stood still for {stall.longest_ms:.0f} ms,"
            f" more than {limit_ms} ms{where}"
        )
