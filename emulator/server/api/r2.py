"""R2 over REST: buckets and objects, for both bases of the API, and the public way to read them.

Source: docs/platform/r2.md, "REST".
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from emulator.clock import SystemClock
from emulator.engine.model.plain import iso
from emulator.errors import WorkerError
from emulator.kinds.r2 import KIND, BucketRecord
from emulator.server.api.bases import BASES
from emulator.server.api.bodies import object_body, streamed
from emulator.server.api.created import add, created, delete, text_of
from emulator.server.api.envelope import INTERNAL, Answer, ApiError, endpoint
from emulator.server.api.parameters import bad, whole_number
from emulator.server.api.s3.door import routes as s3_routes
from emulator.worker import Worker

if TYPE_CHECKING:
    from bindings.r2.bucket import Bucket
    from bindings.r2.r2 import R2

BAD_NAME, NO_BUCKET, NAME_IN_USE, NOT_EMPTY = 10005, 10006, 10004, 10008
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_CLASSES = ("Standard", "InfrequentAccess")
PUBLIC = "/cdn-cgi/local/r2/public/{bucket}/{key:path}"
_FIELDS = {
    "content-type": "contentType",
    "content-language": "contentLanguage",
    "content-disposition": "contentDisposition",
    "content-encoding": "contentEncoding",
    "cache-control": "cacheControl",
}

Handler = Callable[["Bucket", Request], Awaitable[Answer | Response]]


def routes(worker: Worker) -> list[Route]:
    """Return these routes, for `create_app`."""
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/objects", _list),
        ("GET", "/objects/{key:path}", _get),
        ("PUT", "/objects/{key:path}", _put),
        ("DELETE", "/objects/{key:path}", _delete),
    ]
    found = [*s3_routes(worker, records)]
    found.append(Route(PUBLIC, endpoint(partial(_on_bucket, worker, _get)), methods=["GET"]))
    for base in BASES:
        path = f"{base}/r2/buckets"
        one = f"{path}/{{bucket}}"
        found.append(Route(path, endpoint(partial(_list_buckets, worker)), methods=["GET"]))
        found.append(Route(path, endpoint(partial(_create_bucket, worker)), methods=["POST"]))
        found.append(Route(one, endpoint(partial(_show_bucket, worker)), methods=["GET"]))
        found.append(Route(one, endpoint(partial(_delete_bucket, worker)), methods=["DELETE"]))
        for method, rest, handler in table:
            asked = endpoint(partial(_on_bucket, worker, handler))
            found.append(Route(one + rest, asked, methods=[method]))
    return found


async def _create_bucket(worker: Worker, request: Request) -> Answer:
    """POST …/buckets `{name, storageClass?, locationHint?}`."""
    body = await object_body(request)
    name = text_of(body, "name")
    if not _NAME.fullmatch(name):
        raise ApiError(400, BAD_NAME, "The specified bucket name is not valid.")
    storage_class = body.get("storageClass") or "Standard"
    if storage_class not in _CLASSES:
        raise bad("storageClass is not one of Standard and InfrequentAccess")
    if name in records(worker):
        text = "The bucket you tried to create already exists, and you own it."
        raise ApiError(409, NAME_IN_USE, text)
    now = iso(SystemClock().now_ms())
    add(worker, KIND, name, {"storage_class": storage_class, "created": now})
    return Answer(_shown_bucket(worker, name))


async def _delete_bucket(worker: Worker, request: Request) -> Answer:
    """DELETE …/buckets/{bucket}, if it is empty."""
    record = _record(worker, request)
    if cast("R2", worker.opened(KIND, record)).bucket.totals()[0]:
        raise ApiError(409, NOT_EMPTY, "The bucket you tried to delete is not empty.")
    await delete(worker, KIND, record.name, record, record.folder(worker.state))
    return Answer({})


def records(worker: Worker) -> dict[str, BucketRecord]:
    """Return the buckets by name: those of the configuration, and those that were created."""
    found = {name: BucketRecord(name) for name in created(worker, KIND)}
    return found | {bound.record.name: bound.record for bound in worker.config.bound(BucketRecord)}


async def _list_buckets(worker: Worker, request: Request) -> Answer:
    """GET …/buckets: those of the configuration, and those that were created."""
    shown = [_shown_bucket(worker, name) for name in sorted(records(worker))]
    return Answer({"buckets": shown})


async def _show_bucket(worker: Worker, request: Request) -> Answer:
    """GET …/buckets/{bucket}."""
    return Answer(_shown_bucket(worker, _record(worker, request).name))


def _shown_bucket(worker: Worker, name: str) -> dict[str, Any]:
    found = created(worker, KIND).get(name, {})
    return {
        "name": name,
        "creation_date": found.get("created", iso(worker.started_ms)),
        "location": "local",
        "storage_class": found.get("storage_class", "Standard"),
    }


def _record(worker: Worker, request: Request) -> BucketRecord:
    wanted = request.path_params["bucket"]
    found = records(worker).get(wanted)
    if found is None:
        raise ApiError(404, NO_BUCKET, f"The specified bucket does not exist: '{wanted}'.")
    return found


async def _on_bucket(worker: Worker, handler: Handler, request: Request) -> Answer | Response:
    from bindings.r2.errors import R2Error

    r2 = cast("R2", worker.opened(KIND, _record(worker, request)))
    try:
        return await handler(r2.bucket, request)
    except R2Error as error:
        raise ApiError(error.status, error.code, error.message) from None
    except (WorkerError, OSError) as error:
        raise ApiError(500, INTERNAL, str(error)) from None


async def _get(bucket: Bucket, request: Request) -> Response:
    """GET …/objects/{key}: the bytes, or one range of them."""
    asked: dict[str, Any] = {"method": "get", "object": request.path_params["key"]}
    wanted = request.headers.get("range")
    if wanted is not None:
        asked["rangeHeader"] = wanted
    found = await bucket.perform(asked)
    metadata = found.metadata
    part, size = metadata["range"], metadata["size"]
    headers = {"etag": f'"{metadata["etag"]}"', "content-length": str(part["length"])}
    uploaded = datetime.fromtimestamp(metadata["uploaded"] / 1000, UTC)
    headers["last-modified"] = f"{uploaded:%a, %d %b %Y %H:%M:%S} GMT"
    headers["accept-ranges"] = "bytes"
    fields = metadata["httpFields"]
    headers |= {name: fields[field] for name, field in _FIELDS.items() if field in fields}
    status = 200
    if part["length"] < size:
        status = 206
        end = part["offset"] + part["length"] - 1
        headers["content-range"] = f"bytes {part['offset']}-{end}/{size}"
    body = cast("AsyncIterator[bytes]", found.body)
    return await streamed(request, body, status, headers)


async def _put(bucket: Bucket, request: Request) -> Answer:
    """PUT …/objects/{key}: the bytes; HTTP metadata in the headers of the same names."""
    headers = request.headers
    fields: dict[str, Any] = {
        field: headers[name] for name, field in _FIELDS.items() if name in headers
    }
    if "expires" in headers:
        try:
            moment = parsedate_to_datetime(headers["expires"])
            fields["cacheExpiry"] = int(moment.timestamp() * 1000)
        except (ValueError, OverflowError):
            raise ApiError(400, INTERNAL, "The header expires is not a date.") from None
    asked: dict[str, Any] = {
        "method": "put",
        "object": request.path_params["key"],
        "httpFields": fields,
    }
    if "cf-r2-storage-class" in headers:
        asked["storageClass"] = headers["cf-r2-storage-class"]
    found = await bucket.perform(asked, request.stream())
    return Answer(_shown(found.metadata))


async def _delete(bucket: Bucket, request: Request) -> Answer:
    """DELETE …/objects/{key}."""
    await bucket.perform({"method": "delete", "object": request.path_params["key"]})
    return Answer({"key": request.path_params["key"]})


async def _list(bucket: Bucket, request: Request) -> Answer:
    """GET …/objects?prefix=&delimiter=&cursor=&per_page=."""
    query = request.query_params
    asked: dict[str, Any] = {"method": "list", "include": [0, 1]}
    for name, field in (("prefix", "prefix"), ("delimiter", "delimiter"), ("cursor", "cursor")):
        if query.get(name):
            asked[field] = query[name]
    if query.get("start_after"):
        asked["startAfter"] = query["start_after"]
    asked["limit"] = whole_number(request, "per_page", 1_000, 1_000)
    found = (await bucket.perform(asked)).metadata
    info: dict[str, Any] = {
        "cursor": found.get("cursor", ""),
        "is_truncated": found["truncated"],
        "per_page": asked["limit"],
        "delimited": found["delimitedPrefixes"],
    }
    return Answer([_shown(each) for each in found["objects"]], info)


def _shown(metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        "key": metadata["name"],
        "etag": metadata["etag"],
        "last_modified": iso(metadata["uploaded"]),
        "size": metadata["size"],
        "http_metadata": metadata["httpFields"],
        "custom_metadata": {each["k"]: each["v"] for each in metadata["customFields"]},
        "storage_class": metadata["storageClass"],
    }
