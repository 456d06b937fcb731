"""Writes lines for the terminal on a thread, never on the event loop's thread.

A write may wait for ever, if the terminal is stopped (Ctrl-S) or nobody scrolls the pager. Then
only the thread waits. Lines are kept up to a limit; further lines are left out and counted.

The first line is written at once. Lines that follow within `GATHER_S` are written together, because
the thread takes the interpreter from the event loop each time it wakes.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TextIO

from emulator.words import counted

KEPT_MAX_BYTES = 1_000_000  # of waiting lines
GATHER_S = 0.05
CLOSE_WAIT_S = 1.0  # for the last lines; after that they are lost


class Outlet:
    """One file for lines. Any thread may use it.

    If standard output and standard error are the same file, they share one outlet, so that lines
    keep their order.
    """

    def __init__(self, kept_max_bytes: int = KEPT_MAX_BYTES) -> None:
        self._kept_max_bytes = kept_max_bytes
        self._waiting: deque[tuple[int, bytes]] = deque()  # descriptor, whole lines
        self._bytes = 0  # of the lines that wait or are being written
        self._left_out = 0  # lines, after the last one that was kept
        self._left_out_of = 0  # the descriptor that they were for
        self._closed = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._write_all, name="output", daemon=True)
        self._thread.start()

    def write(self, stream: TextIO, lines: Sequence[str]) -> None:
        """Write `lines` to `stream` soon, in order; beyond the limit they are only counted."""
        encoding = stream.encoding or "ascii"
        data = ("\n".join(lines) + "\n").encode(encoding, "backslashreplace")
        with self._changed:
            if self._bytes and self._bytes + len(data) > self._kept_max_bytes:
                self._left_out += len(lines)
                self._left_out_of = stream.fileno()
                return
            if self._left_out:
                data = _gap(self._left_out) + data
                self._left_out = 0
            self._waiting.append((stream.fileno(), data))
            self._bytes += len(data)
            self._changed.notify()

    def close(self, wait_s: float = CLOSE_WAIT_S) -> None:
        """Write the waiting lines, for `wait_s` seconds at most."""
        with self._changed:
            self._closed.set()
            self._changed.notify()
        self._thread.join(wait_s)

    def _write_all(self) -> None:
        while True:
            with self._changed:
                if not self._waiting and self._left_out:  # perhaps no line comes after them
                    told, self._left_out = _gap(self._left_out), 0
                    self._waiting.append((self._left_out_of, told))
                    self._bytes += len(told)
                while not self._waiting and not self._closed.is_set():
                    self._changed.wait()
                if not self._waiting:
                    return
                taken, self._waiting = self._waiting, deque()
            for descriptor, data in _joined(taken):
                try:
                    _write(descriptor, data)
                except OSError:  # nobody reads any more; the server goes on
                    pass
                with self._changed:
                    self._bytes -= len(data)
            self._closed.wait(GATHER_S)


def _joined(pieces: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Yield what goes to one descriptor without a break as one piece."""
    for descriptor, group in groupby(pieces, itemgetter(0)):
        yield descriptor, b"".join(data for _, data in group)


def _gap(lines: int) -> bytes:
    return f"… {counted(lines, 'line')} left out: nobody read them in time\n".encode()


def _write(descriptor: int, data: bytes) -> None:
    """Write all of `data`, however long it takes. Raises OSError when nobody reads any more.

    It does not use the stream object: its lock could stay locked for ever, and the process needs
    the lock to end.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:  # another program has made the shared terminal non-blocking
            select.select([], [descriptor], [])
