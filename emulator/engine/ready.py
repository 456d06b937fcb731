"""Who runs next: instances that wake up before new ones, each in order, within `concurrency`.

Source: docs "Limits": only running instances count; one that wakes has priority over queued ones.
"""

from __future__ import annotations

from collections import OrderedDict


class ReadyQueue:
    """The queue of instances to start, and the places that running ones take up."""

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self._active: set[int] = set()
        self._waking: OrderedDict[int, None] = OrderedDict()
        self._new: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waking) + len(self._new)

    def __contains__(self, key: int) -> bool:
        return key in self._waking or key in self._new

    def add(self, key: int, waking: bool) -> None:
        """Queue an instance once."""
        if key not in self:
            (self._waking if waking else self._new)[key] = None

    def take(self) -> int | None:
        """Return the next instance to start; None when there is none, or no place for it."""
        if len(self._active) >= self.concurrency or not (self._waking or self._new):
            return None
        return (self._waking or self._new).popitem(last=False)[0]

    def remove(self, key: int) -> None:
        """Take an instance out of the queue and free its place."""
        self._waking.pop(key, None)
        self._new.pop(key, None)
        self._active.discard(key)

    def occupy(self, key: int) -> None:
        """The instance runs and takes up a place."""
        self._active.add(key)

    def vacate(self, key: int) -> None:
        """The instance waits or has ended; its place is free."""
        self._active.discard(key)
