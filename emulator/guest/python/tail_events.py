"""What a `tail` handler gets: what events of other workers did.

Source: https://developers.cloudflare.com/workers/runtime-apis/handlers/tail/.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from .sdk.javascript.dates import Date
from .sdk.jsproxy import JsProxy, proxied


def trace_items(given: list[dict[str, Any]]) -> list[Any]:
    """Return the items as user code reads them. given: as the host tells them."""
    return [proxied(_item(each), "the trace item") for each in given]


def _item(given: dict[str, Any]) -> dict[str, Any]:
    event = given["event"]
    request = event.get("request")
    if request is not None:
        request["getUnredacted"] = _returning(request.pop("unredacted"))
    if isinstance(event.get("scheduledTime"), datetime):
        event["scheduledTime"] = Date(event["scheduledTime"].timestamp() * 1000)
    return given


def _returning(request: dict[str, Any]) -> Callable[[], JsProxy]:
    def getUnredacted() -> JsProxy:  # JavaScript's name
        """Return the request with its secrets."""
        proxy: JsProxy = proxied(request, "the request")
        return proxy

    return getUnredacted
