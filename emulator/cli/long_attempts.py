"""Which attempts are in flight, so that those that take long are announced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from emulator.engine.model.entries import Entry

LOOK_EVERY_S = 0.75  # what is in flight at two looks is announced


class RunningAttempts:
    """Knows the attempts in flight, and passes each to `announce` once, if it takes long.

    There is one timer for all, and only while an attempt is in flight: a step that is quick costs
    two changes of a dict.
    """

    def __init__(
        self, announce: Callable[[Entry], None], look_every_s: float = LOOK_EVERY_S
    ) -> None:
        self._look_every_s = look_every_s
        self._announce = announce
        self._begun: dict[int, dict[str, Entry]] = {}  # by instance and step
        self._seen: dict[int, Entry] = {}  # at the last look, by identity
        self._told: dict[int, Entry] = {}
        self._looks = False

    def began(self, entry: Entry) -> None:
        """An attempt has begun."""
        self._begun.setdefault(entry.instance, {})[entry.step] = entry
        if not self._looks:
            self._looks = True
            asyncio.get_running_loop().call_later(self._look_every_s, self._look)

    def ended(self, entry: Entry) -> int | None:
        """An attempt has ended; return how long it took, in milliseconds, if that is known."""
        steps = self._begun.get(entry.instance)
        start = steps.pop(entry.step, None) if steps else None
        return None if start is None else entry.at_ms - start.at_ms

    def forget(self, instance: int) -> None:
        """An instance has ended, or begins anew."""
        self._begun.pop(instance, None)

    def _look(self) -> None:
        now = {id(entry): entry for steps in self._begun.values() for entry in steps.values()}
        long = {number: entry for number, entry in now.items() if number in self._seen}
        for number, entry in long.items():
            if number not in self._told:
                self._announce(entry)
        self._told, self._seen = long, now
        self._looks = bool(now)
        if now:
            asyncio.get_running_loop().call_later(self._look_every_s, self._look)
