"""Sends a guest messages about runs as fast as it reads: histories, starts, large answers.

At most one window of bytes is on the way. The rest are iterators, which make the next message when
there is room for it. So the host keeps little in memory, and a request that comes meanwhile does
not wait behind everything that is due.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

from emulator.protocol.message import Message
from emulator.protocol.runs import RunAbort, RunStart

WINDOW_BYTES = 2 * 1024 * 1024
RUN_BYTES = 64 * 1024  # what starting a run counts for: code runs then, which takes time
BURST_RUN_BYTES = RUN_BYTES // 4  # the same, while the guest reads fast enough
AT_ONCE = 4  # runs whose histories are on the way; their messages take turns

MARK_BYTES = WINDOW_BYTES // 4
Parcel = Iterator[Message]


class Reader(Protocol):
    """What a feed needs of a guest."""

    def send(self, message: Message) -> None: ...
    def when_read(self, callback: Callable[[], None]) -> None:
        """Call `callback` once the guest has read everything that it was sent so far."""
        ...


class Feed:
    """The feed of one guest.

    A parcel makes messages one by one, each when it is sent. A parcel that is no longer needed
    ends. `has_room_again` is called when there may be room for another.
    """

    def __init__(self, guest: Reader, has_room_again: Callable[[], None] = lambda: None) -> None:
        self._guest = guest
        self._has_room_again = has_room_again
        self._parcels: deque[Parcel] = deque()
        self._unread = 0  # bytes, or what counts as such
        self._unmarked = 0  # the part of them for which no `when_read` was asked yet
        self._sending = False
        self._is_behind = False  # the window was full, and was not nearly empty since
        self._aborting = 0
        self.sent = 0  # messages, since the beginning

    def __len__(self) -> int:
        """Return how many parcels are not sent completely."""
        return len(self._parcels)

    @property
    def has_room(self) -> bool:
        """Whether another run may be started now."""
        return len(self._parcels) < AT_ONCE and self._unread < WINDOW_BYTES

    def put(self, parcel: Parcel) -> None:
        """Send the messages of a parcel in order, as fast as there is room."""
        self._parcels.append(parcel)
        self._send_on()

    @property
    def is_aborting(self) -> bool:
        """Whether code of an ended run may still work: its guest has not read of the end yet."""
        return self._aborting > 0

    def abort(self, run: int, *, works: bool) -> None:
        """Tell the guest at once that a run is over. works: code of it may be working."""
        self._guest.send(RunAbort(run))
        if works:
            self._aborting += 1
            self._guest.when_read(self._abort_was_read)

    def _abort_was_read(self) -> None:
        self._aborting -= 1

    def stop(self) -> None:
        """Send nothing more: the guest is gone."""
        self._parcels.clear()

    def _send_on(self) -> None:
        if self._sending:  # a parcel has put another
            return
        self._sending = True
        try:
            while self._parcels and self._unread < WINDOW_BYTES:
                parcel = self._parcels.popleft()
                message = next(parcel, None)
                if message is not None:
                    self._parcels.append(parcel)
                    self._send(message)
        finally:
            self._sending = False

    def _send(self, message: Message) -> None:
        size = len(getattr(message, "payload", b""))
        if type(message) is RunStart:
            size += RUN_BYTES if self._is_behind else BURST_RUN_BYTES
        self.sent += 1
        self._unread += size
        self._unmarked += size
        self._is_behind |= self._unread >= WINDOW_BYTES
        self._guest.send(message)
        if self._unmarked >= MARK_BYTES:
            amount, self._unmarked = self._unmarked, 0
            self._guest.when_read(partial(self._was_read, amount))

    def _was_read(self, amount: int) -> None:
        self._unread -= amount
        self._is_behind &= self._unread >= MARK_BYTES
        self._send_on()
        if self.has_room:
            self._has_room_again()
