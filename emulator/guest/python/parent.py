"""A guest ends when the process that forked it has ended, however busy the guest is.

The host and the forkserver end their guests. If both are killed, as when memory is short, the
kernel ends the guests; where it cannot, a thread does that sees the host's socket close.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def _find_prctl() -> Callable[[int, int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        import ctypes

        prctl: Callable[[int, int], int] = ctypes.CDLL(None).prctl
        return prctl
    except (ImportError, OSError, AttributeError):  # a Python without ctypes
        return None


_prctl = _find_prctl()  # once, before guests are forked


def end_with(parent: int, connection: int) -> None:
    """In a fork of `parent`, whose one thread has forked it: end when that process does.

    connection: the socket to the host, needed if the kernel sends no signal.
    """
    if _prctl is None or _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        end_at_hang_up(connection)
    elif os.getppid() != parent:  # it ended before the kernel was asked
        os._exit(1)


def end_at_hang_up(connection: int) -> None:
    """End this process once the other side of a socket is closed."""
    watched = os.dup(connection)  # the number may be another file's by then
    threading.Thread(target=_watch, args=(watched,), name="host", daemon=True).start()


def _watch(connection: int) -> None:
    poll = select.poll()
    poll.register(connection, 0)  # a hang-up is always reported
    while not any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll()):
        pass
    os.kill(os.getpid(), signal.SIGKILL)
