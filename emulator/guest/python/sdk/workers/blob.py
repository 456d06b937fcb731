"""`Blob` and `File`: bytes with a type and a name.

Source: docs/platform/python-workers.md, "Forms and blobs".
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from enum import StrEnum
from typing import Any


class BlobEnding(StrEnum):
    """What happens to line endings in text parts."""

    TRANSPARENT = "transparent"
    NATIVE = "native"


class Blob:
    """Immutable bytes with a content type."""

    def __init__(
        self,
        parts: Any,
        content_type: str | None = None,
        endings: BlobEnding | str | None = None,
    ) -> None:
        if isinstance(parts, Blob) and content_type is None:
            content_type = parts.content_type
        self.content_type: str = content_type or ""
        single = isinstance(parts, str | bytes | Blob) or not isinstance(parts, Iterable)
        self._data = b"".join(_part(part) for part in ([parts] if single else parts))

    @property
    def size(self) -> int:
        """The length in bytes."""
        return len(self._data)

    async def bytes(self) -> bytes:
        """Return the content."""
        return self._data

    async def text(self) -> str:
        """Return the content as UTF-8."""
        return self._data.decode("utf-8", "replace")

    def slice(
        self, start: int | None = None, end: int | None = None, content_type: str | None = None
    ) -> Blob:
        """Return a part of it."""
        return Blob([self._data[start:end]], content_type)


class File(Blob):
    """A Blob with a file name."""

    def __init__(
        self,
        parts: Any,
        filename: str,
        content_type: str | None = None,
        endings: BlobEnding | str | None = None,
        last_modified: int | None = None,
    ) -> None:
        super().__init__(parts, content_type, endings)
        self.name = filename
        self.last_modified = time.time_ns() // 1_000_000 if last_modified is None else last_modified


def content_of(blob: Blob) -> bytes:
    """Return a blob's bytes without awaiting."""
    return blob._data


def _part(part: Any) -> bytes:
    match part:
        case str():
            return part.encode()
        case bytes() | memoryview():
            return bytes(part)
        case Blob():
            return part._data
    raise TypeError(f"Don't know how to handle {type(part)} for Blob()")
