"""`caches`: responses that are kept in the worker's memory, until it is loaded anew.

Source: https://developers.cloudflare.com/workers/runtime-apis/cache/.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from ..jserror import JsException
from ..jsobject import JsObject
from .messages import Request, Response
from .promises import promised

_KEPT_MAX = 1_000  # responses of one cache
_FOR_EVER_S = 7_200.0  # a response that does not say how long it may be kept


@dataclass(frozen=True, slots=True)
class _Kept:
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    until: float


class Cache(JsObject):
    """One cache."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    @promised
    async def match(self, request: Any, options: Any = None) -> Response | None:
        """Return the response that is kept for a request; None if there is none."""
        key = _request(request)
        kept = self._kept.get(key.url)
        if kept is None or key.method not in ("GET", "HEAD"):
            return None
        if kept.until <= time.monotonic():
            del self._kept[key.url]
            return None
        headers = [*kept.headers, ("cf-cache-status", "HIT")]
        return Response(kept.body, status=kept.status, headers=headers)

    @promised
    async def put(self, request: Any, response: Any) -> None:
        """Keep a response. Raises JsException "TypeError" for one that may not be kept."""
        key = _request(request)
        answer = response if isinstance(response, Response) else Response.of(response)
        if key.method != "GET":
            raise JsException("Cannot cache response to non-GET request.", "TypeError")
        if answer.status == 206:
            text = "Cannot cache response to a range request (206 Partial Content)."
            raise JsException(text, "TypeError")
        if str(answer.headers.get("vary")).strip() == "*":
            raise JsException("Cannot cache response with 'Vary: *' header.", "TypeError")
        headers = [(name, value) for name, value in answer.headers]
        body = (await answer.arrayBuffer()).to_bytes()
        seconds = _seconds(dict(headers))
        if seconds > 0:
            until = time.monotonic() + seconds
            self._kept[key.url] = _Kept(answer.status, headers, body, until)
            self._kept.move_to_end(key.url)
            while len(self._kept) > _KEPT_MAX:
                self._kept.popitem(last=False)

    @promised
    async def delete(self, request: Any, options: Any = None) -> bool:
        """Forget a response; return whether there was one."""
        return self._kept.pop(_request(request).url, None) is not None


class CacheStorage(JsObject):
    """`caches`."""

    def __init__(self) -> None:
        self.default = Cache()
        self._named: dict[str, Cache] = {}

    @promised
    async def open(self, name: str) -> Cache:
        """Return the cache of a name."""
        return self._named.setdefault(name, Cache())


def _request(given: Any) -> Request:
    if isinstance(given, Request):
        return given
    return Request(given) if isinstance(given, str) else Request.of(given)


def _seconds(headers: dict[str, str]) -> float:
    """Return how long a response may be kept."""
    control = headers.get("cache-control", "").lower()
    if re.search(r"\b(no-store|no-cache|private)\b", control) or "set-cookie" in headers:
        return 0.0
    for name in ("s-maxage", "max-age"):
        found = re.search(rf"\b{name}=(\d+)", control)
        if found:
            return float(found[1])
    if "expires" in headers:
        try:
            return parsedate_to_datetime(headers["expires"]).timestamp() - time.time()
        except ValueError:
            return 0.0
    return _FOR_EVER_S


caches = CacheStorage()
