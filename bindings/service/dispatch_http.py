"""Calls of dispatched workers, as a worker in workerd makes them: `guest/javascript/services.js`.

The name of the worker is in a header. No socket is opened here: the caller serves it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from urllib.parse import unquote

from bindings.http import HttpAnswer, StreamedAnswer
from bindings.service import http
from bindings.service.dispatch import Dispatcher

NAME = "x-groundfog-worker"


async def answer(
    dispatcher: Dispatcher,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes | AsyncIterator[bytes],
) -> HttpAnswer | StreamedAnswer:
    """Answer a call of a method, or a request."""
    worker = dispatcher.of(unquote(headers.get(NAME, "")))
    return await http.answer(worker, method, target, headers, body)
