"""`Blob` and `File`: bytes with a type and a name.

Source: docs/platform/python-workers.md, "Forms and blobs".
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from ..javascript.buffers import bytes_of
from ..jsobject import is_named, shown

BlobValue = "str | bytes | js.ArrayBuffer | js.TypedArray | js.DataView | js.Blob | Blob | File"


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
        parts = _own(parts)
        if isinstance(parts, Blob) and not content_type:
            content_type = parts.content_type
        self.content_type: str = (content_type or "").lower()
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
        """Return a part of it. As in the published SDK, it has no type."""
        return Blob([self._data[start or 0 : end]])

    @property
    def js_object(self) -> Any:
        """The blob as `js.Blob` or `js.File`."""
        return shown(self)


class File(Blob):
    """A Blob with a file name."""

    last_modified: int

    def __init__(
        self,
        parts: Any,
        filename: str,
        content_type: str | None = None,
        endings: BlobEnding | str | None = None,
        last_modified: int | None = None,
    ) -> None:
        if isinstance(parts := _own(parts), File) and not last_modified:
            last_modified = parts.last_modified
        super().__init__(parts, content_type, endings)
        self.name = filename
        self.last_modified = time.time_ns() // 1_000_000 if last_modified is None else last_modified


def content_of(blob: Blob) -> bytes:
    """Return a blob's bytes without awaiting."""
    return blob._data


def _own(part: Any) -> Any:
    return part._own if is_named(part, "Blob", "File") else part


def _part(part: Any) -> bytes:
    part = _own(part)
    if isinstance(part, str):
        return part.encode()
    if isinstance(part, Blob):
        return part._data
    data = bytes_of(part)
    if data is not None:
        return data
    raise TypeError(f"Don't know how to handle {type(part)} for Blob()")
