"""The bodies of the API's requests: how much is taken, and JSON that stops nobody else.

What a body may hold is known before it is read, and refused by its size alone. A large one is read
in a thread that lets the loop go on, by a reader with limits; numbers are read as JavaScript reads
them. Every problem is an `ApiError`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

from starlette.requests import Request

from emulator.protocol import values
from emulator.protocol.deep_json import Limits, Reader, TooMuch
from emulator.protocol.values import DEPTH_MAX, MAX_SAFE_INTEGER
from emulator.server.api.envelope import INTERNAL, ApiError
from emulator.server.api.reading import bad

Json = Any
T = TypeVar("T")

CONTROL_MAX_BYTES = 256 * 1024  # what is no value of anybody's: actions, lists of 100 ids
# A value of 1 MiB in the longest way there is to write it: JSON in a JSON string, all escapes.
VALUE_MAX_BYTES = 8 * 1024 * 1024
BATCH_MAX_BYTES = 128 * 1024 * 1024  # 100 instances with params of 1 MiB each
MODEL_MAX_BYTES = 64 * 1024 * 1024  # pictures as lists of numbers among them

# The shortest list or object with its comma, `[],`, takes three bytes of a value's 1 MiB.
VALUE = Limits(DEPTH_MAX + 8, containers=1024 * 1024 // 3)
MODEL = Limits(DEPTH_MAX, containers=1_000_000)
_AT_ONCE_MAX_BYTES = 64 * 1024  # more would make everybody wait


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
    """Return the body of a control route, an object; an empty one is `{}`. Raises ApiError."""
    return as_object(await json_body(request))


async def json_body(request: Request) -> Json:
    """Return the body of a control route, decoded; an empty one is None. Raises ApiError."""
    return await read_apart(await body_bytes(request, CONTROL_MAX_BYTES), read_json)


async def read_apart(body: bytes, read: Callable[[bytes], T]) -> T:
    """Return `read(body)`, called where it stops nobody else. Raises ApiError for what it raises.

    In a thread, if the body is large: `read` must not touch anything that others change.
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
    """Return JSON as JavaScript would read it; of blanks, None. Raises ValueError."""
    text = str(body, "utf-8-sig") if isinstance(body, bytes) else body
    if not text[:_AT_ONCE_MAX_BYTES].strip() and not text.strip():
        return None
    if len(text) <= _AT_ONCE_MAX_BYTES:
        try:
            return json.loads(text, parse_int=_integer, parse_constant=_not_json)
        except RecursionError:
            pass
    return _reader(limits).whole(text)


def read_items(body: bytes) -> Iterator[Json]:
    """Yield the items of a JSON list, one after the other. Raises ValueError."""
    text = str(body, "utf-8-sig")
    if not text.lstrip().startswith("["):
        read_json(body)
        raise bad("(body) Provided argument is invalid")
    return _reader(VALUE).items(text)


def as_object(body: Json) -> dict[str, Json]:
    """Return a decoded body that must be an object; None is `{}`. Raises ApiError."""
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise bad("(body) Provided argument is invalid")
    return body


def _reader(limits: Limits) -> Reader:
    return Reader(limits, parse_int=_integer, parse_constant=_not_json)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, TooMuch) else "it is nested too deeply"


def _too_large(most: int) -> ApiError:
    return ApiError(413, INTERNAL, f"(body) is larger than {most:,} bytes")


def _integer(text: str) -> int | float:
    """Return an integer as JavaScript would hold it: beyond 2^53 a float, with its rounding."""
    value = float(text)
    return int(text) if abs(value) <= MAX_SAFE_INTEGER else value


def _not_json(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")
