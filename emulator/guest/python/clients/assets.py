"""The client of assets: `env.ASSETS.fetch`. Source: docs/platform/assets.md, "The binding"."""

from __future__ import annotations

from typing import Any

from ..calls import Answer
from ..sdk.jsdict import JsDict
from .binding import _BindingWrapper


class _FetcherWrapper(_BindingWrapper):
    """What answers requests as another worker does."""

    def fetch(self, resource: Any, /, **options: Any) -> Answer:
        """Send a request, or a URL with options; returns a Response."""
        from ..sdk.workers.request import Request, wire_method  # they import the clients

        request = resource if isinstance(resource, Request) and not options else None
        request = request or Request(resource, **options)
        headers = [list(pair) for pair in request._header_list()]
        args = [wire_method(request), request.url, headers]
        return self._caller.call(
            self._name, "fetch", args, then=lambda answer: _response(answer, request.url)
        )


def _response(answer: JsDict, url: str) -> Any:
    from ..sdk.workers.response import Response

    headers = [(name, value) for name, value in answer["headers"]]
    response = Response(answer["body"], answer["status"], "", headers)
    response.url = url
    return response


_FetcherWrapper.__module__ = "workers.rpc"
CLIENT = _FetcherWrapper
