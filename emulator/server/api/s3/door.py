"""S3's API: which request is which operation, and whether it is signed.

`/cdn-cgi/local/r2/s3/BUCKET/KEY`. A bucket with `local_dev.experimental_s3_credentials` takes
requests that are signed with them; any other one is open to whoever reaches the server, like the
rest of the API. Source: docs/platform/r2.md, "S3".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bindings.r2.errors import R2Error
from emulator.clock import SystemClock
from emulator.engine.model.plain import iso
from emulator.errors import WorkerError
from emulator.kinds.r2 import KIND, BucketRecord
from emulator.server.api.s3 import bodies, objects, signature, uploads
from emulator.server.api.s3.failure import S3Error, not_implemented, xml_response
from emulator.worker import Worker

if TYPE_CHECKING:
    from bindings.r2.bucket import Bucket
    from bindings.r2.r2 import R2

Buckets = Mapping[str, BucketRecord]
Records = Callable[[Worker], Buckets]
PATH = "/cdn-cgi/local/r2/s3"
_METHODS = ["GET", "PUT", "POST", "DELETE"]  # and HEAD
_XML_MAX_BYTES = 2 * 1024 * 1024
_ABOUT_BUCKETS = {
    "location": ("LocationConstraint", "auto"),
    "versioning": ("VersioningConfiguration", {}),
    "encryption": (
        "ServerSideEncryptionConfiguration",
        {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}},
    ),
}
# Other parts of a bucket or an object, which R2's API has not or local R2 has not.
_OTHERS = frozenset(
    "acl cors lifecycle policy tagging website notification replication uploads versions torrent "
    "retention legal-hold attributes object-lock logging metrics inventory analytics".split()
)


def routes(worker: Worker, records: Records) -> list[Route]:
    """Return these routes, for `create_app`. records: the buckets that there are."""
    answer = partial(_answer, worker, records)
    paths = (PATH, f"{PATH}/", f"{PATH}/{{bucket}}", f"{PATH}/{{bucket}}/{{key:path}}")
    return [Route(path, answer, methods=_METHODS) for path in paths]


async def _answer(worker: Worker, records: Records, request: Request) -> Response:
    try:
        return await _perform(worker, records(worker), request)
    except S3Error as error:
        failed = error
    except R2Error as error:
        failed = S3Error.of(error)
    except (WorkerError, OSError) as error:
        failed = S3Error(500, "InternalError", str(error))
    answer = failed.response(has_body=request.method != "HEAD")
    if "expect" in request.headers:  # the body may never come, and the next request is not it
        answer.headers["connection"] = "close"
    return answer


async def _perform(worker: Worker, records: Buckets, request: Request) -> Response:
    name = request.path_params.get("bucket")
    if name is None:
        for each in records.values():
            _check(request, each)
        return _list_buckets(worker, records, request)
    record = records.get(name)
    if record is None:
        raise S3Error(404, "NoSuchBucket", "The specified bucket does not exist.")
    _check(request, record)
    bucket = _opened(worker, record)
    key = request.path_params.get("key", "")
    if not key:
        return await _on_bucket(bucket, request)
    source = None
    if (given := request.headers.get("x-amz-copy-source")) is not None and request.method == "PUT":
        source = _source(worker, records, request, given)
    return await _on_object(bucket, request, key, source)


def _opened(worker: Worker, record: BucketRecord) -> Bucket:
    return cast("R2", worker.opened(KIND, record)).bucket


def _check(request: Request, record: BucketRecord) -> None:
    if record.s3 is None:
        return
    path = request.scope.get("raw_path") or request.url.path.encode()
    headers = {name.lower(): value for name, value in request.headers.items()}
    query = request.scope["query_string"].decode("latin-1")
    signed = signature.Signed(request.method, path.decode("latin-1"), query, headers)
    if not signature.is_signed(signed):
        raise S3Error(403, "AccessDenied", "Access Denied: the request is not signed.")
    signature.check(signed, *record.s3, SystemClock().now_ms() / 1000)


def _list_buckets(worker: Worker, records: Buckets, request: Request) -> Response:
    if request.method not in ("GET", "HEAD"):
        raise not_implemented(f"{request.method} of all buckets is")
    since = iso(worker.started_ms)
    listed = [{"Name": name, "CreationDate": since} for name in sorted(records)]
    owner = {"ID": "local", "DisplayName": "local"}
    return xml_response("ListAllMyBucketsResult", {"Owner": owner, "Buckets": {"Bucket": listed}})


async def _on_bucket(bucket: Bucket, request: Request) -> Response:
    query = request.query_params
    if request.method == "HEAD":
        return Response(headers={"x-amz-bucket-region": "auto"})
    if request.method == "GET":
        for name, told in _ABOUT_BUCKETS.items():
            if name in query:
                return xml_response(*told)
        _refuse_others(request)
        return await objects.list_objects(bucket, request)
    if request.method == "POST" and "delete" in query:
        return await objects.delete_many(bucket, await _whole(request))
    raise not_implemented(
        f"{request.method} of a bucket is: buckets are those of the configuration. This is"
    )


async def _on_object(
    bucket: Bucket, request: Request, key: str, source: tuple[Bucket, str] | None
) -> Response:
    query = request.query_params
    match request.method:
        case "POST" if "uploads" in query:
            return await uploads.create(bucket, request, key)
        case "POST" if "uploadId" in query:
            return await uploads.complete(bucket, request, key, await _whole(request))
        case "PUT" if "partNumber" in query and source is not None:
            return await uploads.copy(bucket, request, key, *source)
        case "PUT" if "partNumber" in query:
            return await uploads.upload(bucket, request, key, _body(request))
        case "DELETE" if "uploadId" in query:
            return await uploads.abort(bucket, request, key)
    if "uploadId" in query:
        raise not_implemented("ListParts is")
    _refuse_others(request)
    if source is not None:
        return await objects.copy(bucket, request, key, *source)
    found = {"GET": objects.get, "HEAD": objects.head, "PUT": objects.put, "DELETE": objects.delete}
    if request.method not in found:
        raise not_implemented(f"{request.method} of an object is")
    return await found[request.method](bucket, request, key, _body(request))


def _refuse_others(request: Request) -> None:
    for name in request.query_params:
        if name in _OTHERS:
            raise not_implemented(f"{request.method} of {name} is")


def _source(worker: Worker, records: Buckets, request: Request, given: str) -> tuple[Bucket, str]:
    name, _, key = unquote(given.partition("?")[0]).removeprefix("/").partition("/")
    record = records.get(name)
    if record is None or not key:
        raise S3Error(404, "NoSuchBucket", "The bucket of x-amz-copy-source does not exist.")
    _check(request, record)
    return _opened(worker, record), key


def _body(request: Request) -> AsyncIterator[bytes]:
    promised = request.headers.get("x-amz-content-sha256", "")
    stream = request.stream()
    if promised.startswith("STREAMING-"):
        return bodies.unchunked(stream)
    if len(promised) == 64:
        return bodies.checked(stream, promised.lower())
    return stream


async def _whole(request: Request) -> bytes:
    found = bytearray()
    async for piece in _body(request):
        found += piece
        if len(found) > _XML_MAX_BYTES:
            raise S3Error(400, "MaxMessageLengthExceeded", "Your request was too big.")
    return bytes(found)
