"""The HTTP protocol of workerd's KV client: a request's parts in, a response's parts out.

Owns paths, headers and the JSON of both directions. It opens no socket: its caller serves it. The
client shows the reason phrase of an error to user code.
Source: docs/platform/kv.md, "The protocol of workerd's client".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from bindings.http import HttpAnswer, json_answer
from bindings.kv import rules
from bindings.kv.kv import Kv, as_text
from bindings.kv.namespace import Entry
from bindings.kv.rules import Refused
from emulator.errors import WorkerError

METADATA, EXPIRATION = "cf-kv-metadata", "cf-expiration"


async def answer(
    kv: Kv, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> HttpAnswer:
    """Answer one request of the client on `kv`.

    `target` is the path with its query, or a whole URL; the names in `headers` are lower case.
    `GET /key?urlencoded=true` gives the value with its metadata in `cf-kv-metadata`.
    """
    url = urlsplit(target)
    query = {name: found[-1] for name, found in parse_qs(url.query, True).items()}
    try:
        return await _answer(kv, method, url.path, query, headers, body)
    except Refused as refused:
        return _failed(refused.status, refused.text)
    except WorkerError as error:
        return _failed(400 if error.name == "TypeError" else 500, error.message)


async def _answer(
    kv: Kv,
    method: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    body: bytes,
) -> HttpAnswer:
    if method == "POST" and path == "/bulk/get":
        return await _bulk(kv, body)
    if method == "GET" and path == "/":
        return await _list(kv, query)
    key = path.removeprefix("/")
    if query.get("urlencoded", "").lower() == "true":
        key = unquote(key)
    match method:
        case "GET":
            entry = await kv.get(key, _number(query, "cache_ttl"))
            return _failed(404, "Not Found") if entry is None else _found(entry)
        case "PUT":
            times = _number(query, "expiration"), _number(query, "expiration_ttl")
            await kv.put(key, body, *times, _utf8(headers.get(METADATA)))
            return HttpAnswer(200, {}, b"")
        case "DELETE":
            await kv.delete(key)
            return HttpAnswer(200, {}, b"")
    return _failed(405, "Method Not Allowed")


def _found(entry: Entry) -> HttpAnswer:
    headers = {}
    if entry.metadata is not None:
        headers[METADATA] = _ascii(entry.metadata)
    if entry.expires_s is not None:
        headers[EXPIRATION] = str(entry.expires_s)
    return HttpAnswer(200, headers, entry.value)


async def _list(kv: Kv, query: Mapping[str, str]) -> HttpAnswer:
    limit = _number(query, "key_count_limit")
    most = rules.LIST_MAX_KEYS if limit is None else limit
    page = await kv.list_keys(query.get("prefix", ""), most, query.get("cursor", ""))
    keys = []
    for key in page.keys:
        shown: dict[str, Any] = {"name": key.name}
        if key.expires_s is not None:
            shown["expiration"] = key.expires_s
        if key.metadata is not None:
            shown["metadata"] = key.metadata  # as JSON: the client parses it
        keys.append(shown)
    more = {} if page.cursor is None else {"cursor": page.cursor}
    complete = page.cursor is None
    return json_answer(200, {"keys": keys, "list_complete": complete, **more, "cacheStatus": None})


async def _bulk(kv: Kv, body: bytes) -> HttpAnswer:
    try:
        asked = json.loads(body)
        keys, kind = [str(key) for key in asked["keys"]], asked.get("type") or "text"
        cache_ttl = None if asked.get("cacheTtl") is None else int(asked["cacheTtl"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(400, f"The request cannot be read: {error}") from None
    entries = await kv.get_bulk(keys, kind, cache_ttl)
    found: dict[str, Any] = {}
    for key, entry in zip(keys, entries, strict=True):
        found[key] = None if entry is None else _in_bulk(entry, kind, asked.get("withMetadata"))
    return json_answer(200, found)


def _in_bulk(entry: Entry, kind: str, with_metadata: object) -> Any:
    text = as_text(entry.value)
    value = json.loads(text) if kind == "json" else text
    if not with_metadata:
        return value
    metadata = None if entry.metadata is None else json.loads(entry.metadata)
    return {"value": value, "metadata": metadata}


def _number(query: Mapping[str, str], name: str) -> int | None:
    """Return an integer of the query as parseInt reads it, 0 when it is no number."""
    text = query.get(name)
    if text is None:
        return None
    digits = text.strip().split(".")[0]
    return int(digits) if digits.lstrip("+-").isdecimal() else 0


def _ascii(text: str) -> str:
    """Return JSON with the characters escaped that no header can have."""
    return "".join(char if char.isascii() else json.dumps(char)[1:-1] for char in text)


def _utf8(header: str | None) -> str | None:
    """Return a header that holds UTF-8, which servers read as Latin-1."""
    if header is None:
        return None
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header


def _failed(status: int, text: str) -> HttpAnswer:
    return HttpAnswer(status, {"content-type": "text/plain"}, text.encode(), text)
