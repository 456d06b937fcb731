"""Reads that lag behind writes, as in production's other locations: what was read is kept a while.

Source: docs/platform/kv.md, "Consistency".
"""

from __future__ import annotations

from collections import OrderedDict

from bindings.kv.namespace import Entry

KEPT_MAX = 10_000  # keys


class Seen:
    """What reads have seen of each key, also that it is missing, and until when that is answered.

    lag_ms: how long at least. 0: nothing is kept.
    """

    def __init__(self, lag_ms: int) -> None:
        self._lag_ms = lag_ms
        self._kept: OrderedDict[bytes, tuple[int, Entry | None]] = OrderedDict()

    def look(self, key: bytes, now_ms: int) -> tuple[bool, Entry | None]:
        """Return whether an answer is kept for a key, and that answer."""
        until_ms, entry = self._kept.get(key, (0, None))
        return until_ms > now_ms, entry

    def keep(self, key: bytes, entry: Entry | None, now_ms: int, cache_ttl_s: int | None) -> None:
        """Remember what was read just now."""
        if not self._lag_ms:
            return
        span_ms = max(self._lag_ms, (cache_ttl_s or 0) * 1000)
        self._kept[key] = now_ms + span_ms, entry
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
