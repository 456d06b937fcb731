"""Bodies of responses that are compressed: read decoded, passed on as they are.

What user code has changed is compressed again, as its header `content-encoding` says.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Any

from .sdk.jserror import JsException
from .streams import ReadableStream

_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 47}


class EncodedStream(ReadableStream):
    """A stream whose reader gets what was compressed. `raw` is what arrives."""

    def __init__(self, raw: ReadableStream, encoding: str) -> None:
        super().__init__(_decoded(raw, encoding))
        self.raw = raw
        self._encoding = encoding

    def tee(self) -> list[ReadableStream]:
        """Lock it and return two streams, compressed as this one."""
        first, second = self.raw.tee()
        self.locked = True
        return [EncodedStream(each, self._encoding) for each in (first, second)]

    async def cancel(self, reason: Any = None) -> None:
        """Stop reading; the source is closed."""
        await super().cancel(reason)
        await self.raw.cancel(reason)


def as_read(body: Any, encoding: str) -> Any:
    """Return a body (a stream, bytes or None) so that it reads as what was compressed."""
    if body is None or encoding.strip().lower() not in _WINDOW_BITS:
        return body
    raw = body if isinstance(body, ReadableStream) else ReadableStream([body])
    return EncodedStream(raw, encoding.strip().lower())


def as_sent(body: Any, encoding: str) -> Any:
    """Return a body as it is sent: as it has arrived, or compressed if it is not yet."""
    if isinstance(body, EncodedStream) and not body.locked:
        return body.raw
    window_bits = _WINDOW_BITS.get(encoding.strip().lower())
    if not body or window_bits is None:
        return body
    if isinstance(body, bytes) and _is_compressed(body):
        return body
    pieces = ReadableStream([body]) if isinstance(body, bytes) else body
    return ReadableStream(_compressed(pieces, 15 if window_bits == 47 else window_bits))


def _is_compressed(data: bytes) -> bool:
    """Whether data begins as gzip, or as zlib's format."""
    start = int.from_bytes(data[:2], "big")
    return start == 0x1F8B or (start >> 8 == 0x78 and start % 31 == 0)


async def _compressed(pieces: ReadableStream, window_bits: int) -> AsyncIterator[bytes]:
    coder: Any = None
    try:
        async for piece in pieces:
            if coder is None and _is_compressed(piece):
                yield piece
                async for rest in pieces:
                    yield rest
                return
            coder = coder or zlib.compressobj(wbits=window_bits)
            yield coder.compress(piece) + coder.flush(zlib.Z_SYNC_FLUSH)
        if coder is not None:
            yield coder.flush()
    finally:
        await pieces.cancel()


async def _decoded(raw: ReadableStream, encoding: str) -> AsyncIterator[bytes]:
    decoder = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        async for piece in raw:
            rest: bytes = piece
            while rest and not decoder.eof:
                yield decoder.decompress(rest, 64 * 1024)
                rest = decoder.unconsumed_tail
        if not decoder.eof:
            raise zlib.error
    except zlib.error:
        raise JsException(f"{encoding} compressed body is damaged.", "TypeError") from None
