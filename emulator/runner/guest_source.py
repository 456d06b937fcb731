"""Where a runner gets guest processes from, in whatever language the guests are written.

A source belongs to its maker. It outlives the runners that use it, so that stopping one worker
does not stop the guests of another.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from emulator.engine.guests.blame import Cause


class Ending(NamedTuple):
    """How a guest process ended: `"exited with status 3"`, and who did it."""

    text: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class GuestProcess:
    """A fresh guest process and the host's ends of what connects it.

    `exited` is resolved with how it ended.
    """

    pid: int
    socket: socket.socket
    stdout: int
    stderr: int
    exited: asyncio.Future[Ending]

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Signal the process if it has not ended."""
        if not self.exited.done():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass  # it ended; the report is on its way


class GuestSource(Protocol):
    """Starts guest processes, for any number of runners at a time."""

    async def start(self) -> None:
        """Get ready to start guests. Raises GuestError."""
        ...

    async def new_guest(self, generation: int) -> GuestProcess:
        """Return a process that waits for `load`. Raises GuestError with the reason it cannot."""
        ...

    async def stop(self) -> None:
        """End every remaining guest, and the process that started them."""
        ...
