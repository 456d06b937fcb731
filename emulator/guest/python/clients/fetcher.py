"""The client of what answers requests as another worker does, and of workers themselves.

Source: docs/platform/services.md, "Calls".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MethodType
from typing import Any

from .. import redirects
from ..calls import Answer
from ..sdk.jsdict import JsDict
from .binding import _BindingWrapper


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
        return await redirects.followed(request, self._sent)

    def _sent(self, method: str, url: str, headers: redirects.HeaderList, body: Any) -> Answer:
        from ..sdk.workers.outbound import received

        pairs = [list(pair) for pair in headers]
        if ("upgrade", "websocket") in ((n.lower(), v.lower()) for n, v in headers):
            return self._upgraded(url, pairs)

        def then(answer: JsDict) -> Any:
            return received(answer, method)

        args = [method, url, pairs, body]
        return self._caller.call(self._name, "fetch", args, then=then, is_rpc=True)

    def _upgraded(self, url: str, pairs: list[list[str]]) -> Answer:
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

        args = ["GET", url, pairs, coupled.outgoing]
        return self._caller.call(self._name, "fetch", args, then=then, is_rpc=True)

    def __getattr__(self, name: str) -> Callable[..., Answer]:
        if name.startswith("__"):  # introspection, e.g. by inspect or copy
            raise AttributeError(name, name=name, obj=self)

        return method_called(name, partial(self._caller.call, self._name, name, is_rpc=True))


_FetcherWrapper.__module__ = "workers.rpc"
