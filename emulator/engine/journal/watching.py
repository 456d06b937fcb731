"""Who waits for news of an instance: called after each commit that concerns it."""

from __future__ import annotations

from collections.abc import Callable, Collection

Callback = Callable[[], None]


class Watchers:
    """Callbacks by the key of an instance. Use from the event loop's thread only."""

    def __init__(self) -> None:
        self.is_open = True  # False: nothing is to come
        self._callbacks: dict[int, list[Callback]] = {}

    def add(self, key: int, callback: Callback) -> None:
        """Call `callback` after every commit that concerns an instance, and once at `close`."""
        self._callbacks.setdefault(key, []).append(callback)

    def remove(self, key: int, callback: Callback) -> None:
        """Stop calling `callback`; one that was removed already is no error."""
        callbacks = self._callbacks.get(key, [])
        if callback in callbacks:
            callbacks.remove(callback)
            if not callbacks:
                del self._callbacks[key]

    def wake(self, keys: Collection[int]) -> None:
        """Call those who wait for news of these instances."""
        if not self._callbacks:
            return
        for key in self._callbacks.keys() & keys:
            for callback in list(self._callbacks.get(key, ())):
                callback()

    def close(self) -> None:
        """Let everyone who waits for news go: the host is about to stop."""
        self.is_open = False
        self.wake(list(self._callbacks))
