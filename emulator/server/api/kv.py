"""KV over REST: namespaces, keys, values and bulk changes, for both bases of the API.

Source: docs/platform/kv.md, "REST".
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from emulator.errors import WorkerError
from emulator.kinds.kv import KIND, Namespace
from emulator.server.api.bases import BASES
from emulator.server.api.bodies import (
    BATCH_MAX_BYTES,
    as_object,
    body_bytes,
    object_body,
    read_apart,
    read_json,
)
from emulator.server.api.created import add, created, delete, text_of
from emulator.server.api.envelope import INTERNAL, Answer, ApiError, endpoint
from emulator.server.api.parameters import bad, whole_number
from emulator.worker import Worker

if TYPE_CHECKING:
    from bindings.kv.kv import Kv
    from bindings.kv.namespace import Entry

NOT_FOUND, NO_NAMESPACE, TITLE_IN_USE = 10009, 10013, 10014
TITLE_MAX_BYTES = 512
PER_PAGE, PER_PAGE_MAX = 20, 1_000  # wrangler asks for so many
BULK_MAX = 10_000
VALUE_MAX_BYTES = 26 * 1024 * 1024  # a value, and the rest of a form

Handler = Callable[["Kv", Request], Awaitable[Answer | Response]]


def routes(worker: Worker) -> list[Route]:
    """Return these routes, for `create_app`."""
    one = "/{namespace}"
    table: list[tuple[str, str, Handler]] = [
        ("GET", f"{one}/keys", _list_keys),
        ("GET", f"{one}/values/{{key:path}}", _get),
        ("PUT", f"{one}/values/{{key:path}}", _put),
        ("DELETE", f"{one}/values/{{key:path}}", _delete),
        ("GET", f"{one}/metadata/{{key:path}}", _get_metadata),
        ("PUT", f"{one}/bulk", _put_bulk),
        ("DELETE", f"{one}/bulk", _delete_bulk),
        ("POST", f"{one}/bulk/delete", _delete_bulk),
        ("POST", f"{one}/bulk/get", _get_bulk),
    ]
    found = []
    for base in BASES:
        path = f"{base}/storage/kv/namespaces"
        namespaces = partial(_list_namespaces, worker)
        found.append(Route(path, endpoint(namespaces), methods=["GET"]))
        found.append(Route(path, endpoint(partial(_create, worker)), methods=["POST"]))
        found.append(Route(path + one, endpoint(partial(_show, worker)), methods=["GET"]))
        found.append(Route(path + one, endpoint(partial(_rename, worker)), methods=["PUT"]))
        found.append(Route(path + one, endpoint(partial(_remove, worker)), methods=["DELETE"]))
        for method, rest, handler in table:
            asked = endpoint(partial(_on_namespace, worker, handler))
            found.append(Route(path + rest, asked, methods=[method]))
    return found


async def _list_namespaces(worker: Worker, request: Request) -> Answer:
    """GET …/namespaces: those of the configuration, and those that were created."""
    found = [_shown(worker, each) for each in _namespaces(worker)]
    if request.query_params.get("direction") == "desc":
        found.reverse()
    page = whole_number(request, "page", 1)
    per_page = whole_number(request, "per_page", PER_PAGE, PER_PAGE_MAX)
    shown = found[(page - 1) * per_page : page * per_page]
    info = {"page": page, "per_page": per_page, "count": len(shown), "total_count": len(found)}
    return Answer(shown, info)


async def _show(worker: Worker, request: Request) -> Answer:
    """GET …/namespaces/{id}."""
    return Answer(_shown(worker, _namespace(worker, request)))


async def _create(worker: Worker, request: Request) -> Answer:
    """POST …/namespaces `{title}`."""
    title = await _new_title(worker, request)
    namespace = Namespace(secrets.token_hex(16))
    add(worker, KIND, namespace.id, {"title": title})
    return Answer(_shown(worker, namespace))


async def _rename(worker: Worker, request: Request) -> Answer:
    """PUT …/namespaces/{id} `{title}`."""
    namespace = _namespace(worker, request)
    if namespace.id not in created(worker, KIND):
        raise bad("The title of a namespace of the configuration is the name of its binding.")
    add(worker, KIND, namespace.id, {"title": await _new_title(worker, request)})
    return Answer(_shown(worker, namespace))


async def _remove(worker: Worker, request: Request) -> Answer:
    """DELETE …/namespaces/{id}, with its keys."""
    namespace = _namespace(worker, request)
    await delete(worker, KIND, namespace.id, namespace, namespace.path(worker.state))
    return Answer({})


async def _new_title(worker: Worker, request: Request) -> str:
    title = text_of(await object_body(request), "title")
    if len(title.encode()) > TITLE_MAX_BYTES:
        raise bad(f"title is too long; expected at most {TITLE_MAX_BYTES} bytes")
    if any(each["title"] == title for each in created(worker, KIND).values()):
        text = f"a namespace with this account ID and title already exists: {title}"
        raise ApiError(400, TITLE_IN_USE, text)
    return title


def _namespaces(worker: Worker) -> list[Namespace]:
    found = {key: Namespace(key) for key in created(worker, KIND)}
    found |= {bound.record.id: bound.record for bound in worker.config.bound(Namespace)}
    return sorted(found.values(), key=lambda each: each.id)


def _namespace(worker: Worker, request: Request) -> Namespace:
    wanted = request.path_params["namespace"]
    for each in _namespaces(worker):
        if each.id == wanted:
            return each
    text = f"namespace not found: there is no KV namespace with the id '{wanted}'"
    raise ApiError(404, NO_NAMESPACE, text)


def _shown(worker: Worker, namespace: Namespace) -> dict[str, object]:
    names = [bound.name for bound in worker.config.bound(Namespace) if bound.record == namespace]
    found = created(worker, KIND).get(namespace.id)
    title = names[0] if found is None else found["title"]
    return {"id": namespace.id, "title": title, "supports_url_encoding": True}


async def _on_namespace(worker: Worker, handler: Handler, request: Request) -> Answer | Response:
    from bindings.kv.rules import Refused

    kv = cast("Kv", worker.opened(KIND, _namespace(worker, request)))
    try:
        return await handler(kv, request)
    except Refused as refused:
        raise ApiError(refused.status, INTERNAL, refused.text) from None
    except WorkerError as error:
        status = 400 if error.name == "TypeError" else 500
        raise ApiError(status, INTERNAL, error.message) from None


async def _list_keys(kv: Kv, request: Request) -> Answer:
    """GET …/keys?prefix=&limit=&cursor=."""
    query = request.query_params
    limit = whole_number(request, "limit", 1_000, 1_000)
    page = await kv.list_keys(query.get("prefix", ""), limit, query.get("cursor", ""))
    keys = []
    for key in page.keys:
        shown: dict[str, Any] = {"name": key.name}
        if key.expires_s is not None:
            shown["expiration"] = key.expires_s
        if key.metadata is not None:
            shown["metadata"] = json.loads(key.metadata)
        keys.append(shown)
    return Answer(keys, {"count": len(keys), "cursor": page.cursor or ""})


async def _get(kv: Kv, request: Request) -> Response:
    """GET …/values/{key}: the bytes; `expiration` in a header."""
    entry = await _found(kv, request)
    headers = {} if entry.expires_s is None else {"expiration": str(entry.expires_s)}
    return Response(entry.value, headers=headers, media_type="application/octet-stream")


async def _get_metadata(kv: Kv, request: Request) -> Answer:
    """GET …/metadata/{key}."""
    entry = await _found(kv, request)
    return Answer(None if entry.metadata is None else json.loads(entry.metadata))


async def _found(kv: Kv, request: Request) -> Entry:
    entry = await kv.get(request.path_params["key"])
    if entry is None:
        raise ApiError(404, NOT_FOUND, "get: 'key not found'")
    return entry


async def _put(kv: Kv, request: Request) -> Answer:
    """PUT …/values/{key}?expiration=&expiration_ttl=: the bytes, or a form with `metadata`."""
    content = await body_bytes(request, VALUE_MAX_BYTES)
    kind = request.headers.get("content-type", "")
    metadata = None
    if kind.lower().startswith("multipart/form-data"):
        content, metadata = await asyncio.to_thread(_form, content, kind)
    times = _seconds(request, "expiration"), _seconds(request, "expiration_ttl")
    await kv.put(request.path_params["key"], content, *times, metadata)
    return Answer(None)


async def _delete(kv: Kv, request: Request) -> Answer:
    """DELETE …/values/{key}."""
    await kv.delete(request.path_params["key"])
    return Answer(None)


async def _put_bulk(kv: Kv, request: Request) -> Answer:
    """PUT …/bulk: `[{key, value, expiration?, expiration_ttl?, metadata?, base64?}]`."""
    items = await _items(request)
    read = [_entry(kv, item) for item in items]
    await kv.namespace.put_many(read)
    return Answer({"successful_key_count": len(items), "unsuccessful_keys": []})


async def _delete_bulk(kv: Kv, request: Request) -> Answer:
    """DELETE …/bulk and POST …/bulk/delete: a list of keys."""
    from bindings.kv import rules

    keys = [rules.check_key(_key(item)) for item in await _items(request)]
    await kv.namespace.delete(keys)
    return Answer({"successful_key_count": len(keys), "unsuccessful_keys": []})


async def _get_bulk(kv: Kv, request: Request) -> Answer:
    """POST …/bulk/get: `{keys, type?, withMetadata?}`."""
    from bindings.kv.kv import as_text

    body = as_object(await read_apart(await body_bytes(request, BATCH_MAX_BYTES), read_json))
    if not isinstance(body.get("keys"), list):
        raise bad("'keys' is missing; expected a list of keys")
    keys = [_key(key) for key in cast("list[Any]", body["keys"])]
    kind = str(body.get("type") or "text")
    entries = await kv.get_bulk(keys, kind)
    found: dict[str, Any] = {}
    for key, entry in zip(keys, entries, strict=True):
        if entry is None:
            continue
        text = as_text(entry.value)
        value = json.loads(text) if kind == "json" else text
        if body.get("withMetadata"):
            metadata = None if entry.metadata is None else json.loads(entry.metadata)
            value = {"value": value, "metadata": metadata}
            if entry.expires_s is not None:
                value["expiration"] = entry.expires_s
        found[key] = value
    return Answer({"values": found})


async def _items(request: Request) -> list[Any]:
    items = await read_apart(await body_bytes(request, BATCH_MAX_BYTES), read_json)
    if not isinstance(items, list):
        raise bad("(body) is not a list")
    if len(items) > BULK_MAX:
        raise bad(f"(body) has {len(items):,} items; expected {BULK_MAX:,} at the most")
    return items


def _entry(kv: Kv, item: Any) -> tuple[bytes, Entry]:
    """Return what an item of a bulk put stores. Raises Refused, ApiError."""
    from bindings.kv import rules
    from bindings.kv.namespace import Entry
    from bindings.kv.values import to_bytes, to_json, to_seconds

    fields = as_object(item)
    value = fields.get("value")
    if not isinstance(value, str):
        raise bad("'value' of an item is missing; expected a string")
    content = to_bytes(value)
    if fields.get("base64"):
        try:
            content = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise bad(f"'value' of '{fields.get('key')}' is not base64") from None
    times = to_seconds(fields.get("expiration")), to_seconds(fields.get("expiration_ttl"))
    metadata = None if fields.get("metadata") is None else to_json(fields["metadata"])
    rules.check_size(len(content))
    rules.check_metadata(metadata)
    expires_s = rules.expires_s(*times, kv.namespace.now_s())
    return rules.check_key(_key(fields.get("key"))), Entry(content, metadata, expires_s)


def _key(item: Any) -> str:
    if not isinstance(item, str):
        raise bad(f"a key is {json.dumps(item)}; expected a string")
    return item


def _seconds(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.lstrip("-").isdecimal():
        raise bad(f"'{name}' is '{text}'; expected a number of seconds")
    return int(text)


def _form(content: bytes, kind: str) -> tuple[bytes, str | None]:
    """Return value and metadata of a form. Raises ApiError."""
    from bindings.multipart import NotAForm, read_form

    try:
        parts = {part.name: part for part in read_form(content, kind)}
    except NotAForm as error:
        raise bad(f"(body) is not a form: {error}") from None
    if "value" not in parts:
        raise bad("(body) is a form without the field value")
    metadata = parts["metadata"].text if "metadata" in parts else None
    if metadata is not None:
        try:
            json.loads(metadata)
        except (ValueError, RecursionError):
            raise bad("'metadata' is not JSON") from None
    return bytes(parts["value"].content), metadata
