"""Whether the state of a running server is still where it was: looked at again and again.

What was removed is lost to the server, and it acknowledges nothing more (`emulator.sqlite.Place`).
Here that is noticed although nobody asks for anything, and the lock and `dev.json` are put back: so
a second server on the directory is refused as before, and commands still find the one that runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from emulator.errors import StateError
from emulator.lock import Lock
from emulator.state import RunningServer, State

LOOK_EVERY_S = 0.25


class Custody:
    """Watches over the state directory of one server.

    look: notices, and tells, what of the files in use was removed. tell: for what is noticed here.
    """

    def __init__(
        self,
        state: State,
        lock: Lock,
        server: RunningServer,
        look: Callable[[], None],
        tell: Callable[[str], None],
    ) -> None:
        self._state = state
        self._lock = lock
        self._server = server
        self._look = look
        self._tell = tell
        self._told = ""

    async def keep(self) -> None:
        """Look until it is cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Look once."""
        self._look()
        try:
            if not self._lock.is_in_place():
                self._state.prepare()
                self._lock.take()
            if not self._state.is_announced:
                self._state.write_server(self._server)
        except StateError as error:  # another server was quicker, or the disk refuses
            if str(error) != self._told:
                self._told = str(error)
                self._tell(self._told)
