"""Watches whether the state of a running server is still in its place.

When files were removed, the server acknowledges nothing more (`emulator.sqlite.DatabaseFile`).
This module notices it even without requests, and creates the lock and `dev.json` again. So a second
server on the directory is still refused, and commands still find the running server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from emulator.errors import StateError
from emulator.lock import Lock
from emulator.state import RunningServer, State

LOOK_EVERY_S = 0.25


class Custody:
    """Watches the state directory of one server.

    server: the content of `dev.json`, if it listens. look: notices and reports removed files that
    are in use. tell: reports what is noticed here.
    """

    def __init__(
        self,
        state: State,
        lock: Lock,
        server: RunningServer | None,
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
        """Look again and again, until it is cancelled."""
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
            if self._server is not None and not self._state.is_announced:
                self._state.write_server(self._server)
        except StateError as error:  # another server was faster, or the disk refuses
            if str(error) != self._told:
                self._told = str(error)
                self._tell(self._told)
