"""The rules for the head of a request on the wire: sizes, forms of the target, framing. Pure.

llhttp (inside httptools) already refuses bare LF and CR, folded headers, control characters and
most framing tricks. This module refuses the rest that a proxy in front might read in another way.
The rules hold for every request, also for those to user code.
"""

from __future__ import annotations

from emulator.server.refusal import Refusal

# Production's own limits: https://developers.cloudflare.com/workers/platform/limits/#request-limits
TARGET_MAX_BYTES = 16 * 1024
HEADERS_MAX_BYTES = 128 * 1024
# Production documents no number. Each header costs us some hundred bytes, even a short one.
HEADERS_MAX_COUNT = 1_000
# From the first byte of a head to its end. Without a limit, clients that send a byte now and then
# could keep any number of connections open.
LIMIT_S = 30.0
# Requests that a client may send on one connection before it has the responses; all are in memory.
PIPELINE_MAX_REQUESTS = 64

URL_TOO_LONG = Refusal(
    414, f"The URL is longer than {TARGET_MAX_BYTES // 1024} KB, Cloudflare's limit."
)
HEADERS_TOO_LARGE = Refusal(
    431,
    f"The request's headers are more than {HEADERS_MAX_BYTES // 1024} KB in total (Cloudflare's "
    f"limit) or more than {HEADERS_MAX_COUNT}.",
)
TOO_SLOW = Refusal(408, "The head of the request was not complete in time.")
PIPELINE_TOO_DEEP = Refusal(
    400, f"More than {PIPELINE_MAX_REQUESTS} requests were sent ahead on one connection."
)
UPGRADE_IN_PIPELINE = Refusal(
    400, "A WebSocket was asked for on a connection with requests that are not answered yet."
)
NOT_A_WEB_SOCKET = Refusal(
    400,
    "The request asks for a WebSocket in a way that RFC 6455 does not allow: it must be"
    " a GET of HTTP/1.1 without a body.",
)

Headers = list[tuple[bytes, bytes]]


def head_problem(version: str, method: bytes, target: bytes, headers: Headers) -> Refusal | None:
    """Return why this request line and these headers (names in lower case) are refused, or None."""
    return (
        _version_problem(version)
        or _target_problem(method, target)
        or _framing_problem(version, headers)
    )


def web_socket_problem(version: str, method: bytes, headers: Headers) -> Refusal | None:
    """Return why a request for a WebSocket, which has no `head_problem`, is refused, or None.

    Source: RFC 6455 section 4.1.
    """
    has_body = any(
        name == b"transfer-encoding" or (name == b"content-length" and int(value) > 0)
        for name, value in headers
    )
    return NOT_A_WEB_SOCKET if version != "1.1" or method != b"GET" or has_body else None


def _version_problem(version: str) -> Refusal | None:
    if version in ("1.1", "1.0"):
        return None
    return Refusal(505, f"This server speaks HTTP/1.1; the request says HTTP/{version}.")


def _target_problem(method: bytes, target: bytes) -> Refusal | None:
    if method == b"CONNECT":
        return Refusal(400, "CONNECT is refused: this server is not a proxy.")
    if not target.startswith(b"/"):
        shown = target[:100].decode("latin-1")
        return Refusal(
            400,
            f'The request target is "{shown}"; expected a path that starts with "/". '
            "This server is not a proxy: unset http_proxy for this address.",
        )
    if b"#" in target:
        return Refusal(400, 'The request target has a "#"; a fragment is never sent to a server.')
    return None


def _framing_problem(version: str, headers: Headers) -> Refusal | None:
    """All readers of a request must agree where it ends, so only one way to say it is allowed."""
    lengths = [value for name, value in headers if name == b"content-length"]
    encodings = [value for name, value in headers if name == b"transfer-encoding"]
    if lengths and encodings:
        return Refusal(400, "The request has both Content-Length and Transfer-Encoding; send one.")
    if len(lengths) > 1:
        return Refusal(400, f"The request has {len(lengths)} Content-Length headers; send one.")
    if lengths and not lengths[0].isdigit():
        return Refusal(400, "The request's Content-Length is not a number.")
    if encodings and (len(encodings) > 1 or encodings[0].lower() != b"chunked"):
        return Refusal(400, 'The only Transfer-Encoding accepted is a single "chunked".')
    if encodings and version == "1.0":
        return Refusal(400, "An HTTP/1.0 request cannot have a Transfer-Encoding.")
    return None
