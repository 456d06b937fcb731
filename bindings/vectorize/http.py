"""The HTTP protocol of workerd's Vectorize client module: parts of a request in, a response out.

Owns paths and the JSON of both directions. It opens no socket: its caller serves it. For the client
every status except 200 is an error, and it reads `{"code", "error"}` from the body.
Source: docs/platform/vectorize.md, "The protocol of workerd's client".
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from bindings.http import HttpAnswer, json_answer
from bindings.vectorize.errors import UNREADABLE_QUERY, UNREADABLE_VECTORS, Refused
from bindings.vectorize.ndjson import read_lines
from bindings.vectorize.vectorize import Vectorize
from emulator.errors import WorkerError

NDJSON = "application/x-ndjson"
BODY_MAX_BYTES = 100 * 1024 * 1024

_OPTIONS = ("topK", "returnValues", "returnMetadata", "namespace", "filter")


async def answer(
    index: Vectorize, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> HttpAnswer:
    """Answer one request of the client module on `index`.

    `target` is the path with its query, or a whole URL; the names in `headers` are lower case.
    `POST /query` with `{"vector": [1, 0], "topK": 3}` gives `{"count", "matches"}`.
    """
    path = urlsplit(target).path
    known = _METHODS.get(path)
    if known is None:
        return json_answer(404, {"error": f'Vectorize has no path "{path}"'})
    if method != known:
        return json_answer(405, {"error": f"{path} expects {known}, not {method}"})
    if len(body) > BODY_MAX_BYTES:
        return json_answer(413, {"error": f"the body is {len(body)} bytes; max is 100 MB"})
    try:
        name, args = await asyncio.to_thread(_read_call, path, headers, body)
        return json_answer(200, await index.request(name, args))
    except Refused as refused:
        return json_answer(400, {"code": refused.code, "error": refused.text})
    except WorkerError as error:
        return json_answer(400, {"code": UNREADABLE_QUERY, "error": error.message})


_METHODS = {
    "/info": "GET",
    "/query": "POST",
    "/insert": "POST",
    "/upsert": "POST",
    "/getByIds": "POST",
    "/deleteByIds": "POST",
}


def _read_call(path: str, headers: Mapping[str, str], body: bytes) -> tuple[str, list[Any]]:
    """Return the binding's method and its arguments that a request asks for."""
    match path:
        case "/info":
            return "describe", []
        case "/insert" | "/upsert":
            return path[1:], [_read_vectors(headers, body)]
        case "/getByIds" | "/deleteByIds":
            return path[1:], [_read_object(body).get("ids")]
        case _:
            request = _read_object(body)
            options = {key: request[key] for key in _OPTIONS if request.get(key) is not None}
            if request.get("vectorId") is not None:
                return "queryById", [request["vectorId"], options]
            return "query", [request.get("vector"), options]


def _read_vectors(headers: Mapping[str, str], body: bytes) -> Any:
    if headers.get("content-type", "").split(";")[0].strip().lower() == NDJSON:
        return list(read_lines(map(_text, BytesIO(body))))
    return _read_object(body).get("vectors")


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(_text(body))
    except (ValueError, RecursionError) as error:
        raise _unreadable(str(error)) from None
    if not isinstance(value, dict):
        raise _unreadable("expected an object")
    return value


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise _unreadable(f"byte {error.start} is not UTF-8") from None


def _unreadable(problem: str) -> Refused:
    return Refused(UNREADABLE_VECTORS, f"Failed to parse the request body as JSON: {problem}")
