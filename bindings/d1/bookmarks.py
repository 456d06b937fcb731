"""Bookmarks: the name of a database's state, handed out to sessions.

Owns their form and their order. A local database has one copy only. So a session never waits for a
bookmark, and the content of a bookmark from a client is never read.
They have 8-8-8-32 hexadecimal digits, and a later one is greater when compared as text.
Source: docs/platform/d1.md, "Sessions".
"""

from __future__ import annotations

from hashlib import sha256


class Bookmarks:
    """The bookmarks of one open database; `identity` makes them different from another database's.

    A bookmark begins with the time at which the database was opened, so that those of an earlier
    server are older. Then it counts the calls that the connection for writing has committed since.
    """

    def __init__(self, identity: str, opened_ms: int) -> None:
        self._prefix = f"{opened_ms >> 32:08x}-{opened_ms & 0xFFFFFFFF:08x}"
        self._suffix = sha256(identity.encode(errors="replace")).hexdigest()[:32]
        self._commits = 0

    def advance(self) -> None:
        """A call was committed: now the database has another state."""
        self._commits += 1

    def current(self) -> str:
        """Return the bookmark of the present state, such as `0000019a-8f2c31aa-00000003-8e61…`."""
        return f"{self._prefix}-{self._commits:08x}-{self._suffix}"
