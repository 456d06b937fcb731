"""`workers.fetch`: HTTP to elsewhere, in a thread so that the event loop goes on.

Source: docs/platform/python-workers.md, "Fetching".
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urljoin, urlsplit

from ... import network, outgoing_sockets, scope
from ...loop.web_loop import WebLoop, guest_loop
from ...streams import ReadableStream
from ..pyodide.ffi import JsException
from .body import header
from .headers import HeaderList, for_fetch
from .request import Request, wire_method
from .response import Response

MAX_REDIRECTS = 20  # the Fetch standard
TIMEOUT_S = 100.0
_WHOLE_BYTES = _PIECE_BYTES = 64 * 1024  # a longer body is a stream
_REDIRECTS = (301, 302, 303, 307, 308)


async def fetch(resource: str | Request, **options: Any) -> Response:
    """Send a request and return the response. Raises OSError when the network fails."""
    current = scope.current()
    if current.refuse is not None:
        await current.refuse("fetch()")
    if current.object is not None:
        await current.object.confirmed()
        answer: Response = await current.object.after(_fetched(resource, options))
        return answer
    return await _fetched(resource, options)


async def _fetched(resource: str | Request, options: dict[str, Any]) -> Response:
    if "headers" in options:
        options["headers"] = for_fetch(options["headers"])
    request = Request(resource, **options)
    body = await request.bytes() if request.body is not None else None
    method, url, headers = wire_method(request), request.url, request._header_list()
    if (header(headers, "upgrade") or "").lower() == "websocket":
        return await _upgraded(url, headers)
    loop = guest_loop()
    assert loop is not None
    for _ in range(MAX_REDIRECTS + 1):
        status, reason, answered, content = await _exchanged(loop, method, url, headers, body)
        location = next((v for name, v in answered if name.lower() == "location"), None)
        if status not in _REDIRECTS or location is None or request.redirect == "manual":
            response = _response(url, status, reason, answered, content)
            response.redirected = url != request.url
            return response
        if isinstance(content, _Arriving):
            content.close()
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


async def _upgraded(url: str, headers: HeaderList) -> Response:
    connection, socket = await outgoing_sockets.opened(url, headers)
    return Response(None, connection.status, headers=connection.headers, web_socket=socket)


async def _exchanged(
    loop: WebLoop, method: str, url: str, headers: HeaderList, body: bytes | None
) -> tuple[int, str, HeaderList, bytes | _Arriving]:
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
) -> tuple[int, str, HeaderList, bytes | _Arriving]:
    """Send a request; return the answer when its headers are there, with a body that is short."""
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
        arriving = _Arriving(connection, answer, f"{method} {url}")
        whole = answer.length is not None and answer.length <= _WHOLE_BYTES
        content = arriving.read_all() if whole else arriving
    except HTTPException as error:
        connection.close()
        raise OSError(f"{method} {url}: {error!r}") from error
    except BaseException:
        connection.close()
        raise
    return answer.status, answer.reason, answer.getheaders(), content


class _Arriving:
    """The body of an answer: source of a stream, read in another thread when it is asked for."""

    def __init__(self, connection: HTTPConnection, answer: HTTPResponse, what: str) -> None:
        self._connection = connection
        self._answer = answer
        self._what = what

    def read_all(self) -> bytes:
        """Return the whole body."""
        data = self._answer.read()
        self.close()
        return data

    def close(self) -> None:
        """Read no more."""
        self._answer.close()
        self._connection.close()

    def __aiter__(self) -> _Arriving:
        return self

    async def __anext__(self) -> bytes:
        loop = guest_loop()
        assert loop is not None
        piece = await loop.in_thread(self._read)
        if not piece:
            self.close()
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Stop reading (the name async generators use)."""
        self.close()

    def _read(self) -> bytes:
        try:
            return self._answer.read1(_PIECE_BYTES)
        except HTTPException as error:
            raise OSError(f"{self._what}: {error!r}") from error


def _without(headers: HeaderList, names: Iterable[str]) -> HeaderList:
    return [(name, value) for name, value in headers if name.lower() not in names]


def _response(
    url: str, status: int, reason: str, headers: HeaderList, content: bytes | _Arriving
) -> Response:
    framing = ("transfer-encoding", "connection", "content-length")
    body = ReadableStream(content) if isinstance(content, _Arriving) else content
    if status in (204, 205, 304):
        body = None  # type: ignore[assignment]
    response = Response(body, status, reason, _without(headers, framing))
    response.url = url
    return response
