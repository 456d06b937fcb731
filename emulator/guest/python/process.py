"""A freshly forked child becomes a guest: its descriptors, its streams, its event loop.

It never returns: the process always ends here.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import socket
import sys
import time
import traceback
from types import FrameType
from typing import NoReturn

from ...protocol.life import STUCK_IN
from . import scope
from .connection import Connection
from .debugging import breakpoints
from .guest import Guest
from .labelled import LabelledStream
from .loop import asyncio_privates, own_loops
from .loop.web_loop import WebLoop, guest_loop, set_guest_loop

_CRASHED = 70  # sysexits.h EX_SOFTWARE


def become_guest(generation: int, connection: int, out: int, err: int, terminal: str) -> NoReturn:
    """Run one generation of user code over `connection` until either side ends it.

    terminal: where debuggers may ask a person, the path of a device, or "".
    """
    try:
        _take_streams(out, err)
        faulthandler.enable()
        # The host asks with SIGUSR1 what a guest that does not answer is doing.
        signal.signal(signal.SIGUSR1, _tell_for_whom)
        faulthandler.register(signal.SIGUSR1, all_threads=True, chain=True)
        os.environ["TZ"] = "UTC"  # Workers run in UTC
        time.tzset()
        sys.dont_write_bytecode = True
        with asyncio.Runner(loop_factory=WebLoop) as runner:
            runner.run(_converse(generation, socket.socket(fileno=connection), terminal))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(_CRASHED)


def _tell_for_whom(number: int, frame: FrameType | None) -> None:
    """Say on whose behalf code runs. This runs in the first thread; another may drive the loop."""
    loop = guest_loop()
    context = None
    if loop is not None and not loop.is_driven_here():
        driver = sys._current_frames().get(asyncio_privates.thread_of(loop) or 0)
        context = asyncio_privates.context_that_runs(driver)
    current = scope.find() if context is None else scope.find_in(context)
    if current is not None:
        whom = f"workflow run {current.run}" if current.run else "a request"
        os.write(2, f"{STUCK_IN}{whom}\n".encode())


def _take_streams(out: int, err: int) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (out, 1), (err, 2)):
        os.dup2(source, target)
        os.close(source)
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    sys.stdout = _line_buffered(1)
    sys.stderr = _line_buffered(2)
    sys.stderr.level = "warn"


def _line_buffered(descriptor: int) -> LabelledStream:
    raw = open(descriptor, "wb", closefd=False)
    return LabelledStream(raw, "utf-8", "backslashreplace", line_buffering=True)


async def _converse(generation: int, host: socket.socket, terminal: str) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WebLoop)
    set_guest_loop(loop)
    own_loops.install(loop, asyncio.current_task())
    connection = Connection(loop, host)
    guest = Guest(loop, generation, connection.send, connection.close, connection.ask)
    connection.attach(guest.receive)
    await loop.create_unix_connection(lambda: connection, sock=host)
    breakpoints.install(connection, terminal)
    await asyncio.Event().wait()
