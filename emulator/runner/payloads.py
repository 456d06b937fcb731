"""Payloads with a body: a value with a stream in it, which follows on the same exchange."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bindings.binding import ByteStream
from emulator.protocol import values
from emulator.protocol.values import BODY, NotCloneable


def encode(value: Any) -> tuple[bytes, ByteStream | None]:
    """Return `value` as tagged JSON, and the stream in it, if there is one.

    Raises NotCloneable for values that cannot be sent, and for a second stream.
    """
    found: list[ByteStream] = []

    def convert(part: Any) -> Any:
        if not isinstance(part, ByteStream):
            raise NotCloneable(f"a {type(part).__name__}")
        if found and found[0] is not part:
            raise NotCloneable("a second stream in one value")
        found[:] = [part]
        return BODY

    payload = values.encode(value, convert)
    return payload, found[0] if found else None


async def close(stream: ByteStream) -> None:
    """Close a stream, whether or not it was read to its end."""
    aclose: Callable[[], Any] | None = getattr(stream.chunks, "aclose", None)
    if aclose is not None:
        await aclose()
