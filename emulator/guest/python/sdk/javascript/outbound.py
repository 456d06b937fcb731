"""`js.fetch`: what answers is a raw `js.Response`."""

from __future__ import annotations

from typing import Any

from ..jsobject import options
from ..jsproxy import JsProxy, plain
from ..workers.outbound import sent
from .headers import header_list
from .messages import Request, Response
from .promises import Promise
from .urls import URL


def fetch(resource: Any, given: Any = None, **keywords: Any) -> Promise:
    """Send a request; return a promise of the response."""
    return Promise(_fetched(resource, dict(options(given, keywords))))


async def _fetched(resource: Any, chosen: dict[str, Any]) -> Response:
    if "headers" in chosen:
        chosen["headers"] = header_list(chosen["headers"])
    chosen = {name: _value(value) for name, value in chosen.items() if value is not None}
    source = resource.href if isinstance(resource, URL) else resource
    own: Any = source._own if isinstance(source, Request) else source
    return Response.of(await sent(own, chosen))


def _value(value: Any) -> Any:
    data = plain(value) if isinstance(value, JsProxy) else value
    return data if isinstance(data, dict | str) else value
