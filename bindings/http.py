"""A whole HTTP response: what a binding returns to the server of workerd's client modules."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping

from msgspec import Struct

from emulator.errors import WorkerError

# Headers of what a guest in workerd asks: `guest/javascript/services.js`, `stubs.js`.
OWN = "x-groundfog-"  # what all of them begin with
METHOD = "x-groundfog-method"  # that is called; without it, it is a request
SCHEME = "x-groundfog-scheme"  # of the URL of a request
SOCKET = "x-groundfog-socket"  # the bodies carry the messages of a WebSocket
FAILED = "x-groundfog-failed"  # the answer is an error that the caller gets
FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})  # of one connection


class HttpAnswer(Struct, frozen=True):
    """A whole response; `headers` are lower case. `reason`: its phrase; "" is the usual one."""

    status: int
    headers: dict[str, str]
    body: bytes
    reason: str = ""


class StreamedAnswer(Struct, frozen=True):
    """A response whose body may be large; `headers` are lower case. No body is None.

    length: how many bytes the body has, for readers that must know it.
    """

    status: int
    headers: list[tuple[str, str]]
    body: AsyncIterator[bytes] | None
    length: int | None = None


def url_of(headers: Mapping[str, str], target: str, scheme: str) -> str:
    """Return the URL that a guest in workerd meant. scheme: where it does not say one."""
    return f"{headers.get(SCHEME, scheme)}://{headers.get('host', 'localhost')}{target}"


def passed_on(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the headers that a guest in workerd meant, without those between it and us."""
    named = (pair for pair in headers.items() if not pair[0].startswith(OWN))
    return [pair for pair in named if pair[0] not in FRAMING]


def has_body(headers: Mapping[str, str]) -> bool:
    """Whether a request of a guest in workerd has a body."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def failed(error: WorkerError) -> HttpAnswer:
    """Return an error for a guest in workerd, which raises it."""
    return json_answer(500, {"name": error.name, "message": error.message}, {FAILED: "1"})


async def whole(body: bytes) -> AsyncIterator[bytes]:
    """Yield a body that is there in full."""
    if body:
        yield body


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def json_answer(status: int, value: object, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    """Return `value` as a response of compact JSON."""
    return _answer(status, _ENCODER.encode(value), headers)


def large_json_answer(
    status: int, value: object, headers: Mapping[str, str] | None = None
) -> HttpAnswer:
    """Do the same on another thread, for any size; other threads run in between."""
    # Part by part it is Python that encodes, which lets go of the interpreter lock in between.
    return _answer(status, "".join(_ENCODER.iterencode(value)), headers)


def _answer(status: int, text: str, headers: Mapping[str, str] | None) -> HttpAnswer:
    together = {"content-type": "application/json", **(headers or {})}
    return HttpAnswer(status, together, text.encode())
