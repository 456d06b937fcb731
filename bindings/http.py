"""A whole HTTP response: what a binding returns to the server of workerd's client modules."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping

from msgspec import Struct

# Headers of what a guest in workerd asks: `guest/javascript/services.js`, `stubs.js`.
OWN = "x-groundfog-"  # what all of them begin with
METHOD = "x-groundfog-method"  # that is called; without it, it is a request
SCHEME = "x-groundfog-scheme"  # of the URL of a request
SOCKET = "x-groundfog-socket"  # the bodies carry the messages of a WebSocket
FAILED = "x-groundfog-failed"  # the answer is an error that the caller gets


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
