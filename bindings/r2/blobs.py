"""The bytes of objects: short ones in memory, on their way to the database; long ones in files.

A file is written once, made durable, and only then named in the database. A file that is read stays
until its readers have ended, also when its object is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from msgspec import Struct

from bindings.r2.errors import too_large
from emulator.clock import SystemClock
from emulator.disk import make_folder, sync_folder

INLINE_MAX_BYTES = 128 * 1024
PIECE_BYTES = 256 * 1024
WRITE_BYTES = 1024 * 1024  # what is written at a time
ORPHAN_S = 3_600  # a file that no object names is left alone for so long: another process writes it


class Stored(Struct, frozen=True):
    """Bytes that were written: in `data` if they are short, else in the file `blob`."""

    size: int
    digests: dict[str, str]  # algorithm -> hexadecimal
    data: bytes | None
    blob: str | None


class Blobs:
    """The files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._readers: Counter[str] = Counter()
        self._doomed: set[str] = set()

    async def store(
        self, body: AsyncIterator[bytes] | bytes, algorithms: Collection[str], most: int
    ) -> Stored:
        """Write a body; durable on return, if it is in a file. Raises R2Error, OSError."""
        digests = {name: hashlib.new(name) for name in ("md5", *algorithms)}
        if isinstance(body, bytes):
            if len(body) > most:
                raise too_large()
            if len(body) <= INLINE_MAX_BYTES:
                _update(digests.values(), body)
                return Stored(len(body), _shown(digests), body, None)
            body = pieces(body)
        return await self._store_stream(body, digests, most)

    async def _store_stream(
        self, body: AsyncIterator[bytes], digests: dict[str, Any], most: int
    ) -> Stored:
        waiting = bytearray()
        size = 0
        file: BinaryIO | None = None
        blob = secrets.token_hex(16)
        try:
            async for piece in body:
                waiting += piece
                size += len(piece)
                if size > most:
                    raise too_large()
                if len(waiting) >= WRITE_BYTES:
                    if file is None:
                        file = await asyncio.to_thread(self._create, blob)
                    await asyncio.to_thread(_write, file, bytes(waiting), digests.values())
                    waiting.clear()
            if file is None and size <= INLINE_MAX_BYTES:
                _update(digests.values(), waiting)
                return Stored(size, _shown(digests), bytes(waiting), None)
            if file is None:
                file = await asyncio.to_thread(self._create, blob)
            await asyncio.to_thread(self._finish, file, bytes(waiting), digests.values())
            return Stored(size, _shown(digests), None, blob)
        except BaseException:
            if file is not None:
                file.close()
                self.remove([blob])
            raise

    async def write(self, data: bytes) -> str:
        """Write bytes of any size to a file; return its name. Raises OSError."""
        blob = secrets.token_hex(16)
        file = await asyncio.to_thread(self._create, blob)
        await asyncio.to_thread(self._finish, file, data, ())
        return blob

    def read(
        self, blobs: Sequence[tuple[str, int]], offset: int, length: int
    ) -> AsyncIterator[bytes]:
        """Return the bytes of files that follow one another; to be closed with `aclose`."""
        return _Reader(self, blobs, offset, length)

    def path(self, blob: str) -> Path:
        """Return the file of a blob."""
        return self._folder / blob

    def remove(self, blobs: Sequence[str]) -> None:
        """Delete files, once nobody reads them."""
        for blob in blobs:
            if self._readers[blob]:
                self._doomed.add(blob)
            else:
                with contextlib.suppress(OSError):
                    self.path(blob).unlink()

    def remove_orphans(self, named: Collection[str]) -> None:
        """Delete old files that no object names: a crash came between file and database."""
        now_s = SystemClock().now_ms() / 1000
        with contextlib.suppress(OSError):
            for entry in os.scandir(self._folder):
                if entry.name not in named and now_s - entry.stat().st_mtime > ORPHAN_S:
                    os.unlink(entry.path)

    def pin(self, blobs: Sequence[str]) -> None:
        """Keep files until `unpin`."""
        self._readers.update(blobs)

    def unpin(self, blobs: Sequence[str]) -> None:
        """Let files be deleted again."""
        for blob in blobs:
            self._readers[blob] -= 1
            if not self._readers[blob]:
                del self._readers[blob]
                if blob in self._doomed:
                    self._doomed.discard(blob)
                    self.remove([blob])

    def _create(self, blob: str) -> BinaryIO:
        make_folder(self._folder)
        return open(self.path(blob), "xb")

    def _finish(self, file: BinaryIO, rest: bytes, digests: Collection[Any]) -> None:
        with file:
            _write(file, rest, digests)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self._folder)


class _Reader:
    """Reads files one after the other, on a thread."""

    def __init__(
        self, blobs: Blobs, parts: Sequence[tuple[str, int]], offset: int, length: int
    ) -> None:
        self._blobs = blobs
        self._names = [name for name, _ in parts]
        self._parts = list(_overlapping(parts, offset, length))
        self._file: BinaryIO | None = None
        self._closed = False
        blobs.pin(self._names)

    def __aiter__(self) -> _Reader:
        return self

    async def __anext__(self) -> bytes:
        if not self._parts or self._closed:
            await self.aclose()
            raise StopAsyncIteration
        piece = await asyncio.to_thread(self._next)
        if not piece:
            raise OSError("a file of an object became shorter while it was read")
        return piece

    def _next(self) -> bytes:
        name, start, length = self._parts[0]
        if self._file is None:
            self._file = open(self._blobs.path(name), "rb")
            self._file.seek(start)
        piece = self._file.read(min(PIECE_BYTES, length))
        if len(piece) == length:
            self._parts.pop(0)
            self._file.close()
            self._file = None
        else:
            self._parts[0] = (name, start + len(piece), length - len(piece))
        return piece

    async def aclose(self) -> None:
        """Stop reading."""
        if not self._closed:
            self._closed = True
            if self._file is not None:
                self._file.close()
            self._blobs.unpin(self._names)


def _overlapping(
    parts: Sequence[tuple[str, int]], offset: int, length: int
) -> Sequence[tuple[str, int, int]]:
    """Return name, start and length of the part of each file that is in the range."""
    found = []
    begin = 0
    for name, size in parts:
        start = max(offset, begin)
        end = min(offset + length, begin + size)
        if start < end:
            found.append((name, start - begin, end - start))
        begin += size
    return found


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    """Yield bytes that are in memory."""
    for start in range(0, len(data), PIECE_BYTES):
        yield data[start : start + PIECE_BYTES]


def _write(file: BinaryIO, content: bytes, digests: Collection[Any]) -> None:
    _update(digests, content)
    file.write(content)


def _update(digests: Collection[Any], content: bytes | bytearray) -> None:
    for digest in digests:
        digest.update(content)


def _shown(digests: dict[str, Any]) -> dict[str, str]:
    return {name: digest.hexdigest() for name, digest in digests.items()}
