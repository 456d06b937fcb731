"""The bodies of the API's requests: how large they may be, and how their JSON is read.

Each route has a limit, and a larger body is refused before it is read. A large body is read on a
thread, so that the event loop goes on, and with limits. Numbers are read as JavaScript reads them.
Every problem is an `ApiError`. Bodies of responses that come in pieces are here too.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, NoReturn, TypeVar, cast

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from emulator.json_types import Json
from emulator.protocol import values
from emulator.protocol.deep_json import Limits, Reader, TooMuch
from emulator.protocol.values import DEPTH_MAX, MAX_SAFE_INTEGER
from emulator.server.api.envelope import INTERNAL, ApiError
from emulator.server.api.parameters import bad

T = TypeVar("T")

CONTROL_MAX_BYTES = 256 * 1024  # bodies without users' values: actions, lists of 100 ids
# A value of 1 MiB in its longest form: JSON in a JSON string, with each character escaped.
VALUE_MAX_BYTES = 8 * 1024 * 1024
BATCH_MAX_BYTES = 128 * 1024 * 1024  # 100 instances with params of 1 MiB each
MODEL_MAX_BYTES = 64 * 1024 * 1024  # for example pictures as lists of numbers

# The shortest list or object with its comma, `[],`, has three bytes; a value has at most 1 MiB.
VALUE = Limits(DEPTH_MAX + 8, containers=1024 * 1024 // 3)
MODEL = Limits(DEPTH_MAX, containers=1_000_000)
_AT_ONCE_MAX_BYTES = 64 * 1024  # a larger body would make everybody wait


async def body_bytes(request: Request, most: int) -> bytes:
    """Return the whole body. Raises ApiError when it is larger than `most`."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most:
        raise _too_large(most)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise _too_large(most)
    return bytes(body)


async def object_body(request: Request) -> dict[str, Json]:
    """Return the body of a control route, an object; no body at all is `{}`. Raises ApiError.

    `null` is refused: it would ask for everything, but the sender means something else.
    """
    content = await body_bytes(request, CONTROL_MAX_BYTES)
    body = await read_apart(content, read_json)
    if body is None and content.strip():
        raise _invalid()
    return as_object(body)


async def json_body(request: Request) -> Json:
    """Return the body of a control route, decoded; an empty one is None. Raises ApiError."""
    return await read_apart(await body_bytes(request, CONTROL_MAX_BYTES), read_json)


async def read_apart(body: bytes, read: Callable[[bytes], T]) -> T:
    """Return `read(body)` without blocking the event loop. Its errors are raised as ApiError.

    If the body is large, it runs on a thread: `read` must not use anything that others change.
    """
    try:
        if len(body) <= _AT_ONCE_MAX_BYTES:
            return read(body)
        return await asyncio.to_thread(read, body)
    except (TooMuch, values.NotCloneable, RecursionError) as error:
        raise bad(f"(body) is not JSON: {_words(error)}") from None
    except ValueError as error:
        raise bad(f"(body) is not JSON: {error}") from None


def read_json(body: bytes | str, limits: Limits = VALUE) -> Json:
    """Return JSON as JavaScript would read it; None if the text is blank. Raises ValueError."""
    text = str(body, "utf-8-sig") if isinstance(body, bytes) else body
    if not text[:_AT_ONCE_MAX_BYTES].strip() and not text.strip():
        return None
    if len(text) <= _AT_ONCE_MAX_BYTES:
        try:
            return cast(Json, json.loads(text, parse_int=_integer, parse_constant=_not_json))
        except RecursionError:
            pass
    return cast(Json, _reader(limits).whole(text))


def read_items(body: bytes) -> Iterator[Json]:
    """Yield the items of a JSON list, one after the other. Raises ValueError."""
    text = str(body, "utf-8-sig")
    if not text.lstrip().startswith("["):
        read_json(body)
        raise bad("(body) Provided argument is invalid")
    return _reader(VALUE).items(text)


def as_object(body: Json) -> dict[str, Json]:
    """Return a decoded body, which must be an object; None becomes `{}`. Raises ApiError."""
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise _invalid()
    return body


def _reader(limits: Limits) -> Reader:
    return Reader(limits, parse_int=_integer, parse_constant=_not_json)


def _invalid() -> ApiError:
    return bad("(body) Provided argument is invalid")


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, TooMuch) else "it is nested too deeply"


def _too_large(most: int) -> ApiError:
    return ApiError(413, INTERNAL, f"(body) is larger than {most:,} bytes")


def _integer(text: str) -> int | float:
    """Return an integer as in JavaScript: beyond 2^53 it is a float, rounded."""
    value = float(text)
    return int(text) if abs(value) <= MAX_SAFE_INTEGER else value


def _not_json(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


async def streamed(
    request: Request, body: AsyncIterator[bytes], status: int, headers: Mapping[str, str]
) -> Response:
    """Return a response whose body comes in pieces; its source is closed in any case."""
    if request.method == "HEAD":
        await cast(Any, body).aclose()
        return Response(status_code=status, headers=headers)
    return StreamingResponse(closing(body), status, headers)


async def closing(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the pieces of a body, and close its source in any case."""
    try:
        async for piece in body:
            yield piece
    finally:
        await cast(Any, body).aclose()
