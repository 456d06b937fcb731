"""What every binding looks like to the connection that calls it.

A binding answers calls by method name, with plain values in and out: None, bool, int, float, str,
bytes, datetime, list, dict, set. It raises `emulator.errors.WorkerError` for what user code may
catch. A result that is a `ByteStream` is sent on in chunks, at the pace of its reader; one that is
`Encoded` is sent as it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

Value = Any  # None | bool | int | float | str | bytes | datetime | list | dict | set


@dataclass(frozen=True, slots=True)
class ByteStream:
    """A result that is read piece by piece, such as server-sent events."""

    chunks: AsyncIterator[bytes]
    content_type: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """A large result as tagged JSON (`emulator/protocol/values.py`), made on another thread."""

    data: bytes


class Binding(Protocol):
    """A named resource on `env`.

    One with `keeps_typed_arrays` gets typed arrays as such; all others get lists of numbers.
    One that refuses large arguments anyway may have `arguments_max_bytes`, a dict by method: more
    is then refused before it is decoded.
    """

    kind: str

    async def call(self, method: str, args: list[Value]) -> Value:
        """Run `method` with positional `args` and return its result.

        Raises WorkerError for everything user code can cause or catch.
        """
        ...

    async def close(self) -> None:
        """Release files and tasks; no call arrives afterwards."""
        ...
