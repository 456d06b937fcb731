"""Stored streams: the bytes that attempts have returned, in pieces."""

from __future__ import annotations

from collections.abc import Callable, Collection

from emulator.engine.journal.batch import Rows
from emulator.engine.journal.reader import Reader

# Each instance is found by one look into the index, for any number of chunks.
_WITH_CHUNKS = (
    "WITH RECURSIVE found (key) AS (SELECT min(instance) FROM stream_chunks UNION ALL"
    " SELECT (SELECT min(instance) FROM stream_chunks WHERE instance > key)"
    " FROM found WHERE key IS NOT NULL) SELECT key FROM found WHERE key IS NOT NULL"
)
_STREAMS = "SELECT DISTINCT stream FROM stream_chunks WHERE instance = ?"
_CHUNK = "SELECT chunk FROM stream_chunks WHERE stream = ? AND position = ? AND instance = ?"
_EXTENT = (
    "SELECT count(*), min(position), max(position), ifnull(sum(length(chunk)), 0)"
    " FROM stream_chunks WHERE stream = ? AND instance = ?"
)
_BYTES = "SELECT ifnull(sum(length(chunk)), 0) FROM stream_chunks WHERE instance = ?"


class Chunks:
    """The streams of a journal. Reads raise StateError, and do not see what is still to be written.

    pending: returns what is still to be written, of any instance. rows_of: returns where to record
    something of one. next_id: returns an id that no entry and no stream has.
    """

    def __init__(
        self,
        reader: Reader,
        pending: Callable[[], Rows],
        rows_of: Callable[[int], Rows],
        next_id: Callable[[], int],
    ) -> None:
        self._reader = reader
        self._pending = pending
        self._rows_of = rows_of
        self.new = next_id  # the number of a new stream: an entry's, so it is given once
        self._keys = {int(key) for (key,) in reader.select(_WITH_CHUNKS)}

    def add(self, key: int, stream: int, position: int, chunk: bytes) -> None:
        """Record a piece of a stream of an instance."""
        self._keys.add(key)
        self._rows_of(key).chunks.append((stream, position, key, chunk))

    def drop(self, key: int, stream: int) -> None:
        """Delete all stored pieces of a stream."""
        self._rows_of(key).drop_stream(stream)

    def keep(self, key: int, kept: Collection[int]) -> None:
        """Delete the streams of an instance that are not in `kept`."""
        found = {stream for (stream,) in self._reader.select(_STREAMS, (key,))}
        found |= {row[0] for row in self._pending().chunks if row[2] == key}
        for stream in found.difference(kept):
            self.drop(key, stream)

    def has(self, key: int) -> bool:
        """Whether an instance may have streams."""
        return key in self._keys

    def chunk(self, key: int, stream: int, position: int) -> bytes | None:
        """Return a piece of a stream of an instance, or None."""
        found = self._reader.first(_CHUNK, (stream, position, key))
        return found[0] if found else None

    def extent(self, key: int, stream: int) -> tuple[int, int | None, int | None, int]:
        """Return how many chunks a stream has, the first and last position, and its bytes."""
        count, first, last, size = self._reader.first(_EXTENT, (stream, key)) or (0, None, None, 0)
        return count, first, last, size

    def bytes_of(self, key: int) -> int:
        """Return how many bytes all streams of an instance have."""
        found = self._reader.first(_BYTES, (key,))
        return int(found[0]) if found else 0
