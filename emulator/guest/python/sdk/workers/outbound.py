"""`workers.fetch`: HTTP to elsewhere, in a thread so that the event loop goes on.

Source: docs/platform/python-workers.md, "Fetching". Differs: the response body is read whole before
it is seen.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urljoin, urlsplit

from ... import network, scope
from ...loop.web_loop import WebLoop, guest_loop
from ..pyodide.ffi import JsException
from .headers import HeaderList, for_fetch
from .request import Request, wire_method
from .response import Response

MAX_REDIRECTS = 20  # the Fetch standard
TIMEOUT_S = 100.0
_REDIRECTS = (301, 302, 303, 307, 308)


async def fetch(resource: str | Request, **options: Any) -> Response:
    """Send a request and return the response. Raises OSError when the network fails."""
    current = scope.current()
    if current.refuse is not None:
        await current.refuse("fetch()")
    if "headers" in options:
        options["headers"] = for_fetch(options["headers"])
    request = Request(resource, **options)
    body = await request.bytes() if request.body is not None else None
    method, url, headers = wire_method(request), request.url, request._header_list()
    loop = guest_loop()
    assert loop is not None
    for _ in range(MAX_REDIRECTS + 1):
        status, reason, answered, data = await _exchanged(loop, method, url, headers, body)
        location = next((v for name, v in answered if name.lower() == "location"), None)
        if status not in _REDIRECTS or location is None or request.redirect == "manual":
            return _response(url, status, reason, answered, data)
        if request.redirect == "error":
            raise JsException(f"Unexpected redirect from {url}", "TypeError")
        target = urljoin(url, location)
        if status == 303 or (status in (301, 302) and method == "POST"):
            method, body = "GET", None
            headers = _without(headers, ("content-type", "content-length"))
        if urlsplit(target).netloc != urlsplit(url).netloc:
            headers = _without(headers, ("authorization", "cookie"))
        url = target
    raise JsException("Too many redirects.", "TypeError")


async def _exchanged(
    loop: WebLoop, method: str, url: str, headers: HeaderList, body: bytes | None
) -> tuple[int, str, HeaderList, bytes]:
    """Let the host answer where it wants to, or send the request."""
    asked = network.asked(method, url, headers, body)
    if asked is None:
        return await loop.in_thread(_exchange, method, url, headers, body)
    answer = await asked
    if answer is None:
        return await loop.in_thread(network.passing, _exchange, method, url, headers, body)
    pairs = [(str(name), str(value)) for name, value in answer["headers"]]
    return answer["status"], answer["reason"], pairs, bytes(answer["body"])


def _exchange(
    method: str, url: str, headers: HeaderList, body: bytes | None
) -> tuple[int, str, HeaderList, bytes]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise JsException(f"Fetch API cannot load: {url}", "TypeError")
    connection: HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT_S, context=context)
    else:
        connection = HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)
    target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in _without(headers, ("host", "content-length", "transfer-encoding")):
            connection.putheader(name, value.encode("latin-1"))
        if body is not None:
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.reason, answer.getheaders(), answer.read()
    except HTTPException as error:
        raise OSError(f"{method} {url}: {error!r}") from error
    finally:
        connection.close()


def _without(headers: HeaderList, names: Iterable[str]) -> HeaderList:
    return [(name, value) for name, value in headers if name.lower() not in names]


def _response(url: str, status: int, reason: str, headers: HeaderList, data: bytes) -> Response:
    framing = ("transfer-encoding", "connection", "content-length")
    null_body = status in (204, 205, 304)
    response = Response(None if null_body else data, status, reason, _without(headers, framing))
    response.url = url
    return response
