"""The bodies that S3's clients send: whole, or in signed chunks, with what they promise of them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from bindings.r2.errors import R2Error
from emulator.server.api.s3.failure import S3Error

_CHUNK_LINE_MAX_BYTES = 4096
_CODE = 10037


async def checked(body: AsyncIterator[bytes], sha256: str) -> AsyncIterator[bytes]:
    """Yield a body. Raises R2Error at its end when its hash is another one: nothing is stored."""
    digest = hashlib.sha256()
    async for piece in body:
        digest.update(piece)
        yield piece
    if digest.hexdigest() != sha256:
        text = "The provided 'x-amz-content-sha256' header does not match what was computed."
        raise R2Error(400, _CODE, text)


async def unchunked(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what is in the chunks of `aws-chunked`. Their signatures are not looked at.

    `5;chunk-signature=…\\r\\nhello\\r\\n0;chunk-signature=…\\r\\n` and trailers -> `hello`.
    """
    buffer = bytearray()
    left = -1  # bytes of the present chunk that are to come; -1: a line with its size comes
    async for piece in body:
        buffer += piece
        while buffer:
            if left > 0:
                taken = bytes(buffer[:left])
                del buffer[:left]
                left -= len(taken)
                yield taken
                continue
            if left == 0:  # the end of the line after it
                if len(buffer) < 2:
                    break
                del buffer[:2]
                left = -1
                continue
            end = buffer.find(b"\r\n")
            if end < 0:
                if len(buffer) > _CHUNK_LINE_MAX_BYTES:
                    raise _broken()
                break
            size = bytes(buffer[:end]).partition(b";")[0]
            del buffer[: end + 2]
            try:
                left = int(size, 16)
            except ValueError:
                raise _broken() from None
            if left <= 0:
                return  # only trailers follow
    raise S3Error(400, "IncompleteBody", "The request body terminated unexpectedly")


def _broken() -> S3Error:
    return S3Error(400, "InvalidRequest", "The chunks of the body cannot be read.")
