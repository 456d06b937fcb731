"""The HTTP protocol of workerd's R2 client: a request's parts in, a response's parts out.

A request is JSON, in a header of a GET, or in front of the body of a PUT. It opens no socket: its
caller serves it, and holds whole bodies.
Source: docs/platform/r2.md, "The protocol of workerd's client".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bindings.http import HttpAnswer
from bindings.r2.errors import R2Error, invalid_argument
from bindings.r2.r2 import R2
from emulator.errors import WorkerError

REQUEST, SIZE, ERROR = "cf-r2-request", "cf-r2-metadata-size", "cf-r2-error"


async def answer(
    r2: R2, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> HttpAnswer:
    """Answer one request of the client; the names in `headers` are lower case."""
    try:
        request, content = _read(method, headers, body)
        found = await r2.bucket.perform(request, content)
        data = b""
        if found.body is not None:
            data = b"".join([piece async for piece in found.body])
        return _answered(200, found.metadata, data, {})
    except R2Error as error:
        told = {"version": 1, "v4code": error.code, "message": error.message}
        shown = {ERROR: json.dumps(told)}
        if error.attached is None:
            return HttpAnswer(error.status, shown, b"")
        return _answered(error.status, error.attached, b"", shown)
    except (WorkerError, OSError) as error:
        told = {"version": 1, "v4code": 10001, "message": str(error)}
        return HttpAnswer(500, {ERROR: json.dumps(told)}, b"")


def _read(method: str, headers: Mapping[str, str], body: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the request and the value behind it. Raises R2Error."""
    try:
        if method == "GET":
            text = headers[REQUEST].encode("latin-1").decode()
            request, content = json.loads(text), b""
        else:
            size = int(headers[SIZE])
            request, content = json.loads(body[:size]), body[size:]
        if not isinstance(request, dict):
            raise ValueError("it is not an object")
        return request, content
    except (ValueError, KeyError, RecursionError) as error:
        raise invalid_argument(f"Metadata missing or invalid: {error}") from None


def _answered(
    status: int, metadata: Mapping[str, Any], data: bytes, headers: dict[str, str]
) -> HttpAnswer:
    text = json.dumps(metadata, ensure_ascii=False).encode()
    sent = {"content-type": "application/json", SIZE: str(len(text)), **headers}
    return HttpAnswer(status, sent, text + data)
