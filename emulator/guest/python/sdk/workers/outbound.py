"""`workers.fetch`: HTTP to elsewhere, which the host sends.

Source: docs/platform/python-workers.md, "Fetching".
"""

from __future__ import annotations

import asyncio
from typing import Any

from ... import encoded_streams, host_calls, outgoing_sockets, redirects, scope
from ...streams import IncomingBody, ReadableStream
from ..javascript import data_urls
from ..javascript.promises import as_exception
from ..jserror import JsException
from .body import header
from .errors import AbortError
from .headers import HeaderList, for_fetch
from .request import Request
from .response import NULL_BODY, Response, raw_response


async def fetch(resource: str | Request, **options: Any) -> Response:
    """Send a request and return the response. Raises AbortError, an OSError, when it fails."""
    try:
        return await sent(resource, options)
    except JsException as error:
        raise AbortError(error) from None


async def sent(resource: Any, options: dict[str, Any]) -> Response:
    """Send a request and return the response. Raises JsException."""
    if "headers" in options:
        options["headers"] = for_fetch(options["headers"])
    request = Request(resource, **options)
    signal = request._signal
    if signal is None:
        return await _followed(request)
    if signal.aborted:
        raise as_exception(signal.reason)
    work = asyncio.ensure_future(_followed(request))
    signal.addEventListener("abort", lambda event: work.cancel())
    try:
        response = await work
    except asyncio.CancelledError:
        if signal.aborted:
            raise as_exception(signal.reason) from None
        raise
    _stop_with(response._content, signal)
    return response


async def _followed(request: Request) -> Response:
    if request.url.startswith("data:"):
        return data_urls.response(request)
    return await redirects.followed(request, _sent)


async def _sent(method: str, url: str, headers: HeaderList, body: Any) -> Response:
    if (header(headers, "upgrade") or "").lower() == "websocket":
        return await _upgraded(url, headers)
    pairs = [list(pair) for pair in headers]
    length = body.announced if isinstance(body, ReadableStream) else None
    request = {"method": method, "url": url, "headers": pairs, "body": body, "length": length}
    return received(await host_calls.fetch(request), method)


def received(answer: dict[str, Any], method: str) -> Response:
    """Return a response from elsewhere: `{"status", "status_text", "headers", "body"}`."""
    headers = [(str(name), str(value)) for name, value in answer["headers"]]
    body, status = answer["body"], answer["status"]
    if method == "HEAD" or status in NULL_BODY:
        body = None
    elif not isinstance(body, ReadableStream):
        body = bytes(body or b"")
    body = encoded_streams.as_read(body, header(headers, "content-encoding") or "")
    response = raw_response(status, headers, body, answer.get("status_text", ""))
    response.is_received = True
    return response


async def _upgraded(url: str, headers: HeaderList) -> Response:
    current = scope.current()
    if current.refuse is not None:
        await current.refuse("fetch()")
    if current.object is not None:
        await current.object.confirmed()
    connection, socket = await outgoing_sockets.opened(url, headers)
    return Response(None, connection.status, headers=connection.headers, web_socket=socket)


def _stop_with(content: Any, signal: Any) -> None:
    """Cut a body off that still arrives when the signal is given."""
    while isinstance(content, ReadableStream):
        content = (
            content.raw if isinstance(content, encoded_streams.EncodedStream) else content.source
        )
    if isinstance(content, IncomingBody):
        body = content
        signal.addEventListener("abort", lambda event: body.break_off(as_exception(signal.reason)))
