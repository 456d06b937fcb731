"""The rows of one statement from SQLite: counted, limited, and encoded if there are many.

A small result stays a list of rows. A large one would cost much memory, and much time on the event
loop to encode. So the connection's thread encodes it as tagged JSON, batch by batch, and holds the
interpreter lock only for a short time each.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from bindings.binding import Encoded
from bindings.sql.errors import RESULT_TOO_LARGE
from bindings.sql.limits import RESULT_MAX_BYTES
from bindings.sql.values import Cell, to_rows
from emulator.answers.d1 import Result
from emulator.errors import WorkerError

SMALL_BYTES = 50_000  # what the event loop encodes in a millisecond
_BATCH_ROWS = 32
_BATCH_BYTES = 1_000_000
_NUMBER_BYTES = 8


class EncodedRows:
    """Many rows as one JSON array, in pieces."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def add(self, rows: list[list[Cell]], size_bytes: int) -> int:
        """Add `rows` of about `size_bytes`; return their size as JSON."""
        if size_bytes <= _BATCH_BYTES:
            pieces = [_dump(rows)[1:-1].encode()]
        else:
            pieces = [b"[" + b",".join(_dump(cell).encode() for cell in row) + b"]" for row in rows]
        self._pieces += pieces
        return sum(map(len, pieces))

    def clear(self) -> None:
        """Give the memory back piece by piece, so that other threads run meanwhile."""
        while self._pieces:
            self._pieces.pop()

    def pieces(self) -> Iterator[bytes]:
        """Yield the text of the array."""
        yield b"["
        for index, piece in enumerate(self._pieces):
            if index:
                yield b","
            yield piece
        yield b"]"


def _tagged(cell: object) -> Any:
    if isinstance(cell, bytes):
        return {"$bytes": base64.b64encode(cell).decode("ascii")}
    raise TypeError(f"a cell of type {type(cell).__name__}")


_dump = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), check_circular=False, default=_tagged
).encode


def encoded(results: list[Result], bookmark: str | None) -> Encoded:
    """Return the answer of a call, with `bookmark` if the call belongs to a session."""
    # Joined once: copies of many megabytes take long, and join() releases the interpreter lock for
    # them.
    if bookmark is None:
        return Encoded(b"".join(_array(results)))
    end = b',"bookmark":%b}' % _dump(bookmark).encode()
    return Encoded(b"".join((b'{"results":', *_array(results), end)))


def _array(results: list[Result]) -> Iterator[bytes]:
    for index, result in enumerate(results):
        found = result["results"]
        columns, rows = _dump(found["columns"]).encode(), found["rows"]
        yield b"," if index else b"["
        yield b'{"success":true,"results":{"columns":%b,"rows":' % columns
        if isinstance(rows, EncodedRows):
            yield from rows.pieces()
        else:
            yield _dump(rows).encode()
        yield b'},"meta":%b}' % _dump(result["meta"]).encode()
    yield b"]"


class Room:
    """How many more bytes the results of one call may have."""

    def __init__(self) -> None:
        self._left_bytes = RESULT_MAX_BYTES

    def fetch(
        self, cursor: Iterator[tuple[Any, ...]], encodes: bool
    ) -> tuple[list[list[Cell]] | EncodedRows, int]:
        """Return all rows of `cursor` and their count; many are EncodedRows if `encodes`.

        Raises WorkerError when there is no room for them.
        """
        encoded = EncodedRows()
        try:
            return self._fetch(cursor, encodes, encoded)
        except WorkerError:
            encoded.clear()
            raise

    def _fetch(
        self, cursor: Iterator[tuple[Any, ...]], encodes: bool, encoded: EncodedRows
    ) -> tuple[list[list[Cell]] | EncodedRows, int]:
        rows: list[list[Cell]] = []
        rows_bytes = count = 0
        is_encoded = False
        while batch := to_rows(islice(cursor, _BATCH_ROWS)):
            count += len(batch)
            size_bytes = _size_bytes(batch)
            self._take(size_bytes)
            rows_bytes += size_bytes
            if not is_encoded:
                rows += batch
                if not encodes or rows_bytes <= SMALL_BYTES:
                    continue
                is_encoded, batch, size_bytes = True, rows, rows_bytes
            # Escapes can make text six times as long.
            self._take(max(0, encoded.add(batch, size_bytes) - size_bytes))
        return (encoded if is_encoded else rows), count

    def _take(self, size_bytes: int) -> None:
        self._left_bytes -= size_bytes
        if self._left_bytes < 0:
            raise WorkerError(RESULT_TOO_LARGE)


def _size_bytes(rows: list[list[Cell]]) -> int:
    # The size as JSON, roughly: text as it is, a blob in base64, anything else as a short number.
    total = 0
    for row in rows:
        total += _NUMBER_BYTES * len(row)
        for cell in row:
            kind = type(cell)
            if kind is str:
                total += len(cell) if cell.isascii() else len(cell.encode())
            elif kind is bytes:
                total += len(cell) * 4 // 3
    return total
