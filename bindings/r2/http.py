"""The HTTP protocol of workerd's R2 client: a request's parts in, a response's parts out.

A request is JSON, in a header of a GET, or in front of the body of a PUT. It opens no socket: its
caller serves it. Objects go through piece by piece.
Source: docs/platform/r2.md, "The protocol of workerd's client".
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from bindings.http import HttpAnswer, StreamedAnswer
from bindings.r2.errors import R2Error, invalid_argument
from bindings.r2.r2 import R2
from emulator.errors import WorkerError

REQUEST, SIZE, ERROR = "cf-r2-request", "cf-r2-metadata-size", "cf-r2-error"


async def answer(
    r2: R2, method: str, target: str, headers: Mapping[str, str], body: AsyncIterator[bytes]
) -> HttpAnswer | StreamedAnswer:
    """Answer one request of the client; the names in `headers` are lower case."""
    try:
        request, content = await _read(method, headers, body)
        found = await r2.bucket.perform(request, content)
        if found.body is None:
            return _answered(200, found.metadata, {})
        text, sent = _told(found.metadata)
        length = len(text) + found.metadata["range"]["length"]
        return StreamedAnswer(200, [*sent.items()], _Following(text, found.body), length)
    except R2Error as error:
        told = {"version": 1, "v4code": error.code, "message": error.message}
        shown = {ERROR: json.dumps(told)}
        if error.attached is None:
            return HttpAnswer(error.status, shown, b"")
        return _answered(error.status, error.attached, shown)
    except (WorkerError, OSError) as error:
        told = {"version": 1, "v4code": 10001, "message": str(error)}
        return HttpAnswer(500, {ERROR: json.dumps(told)}, b"")


async def _read(
    method: str, headers: Mapping[str, str], body: AsyncIterator[bytes]
) -> tuple[dict[str, Any], AsyncIterator[bytes]]:
    """Return the request and the object behind it. Raises R2Error."""
    try:
        if method == "GET":
            text, rest = headers[REQUEST].encode("latin-1"), b""
        else:
            size = int(headers[SIZE])
            text = b""
            while len(text) < size:
                text += await anext(body)
            text, rest = text[:size], text[size:]
        request = json.loads(text)
        if not isinstance(request, dict):
            raise ValueError("it is not an object")
        return request, _Following(rest, body)
    except (ValueError, KeyError, RecursionError, StopAsyncIteration) as error:
        raise invalid_argument(f"Metadata missing or invalid: {error}") from None


class _Following:
    """Bytes, and a stream that follows them."""

    def __init__(self, first: bytes, rest: AsyncIterator[bytes]) -> None:
        self._first = first
        self._rest = rest

    def __aiter__(self) -> _Following:
        return self

    async def __anext__(self) -> bytes:
        first, self._first = self._first, b""
        return first or await anext(self._rest)

    async def aclose(self) -> None:
        """Stop reading."""
        aclose = getattr(self._rest, "aclose", None)
        if aclose is not None:
            await aclose()


def _answered(status: int, metadata: Mapping[str, Any], headers: dict[str, str]) -> HttpAnswer:
    text, sent = _told(metadata)
    return HttpAnswer(status, sent | headers, text)


def _told(metadata: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
    """Return metadata as it is sent, and its headers."""
    text = json.dumps(metadata, ensure_ascii=False).encode()
    return text, {"content-type": "application/json", SIZE: str(len(text))}
