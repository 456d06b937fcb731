"""Callbacks for news of an instance: called after each commit about it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

Callback = Callable[[], None]


class Watchers:
    """Callbacks by the key of an instance. Use from the event loop's thread only."""

    def __init__(self) -> None:
        self.is_open = True  # False: there will be no more news
        self._callbacks: dict[int, list[Callback]] = {}
        self._of_any: list[Callback] = []

    def __len__(self) -> int:
        return len(self._callbacks)

    def add(self, key: int, callback: Callback) -> None:
        """Call `callback` after every commit about an instance, and once at `close`."""
        self._callbacks.setdefault(key, []).append(callback)

    def remove(self, key: int, callback: Callback) -> None:
        """Stop calling `callback`; it may be removed already."""
        callbacks = self._callbacks.get(key, [])
        if callback in callbacks:
            callbacks.remove(callback)
            if not callbacks:
                del self._callbacks[key]

    @contextmanager
    def any(self, callback: Callback) -> Iterator[None]:
        """Call `callback` after every commit, whatever it is about, while the block runs."""
        self._of_any.append(callback)
        try:
            yield
        finally:
            self._of_any.remove(callback)

    def wake(self, keys: Collection[int]) -> None:
        """Call the callbacks of these instances."""
        for callback in self._of_any:
            callback()
        if not self._callbacks:
            return
        for key in self._callbacks.keys() & keys:
            for callback in list(self._callbacks.get(key, ())):
                callback()

    def close(self) -> None:
        """Call all callbacks a last time: the host is about to stop."""
        self.is_open = False
        self.wake(list(self._callbacks))
