"""Vectorize over REST: indexes, vectors, queries and metadata indexes, for both bases of the API.

Source: docs/platform/vectorize.md, "REST".
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

from starlette.requests import Request
from starlette.routing import Route

from bindings.vectorize.settings import PRESETS
from emulator.errors import WorkerError
from emulator.kinds.vectorize import INDEX_NAME_MAX_BYTES, KIND, VectorIndex, index_named
from emulator.server.api.bases import BASES
from emulator.server.api.bodies import as_object, body_bytes, object_body, read_apart, read_json
from emulator.server.api.created import add, created, delete, text_of
from emulator.server.api.envelope import Answer, ApiError, endpoint
from emulator.server.api.parameters import bad, whole_number
from emulator.worker import Worker

if TYPE_CHECKING:
    from bindings.vectorize.index import Index
    from bindings.vectorize.vectorize import Vectorize

NO_INDEX, NAME_IN_USE, FAILED = 3000, 3002, 40026
BODY_MAX_BYTES = 100 * 1024 * 1024
LIST_COUNT, LIST_MAX = 100, 1000
_OPTIONS = ("topK", "returnValues", "returnMetadata", "namespace", "filter")

Handler = Callable[["Vectorize", Request], Awaitable[Any]]


def routes(worker: Worker) -> list[Route]:
    """Return these routes, for `create_app`."""
    table: list[tuple[str, str, Handler]] = [
        ("GET", "", _show),
        ("GET", "/info", _info),
        ("GET", "/list", _list),
        ("POST", "/insert", partial(_write, "insert")),
        ("POST", "/upsert", partial(_write, "upsert")),
        ("POST", "/query", _query),
        ("POST", "/get_by_ids", partial(_by_ids, "getByIds")),
        ("POST", "/delete_by_ids", partial(_by_ids, "deleteByIds")),
        ("GET", "/metadata_index/list", _metadata_indexes),
        ("POST", "/metadata_index/create", _create_metadata_index),
        ("POST", "/metadata_index/delete", _delete_metadata_index),
    ]
    found = []
    for base in BASES:
        path = f"{base}/vectorize/v2/indexes"
        found.append(Route(path, endpoint(partial(_indexes, worker)), methods=["GET"]))
        found.append(Route(path, endpoint(partial(_create, worker)), methods=["POST"]))
        one = endpoint(partial(_delete, worker))
        found.append(Route(f"{path}/{{index}}", one, methods=["DELETE"]))
        for method, rest, handler in table:
            asked = endpoint(partial(_on_index, worker, handler))
            found.append(Route(f"{path}/{{index}}{rest}", asked, methods=[method]))
    return found


async def _indexes(worker: Worker, request: Request) -> Answer:
    """GET …/indexes: those of the configuration, and those that were created."""
    shown = [await _opened(worker, each).on_index(_definition) for each in _records(worker)]
    return Answer(shown)


async def _create(worker: Worker, request: Request) -> Answer:
    """POST …/indexes `{name, config: {dimensions, metric} or {preset}, description?}`."""
    from bindings.vectorize.errors import Refused

    body = await object_body(request)
    name = text_of(body, "name")
    if any(each.name == name for each in _records(worker)):
        text = f"vectorize.index.duplicate_name: there is an index named '{name}'"
        raise ApiError(409, NAME_IN_USE, text)
    if len(name.encode()) > INDEX_NAME_MAX_BYTES:
        raise bad(f"name is too long; expected at most {INDEX_NAME_MAX_BYTES} bytes")
    wanted = as_object(body.get("config"))
    dimensions, metric = wanted.get("dimensions"), wanted.get("metric")
    if (preset := wanted.get("preset")) is not None:
        dimensions, metric = PRESETS.get(str(preset)), "cosine"
    if not isinstance(dimensions, int) or not isinstance(metric, str):
        raise bad("config needs dimensions and metric, or a preset")
    size, kind, described = dimensions, metric, body.get("description")
    record = index_named(worker.config, name)
    description = described if isinstance(described, str) else None
    try:
        made = _opened(worker, record)
        await made.on_index(lambda index: index.create(size, kind, description))
    except Refused as refused:
        raise ApiError(400, refused.code, refused.text) from None
    except WorkerError as error:
        raise ApiError(400, FAILED, error.message) from None
    add(worker, KIND, name, {})
    return Answer(await made.on_index(_definition))


async def _delete(worker: Worker, request: Request) -> Answer:
    """DELETE …/indexes/{index}."""
    record = _record(worker, request)
    await delete(worker, KIND, record.name, record, record.path(worker.state))
    return Answer(None)


def _record(worker: Worker, request: Request) -> VectorIndex:
    wanted = request.path_params["index"]
    for each in _records(worker):
        if each.name == wanted:
            return each
    text = f"vectorize.index.not_found: there is no index named '{wanted}'"
    raise ApiError(404, NO_INDEX, text)


async def _on_index(worker: Worker, handler: Handler, request: Request) -> Answer:
    from bindings.vectorize.errors import Refused

    record = _record(worker, request)
    try:
        return Answer(await handler(_opened(worker, record), request))
    except Refused as refused:
        raise ApiError(400, refused.code, refused.text) from None
    except WorkerError as error:
        raise ApiError(400, FAILED, error.message) from None


def _records(worker: Worker) -> list[VectorIndex]:
    found = {name: index_named(worker.config, name) for name in created(worker, KIND)}
    found |= {bound.record.name: bound.record for bound in worker.config.bound(VectorIndex)}
    return list(found.values())


def _opened(worker: Worker, record: VectorIndex) -> Vectorize:
    return cast("Vectorize", worker.opened(KIND, record))


def _definition(index: Index) -> Any:
    """Return a definition; wrangler reads numbers, so unknown dimensions are 0."""
    found = index.definition()
    shape = found["config"]
    config = {"dimensions": shape["dimensions"] or 0, "metric": shape["metric"] or "cosine"}
    return {**found, "config": config}


async def _show(vectorize: Vectorize, request: Request) -> Any:
    """GET …/{index}."""
    return await vectorize.on_index(_definition)


async def _info(vectorize: Vectorize, request: Request) -> Any:
    """GET …/info: `{dimensions, vectorCount, processedUpToDatetime, processedUpToMutation}`."""
    return await vectorize.request("describe", [])


async def _list(vectorize: Vectorize, request: Request) -> Any:
    """GET …/list?count=&cursor=; a cursor is the last id."""
    count = whole_number(request, "count", LIST_COUNT, LIST_MAX)
    after = request.query_params.get("cursor")
    ids, total = await vectorize.on_index(lambda index: index.list_ids(after, count + 1))
    found: dict[str, Any] = {"count": len(ids[:count]), "totalCount": total}
    found["isTruncated"] = len(ids) > count
    if len(ids) > count:
        found["nextCursor"] = ids[count - 1]
    return {**found, "vectors": [{"id": each} for each in ids[:count]]}


async def _write(operation: str, vectorize: Vectorize, request: Request) -> Any:
    """POST …/insert, …/upsert: lines of JSON, as the body or as the field `vectors` of a form."""
    body = await body_bytes(request, BODY_MAX_BYTES)
    discards = request.query_params.get("unparsable-behavior") == "discard"
    kind = request.headers.get("content-type", "")
    given = await asyncio.to_thread(_vectors, body, kind, discards)

    def write(index: Index) -> Any:
        from bindings.vectorize.vectors import VECTORS_PER_REQUEST_MAX, parse_vectors

        return index.write(operation, parse_vectors(given, VECTORS_PER_REQUEST_MAX))

    return await vectorize.on_index(write)


def _vectors(body: bytes, content_type: str, discards: bool) -> list[Any]:
    from bindings.multipart import NotAForm, read_form
    from bindings.vectorize.ndjson import read_lines

    if content_type.lower().startswith("multipart/form-data"):
        try:
            parts = {part.name: part.content for part in read_form(body, content_type)}
        except NotAForm as error:
            raise bad(str(error)) from None
        if "vectors" not in parts:
            raise bad("the form has no field vectors")
        body = bytes(parts["vectors"])
    lines = (line.decode("utf-8", "replace") for line in BytesIO(body))
    return list(read_lines(filter(_is_json, lines) if discards else lines))


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


async def _query(vectorize: Vectorize, request: Request) -> Any:
    """POST …/query `{vector or vectorId, topK?, …}`: `{count, matches}`."""
    body = await _object(request)
    options = {key: body[key] for key in _OPTIONS if body.get(key) is not None}
    if body.get("vectorId") is not None:
        return await vectorize.request("queryById", [body["vectorId"], options])
    return await vectorize.request("query", [body.get("vector"), options])


async def _by_ids(method: str, vectorize: Vectorize, request: Request) -> Any:
    """POST …/get_by_ids, …/delete_by_ids `{ids}`."""
    return await vectorize.request(method, [(await _object(request)).get("ids")])


async def _metadata_indexes(vectorize: Vectorize, request: Request) -> Any:
    """GET …/metadata_index/list."""
    found = await vectorize.on_index(lambda index: index.metadata_indexes())
    return {"metadataIndexes": found}


async def _create_metadata_index(vectorize: Vectorize, request: Request) -> Any:
    """POST …/metadata_index/create `{propertyName, indexType}`."""
    body = await _object(request)
    name, kind = str(body.get("propertyName", "")), str(body.get("indexType", ""))
    return await vectorize.on_index(lambda index: index.create_metadata_index(name, kind))


async def _delete_metadata_index(vectorize: Vectorize, request: Request) -> Any:
    """POST …/metadata_index/delete `{propertyName}`."""
    name = str((await _object(request)).get("propertyName", ""))
    return await vectorize.on_index(lambda index: index.delete_metadata_index(name))


async def _object(request: Request) -> dict[str, Any]:
    return as_object(await read_apart(await body_bytes(request, BODY_MAX_BYTES), read_json))
