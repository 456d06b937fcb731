"""Credit windows: how fast a body may be sent, decided by its reader. Sans-I/O.

Each direction of an exchange has a window of `WINDOW_BYTES`. A sender takes from it before it sends
Data and waits when it is empty; a receiver gives back with Credit what its consumer has taken. One
slow reader thus holds up its own body and nothing else on the connection.
"""

from __future__ import annotations

WINDOW_BYTES = 256 * 1024
CHUNK_BYTES = 64 * 1024
# A step's stream: how it is cut, and how many pieces may be on their way to the disk.
OUTPUT_CHUNK_BYTES = 256 * 1024  # workers-sdk workflows-shared/src/lib/streams.ts
OUTPUT_WINDOW_CHUNKS = 4
_CREDIT_AFTER_BYTES = WINDOW_BYTES // 4


class SendWindow:
    """The sender's side: how much the peer has room for."""

    def __init__(self) -> None:
        self.room = WINDOW_BYTES

    def take(self, wanted: int) -> int:
        """Return how many of `wanted` bytes may be sent now (0: wait for Credit)."""
        granted = min(wanted, self.room, CHUNK_BYTES)
        self.room -= granted
        return granted

    def credit(self, amount: int) -> None:
        """The peer has room for `amount` more bytes."""
        self.room += amount


class ReceiveWindow:
    """The receiver's side: when to tell the peer that there is room again."""

    def __init__(self) -> None:
        self._room = WINDOW_BYTES
        self._consumed = 0

    def received(self, amount: int) -> bool:
        """Count bytes that arrived; return False when the peer sent more than it may."""
        self._room -= amount
        return self._room >= 0

    def consumed(self, amount: int) -> int:
        """Count bytes the consumer took; return how much Credit to send now (0: none yet)."""
        self._consumed += amount
        if self._consumed < _CREDIT_AFTER_BYTES:
            return 0
        credit, self._consumed = self._consumed, 0
        self._room += credit
        return credit
