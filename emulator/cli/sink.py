"""Where the lines of a server go: its standard output and standard error.

Lines are collected for some milliseconds and passed to an `Outlet` together, so that a worker that
prints much costs one write and not thousands.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import TextIO

from emulator.cli.outlet import Outlet

GATHER_S = 0.005


class Sink:
    """Collects lines for both streams, in the order in which they are told."""

    def __init__(self) -> None:
        self._pending: list[tuple[TextIO, str]] = []
        self._outlets = _outlets((sys.stdout, sys.stderr))
        self._collects = False  # until `flush` is called
        self.ahead_s = time.localtime().tm_gmtoff  # of UTC, in which the process may live later
        self.coloured = {
            stream: stream.isatty() and "NO_COLOR" not in os.environ for stream in self._outlets
        }

    def write(self, stream: TextIO, text: str) -> None:
        """Write a line, or several with their line breaks, soon and in order."""
        self._pending.append((stream, text))
        if self._collects:
            return
        try:
            asyncio.get_running_loop().call_later(GATHER_S, self.flush)
        except RuntimeError:  # no event loop: before the server runs, or after
            self.flush()
        else:
            self._collects = True

    def flush(self) -> None:
        """Pass on everything collected so far."""
        self._collects = False
        taken, self._pending = self._pending, []
        for stream, told in groupby(taken, itemgetter(0)):
            self._outlets[stream].write(stream, [text for _, text in told])

    def close(self) -> None:
        """Write everything collected, if somebody reads it; later lines are not written."""
        self.flush()
        for outlet in set(self._outlets.values()):
            outlet.close()


def _outlets(streams: Iterable[TextIO]) -> dict[TextIO, Outlet]:
    """Return an outlet for each stream; streams of the same file share one."""
    files = {stream: os.fstat(stream.fileno()) for stream in streams}
    outlets = {file: Outlet() for file in {(each.st_dev, each.st_ino) for each in files.values()}}
    return {stream: outlets[file.st_dev, file.st_ino] for stream, file in files.items()}
