"""Which headers pass between client and worker, and which are for this hop only. Pure.

Headers are lists of pairs everywhere: order and repeats have a meaning and are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

RawHeaders = list[tuple[bytes, bytes]]

# Headers that only the host and the runtime may set. A client could use them to speak for us, so
# they are removed from every request:
INTERNAL_PREFIXES = (
    b"x-groundfog-",  # our own marks between host and guest
    b"mf-",  # miniflare's: MF-Route-Override picks the worker, MF-Original-URL replaces its URL
    b"x-mf-",  # miniflare's: X-Mf-Additional-Response-Log writes to the terminal
    b"cf-consn-",  # the AI binding's session headers between runtime and service
    b"cf-ew-",  # the edge's own marks on requests between workers
)

# Headers about this connection and not about the request: RFC 9110 section 7.6.1, and those that
# workerd's HTTP library treats in the same way. Each hop frames the length in its own way.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# This server has answered `Expect: 100-continue` before the worker gets the request.
REQUEST_DROPPED = HOP_BY_HOP | {b"expect"}

# On every answer of our own: browsers must believe its type, and other sites must not embed it.
# Source: https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html.
OWN_ANSWER: RawHeaders = [
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
]

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_BAD_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_DIGITS = re.compile(rb"[0-9]{1,18}\Z")


class UnsendableHeader(Exception):
    """The worker's reply has a header that HTTP cannot carry; the message says which."""


def own_answer(headers: RawHeaders) -> RawHeaders:
    """Return the headers of an answer of our own, with those that every such answer has."""
    present = {name.lower() for name, _ in headers}
    return [*headers, *(header for header in OWN_ANSWER if header[0] not in present)]


def without_internal(headers: RawHeaders) -> RawHeaders:
    """Return `headers` without those that only the host and the runtime may set."""
    return [header for header in headers if not header[0].startswith(INTERNAL_PREFIXES)]


def for_worker(headers: RawHeaders, client_ip: str | None) -> list[tuple[str, str]]:
    """Return the worker's headers: without hop-by-hop headers, with `cf-connecting-ip`.

    A `cf-connecting-ip` from the client is kept, so that a test can use any address.
    Source: https://github.com/cloudflare/workers-sdk/blob/main/packages/miniflare/src/workers/core/entry.worker.ts
    (getUserRequest).
    Differs: `accept-encoding` is the client's and not "br, gzip", because replies are not encoded
    again for the client.
    """
    seen = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in headers
        if name not in REQUEST_DROPPED
    ]
    if client_ip is not None and not any(name == "cf-connecting-ip" for name, _ in seen):
        seen.append(("cf-connecting-ip", client_ip))
    return seen


def for_client(headers: Iterable[tuple[str, str]]) -> tuple[RawHeaders, int | None]:
    """Return the worker's headers for the client, and the content length it declared, or None.

    `content-length` is not in the returned headers: whether it is sent depends on the reply.
    Raises UnsendableHeader for a name or value that HTTP cannot carry.
    """
    out: RawHeaders = []
    length: int | None = None
    for name, value in headers:
        raw_name, raw_value = _encode(name, value)
        if raw_name == b"content-length":
            length = _length(raw_value, length)
        elif raw_name not in HOP_BY_HOP:
            out.append((raw_name, raw_value))
    return out, length


def value_of(headers: RawHeaders, name: bytes) -> bytes | None:
    """Return the first value of `name` (lower case), or None."""
    for candidate, value in headers:
        if candidate == name:
            return value
    return None


def _encode(name: str, value: str) -> tuple[bytes, bytes]:
    try:
        raw_name, raw_value = name.encode("ascii").lower(), value.encode("latin-1")
    except UnicodeEncodeError:
        raise UnsendableHeader(
            f"The header {name!r} has a character that HTTP cannot carry: {value!r}. "
            "Encode it first, for example with urllib.parse.quote."
        ) from None
    if not _NAME.match(raw_name):
        raise UnsendableHeader(f"{name!r} is not a valid header name.")
    if _BAD_VALUE.search(raw_value):
        raise UnsendableHeader(
            f"The value of the header {name!r} has a control character (a line break?): {value!r}."
        )
    return raw_name, raw_value


def _length(value: bytes, before: int | None) -> int:
    if not _DIGITS.match(value) or before not in (None, int(value)):
        raise UnsendableHeader(
            f"content-length is {value.decode('latin-1')!r}; expected one number of bytes."
        )
    return int(value)
