"""The client of what answers requests as another worker does, and of workers themselves.

Source: docs/platform/services.md, "Calls".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MethodType
from typing import Any
from urllib.parse import urljoin

from ..calls import Answer
from ..sdk.jsdict import JsDict
from ..sdk.jserror import JsException
from .binding import _BindingWrapper

_MAX_REDIRECTS = 20  # the Fetch standard
_REDIRECTS = (301, 302, 303, 307, 308)


def method_called(name: str, send: Callable[[list[Any]], Answer]) -> Callable[..., Answer]:
    """Return a method with this name, of a worker elsewhere; keywords are its last argument."""

    def method(_: str, *args: Any, **keywords: Any) -> Answer:
        return send([*args, keywords] if keywords else list(args))

    method.__name__ = method.__qualname__ = name
    return MethodType(method, name)


class _FetcherWrapper(_BindingWrapper):
    """A worker: `fetch` sends it a request, and every other name is a method of it."""

    async def fetch(self, resource: Any, /, **options: Any) -> Any:
        """Send a request, or a URL with options; returns a Response."""
        from ..sdk.workers.request import Request  # it imports the clients

        request = resource if isinstance(resource, Request) and not options else None
        request = request or Request(resource, **options)
        response = await self._sent(request)
        for _ in range(_MAX_REDIRECTS):
            target = response.headers.get("location")
            if request.redirect == "manual" or response.status not in _REDIRECTS or not target:
                return response
            if request.redirect == "error":
                raise JsException(f"Unexpected redirect from {request.url}", "TypeError")
            request = _redirected(request, response.status, urljoin(request.url, target))
            response = await self._sent(request)
            response.redirected = True
        raise JsException("Too many redirects.", "TypeError")

    def _sent(self, request: Any) -> Answer:
        if (request.headers.get("upgrade") or "").lower() == "websocket":
            return self._upgraded(request)
        from ..sdk.workers.request import wire_method

        headers = [list(pair) for pair in request._header_list()]
        args = [wire_method(request), request.url, headers, request._take()]

        def then(answer: JsDict) -> Any:
            return _response(answer, request.url)

        return self._caller.call(self._name, "fetch", args, then=then, is_rpc=True)

    def _upgraded(self, request: Any) -> Answer:
        """Ask for a WebSocket, whose messages go as streams."""
        from ..sdk.workers.response import Response  # it imports the clients
        from ..web_socket_streams import Coupled

        coupled = Coupled()

        def then(answer: JsDict) -> Any:
            headers = [(name, value) for name, value in answer["headers"]]
            status, body = answer["status"], answer["body"]
            if status != 101:
                coupled.stop()
                return Response(body, status, answer.get("status_text", ""), headers)
            coupled.hear(body)
            return Response(None, 101, headers=headers, web_socket=coupled.near)

        headers = [list(pair) for pair in request._header_list()]
        args = ["GET", request.url, headers, coupled.outgoing]
        return self._caller.call(self._name, "fetch", args, then=then, is_rpc=True)

    def __getattr__(self, name: str) -> Callable[..., Answer]:
        if name.startswith("__"):  # introspection, e.g. by inspect or copy
            raise AttributeError(name, name=name, obj=self)

        return method_called(name, partial(self._caller.call, self._name, name, is_rpc=True))


def _redirected(request: Any, status: int, url: str) -> Any:
    """Return the request that follows a redirect. Raises JsException for a body that is gone."""
    from ..sdk.workers.request import Request, wire_method

    method = wire_method(request)
    if status == 303 or (status in (301, 302) and method == "POST"):
        method = "GET"
    elif request.body is not None:
        text = "A request with a one-time-use body encountered a redirect requiring the body."
        raise JsException(text, "TypeError")
    headers = dict(request._header_list())
    return Request(url, method=method, headers=headers, redirect=request.redirect)


def _response(answer: JsDict, url: str) -> Any:
    from ..sdk.workers.response import Response

    headers = [(name, value) for name, value in answer["headers"]]
    response = Response(answer["body"], answer["status"], answer.get("status_text", ""), headers)
    response.url = url
    return response


_FetcherWrapper.__module__ = "workers.rpc"
