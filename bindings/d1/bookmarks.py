"""Bookmarks: the name of a database's state, handed out to sessions.

Owns their form and their order. There is one copy of a local database, so a session never has to
wait for a bookmark, and one it brings along is never looked into.
They have 8-8-8-32 hexadecimal digits and grow, read as text.
Source: docs/platform/d1.md, "Sessions".
"""

from __future__ import annotations

from hashlib import sha256


class Bookmarks:
    """The bookmarks of one open database; `identity` tells its own from another's.

    A bookmark begins with the time the database was opened, so that those of an earlier server are
    older, and counts the calls that were committed since by the connection for writing.
    """

    def __init__(self, identity: str, opened_ms: int) -> None:
        self._prefix = f"{opened_ms >> 32:08x}-{opened_ms & 0xFFFFFFFF:08x}"
        self._suffix = sha256(identity.encode(errors="replace")).hexdigest()[:32]
        self._commits = 0

    def advance(self) -> None:
        """A call was committed: what comes after it is another state."""
        self._commits += 1

    def current(self) -> str:
        """Return the bookmark of the state now, such as `0000019a-8f2c31aa-00000003-8e61…`."""
        return f"{self._prefix}-{self._commits:08x}-{self._suffix}"
