"""Following redirects, as `fetch` of the network and of other workers does.

Source: https://github.com/cloudflare/workerd/blob/main/src/workerd/api/http.c%2B%2B
(handleHttpRedirectResponse). It departs from the Fetch standard: headers about a body stay when a
POST becomes a GET, and a body that was a stream is refused for 301 and 302 too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from . import flags
from .sdk.javascript.urls import URL
from .sdk.jserror import JsException
from .streams import ReadableStream

if TYPE_CHECKING:
    from .sdk.workers.request import Request
    from .sdk.workers.response import Response

HeaderList = list[tuple[str, str]]
Sent = Callable[[str, str, HeaderList, Any], Awaitable["Response"]]
"""Sends one request: method, URL, headers, body."""

_MAX_REDIRECTS = 20  # the Fetch standard
_REDIRECTS = (301, 302, 303, 307, 308)
_ONE_TIME_USE = (
    "A request with a one-time-use body (it was initialized from a stream, not a buffer) "
    "encountered a redirect requiring the body to be retransmitted. To avoid this error in the "
    "future, construct this request from a buffer-like body initializer."
)


async def followed(request: Request, send: Sent) -> Response:
    """Send a request and, unless it says otherwise, those that redirects ask for.

    Raises JsException for too many of them, and for a body that cannot be sent again.
    """
    method, url = request._method, request.url
    headers, body = list(request._header_list()), request._take()
    for count in range(_MAX_REDIRECTS + 1):
        response = await send(method, url, headers, body)
        target = response.headers.get("location")
        if response.status not in _REDIRECTS or request.redirect == "manual" or not target:
            response.url, response.redirected = url.partition("#")[0], count > 0
            return response
        if response._content is not None:
            await response.body.cancel()  # type: ignore[union-attr]
        url, headers = _next(url, target, headers)
        if response.status != 303 and isinstance(body, ReadableStream):
            raise JsException(_ONE_TIME_USE, "TypeError")
        if _becomes_get(response.status, method):
            method, body = "GET", None
    raise JsException("Too many redirects.", "TypeError")


def _next(url: str, target: str, headers: HeaderList) -> tuple[str, HeaderList]:
    """Return where to go on, and with which headers."""
    try:
        before, after = URL(url), URL(target, url)
    except JsException:
        text = "Invalid Location header; unable to follow redirect."
        raise JsException(text, "TypeError") from None
    if before.origin != after.origin and flags.is_on(flags.STRIPS_AUTHORIZATION):
        headers = [pair for pair in headers if pair[0].lower() != "authorization"]
    return after.href, headers


def _becomes_get(status: int, method: str) -> bool:
    return (status in (301, 302) and method == "POST") or (status == 303 and method != "HEAD")
