"""S3's operations on objects, as requests of R2. Each gets a bucket, the request and its body."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response

from bindings.r2.conditions import holds
from bindings.r2.errors import PRECONDITION_FAILED, R2Error
from emulator.engine.model.plain import iso
from emulator.server.api.bodies import closing, streamed
from emulator.server.api.s3.failure import S3Error, malformed, not_implemented, xml_response
from emulator.server.api.s3.xml import NotXml, flag, items

if TYPE_CHECKING:
    from bindings.r2.bucket import Bucket

META = "x-amz-meta-"
FIELDS = {
    "content-type": "contentType",
    "content-language": "contentLanguage",
    "content-disposition": "contentDisposition",
    "content-encoding": "contentEncoding",
    "cache-control": "cacheControl",
}
CLASSES = {"STANDARD": "Standard", "STANDARD_IA": "InfrequentAccess"}
_SHOWN_CLASSES = {kept: name for name, kept in CLASSES.items()}
_CHECKSUMS = {
    "content-md5": "md5",
    "x-amz-checksum-sha1": "sha1",
    "x-amz-checksum-sha256": "sha256",
}
LIST_MAX = 1_000
_CHUNKED = "aws-chunked"


async def head(bucket: Bucket, request: Request, key: str, body: AsyncIterator[bytes]) -> Response:
    """HeadObject."""
    return await _read(bucket, request, key)


async def get(bucket: Bucket, request: Request, key: str, body: AsyncIterator[bytes]) -> Response:
    """GetObject, or one range of it."""
    return await _read(bucket, request, key)


async def _read(bucket: Bucket, request: Request, key: str) -> Response:
    asked: dict[str, Any] = {"method": "get", "object": key}
    condition = conditions(request.headers)
    if condition:
        asked["onlyIf"] = condition
    if "range" in request.headers:
        asked["rangeHeader"] = request.headers["range"]
    try:
        found = await bucket.perform(asked)
    except R2Error as error:
        if error.code == PRECONDITION_FAILED and _is_unmodified(condition, error.attached):
            return Response(status_code=304, headers=_headers(error.attached or {}))
        raise
    metadata, content = found.metadata, cast("AsyncIterator[bytes]", found.body)
    part, size = metadata["range"], metadata["size"]
    if request.headers.get("range", "").startswith(f"bytes={size}-") or _is_beyond(request, size):
        await cast(Any, content).aclose()
        raise S3Error(416, "InvalidRange", "The requested range is not satisfiable")
    headers = _headers(metadata) | {"content-length": str(part["length"])}
    for name in FIELDS:
        if (given := request.query_params.get(f"response-{name}")) is not None:
            headers[name] = given
    status = 200
    if part["length"] < size:
        status = 206
        end = part["offset"] + part["length"] - 1
        headers["content-range"] = f"bytes {part['offset']}-{end}/{size}"
    return await streamed(request, content, status, headers)


def _is_beyond(request: Request, size: int) -> bool:
    first = request.headers.get("range", "").removeprefix("bytes=").partition("-")[0]
    return first.isdecimal() and int(first) >= size


async def put(bucket: Bucket, request: Request, key: str, body: AsyncIterator[bytes]) -> Response:
    """PutObject."""
    asked: dict[str, Any] = {"method": "put", "object": key, **described(request.headers)}
    if condition := conditions(request.headers):
        asked["onlyIf"] = condition
    try:
        for name, kept in _CHECKSUMS.items():
            if (given := request.headers.get(name)) is not None:
                raw = base64.b64decode(given, validate=True)
                asked[kept] = given if kept == "md5" else raw.hex()
    except (binascii.Error, ValueError):
        raise S3Error(400, "InvalidDigest", f"The {name} you specified is not valid.") from None
    found = (await bucket.perform(asked, body)).metadata
    return Response(headers={"etag": f'"{found["etag"]}"'})


async def copy(bucket: Bucket, request: Request, key: str, source: Bucket, name: str) -> Response:
    """CopyObject: from another bucket, or another key."""
    condition = conditions(request.headers, "x-amz-copy-source-")
    found = await source.perform({"method": "get", "object": name, "onlyIf": condition})
    asked: dict[str, Any] = {"method": "put", "object": key}
    if request.headers.get("x-amz-metadata-directive", "COPY") == "COPY":
        kept = {each: found.metadata[each] for each in ("httpFields", "customFields")}
        asked |= kept | {"storageClass": found.metadata["storageClass"]}
    if "x-amz-storage-class" in request.headers or "httpFields" not in asked:
        asked |= {
            n: v
            for n, v in described(request.headers).items()
            if n not in asked or n == "storageClass"
        }
    stored = (
        await bucket.perform(asked, closing(cast("AsyncIterator[bytes]", found.body)))
    ).metadata
    return xml_response("CopyObjectResult", copied(stored["etag"], stored["uploaded"]))


def copied(etag: str, uploaded_ms: int) -> dict[str, Any]:
    """Return what a copy is answered with."""
    return {"ETag": f'"{etag}"', "LastModified": iso(uploaded_ms)}


async def delete(
    bucket: Bucket, request: Request, key: str, body: AsyncIterator[bytes]
) -> Response:
    """DeleteObject."""
    await bucket.perform({"method": "delete", "object": key})
    return Response(status_code=204)


async def delete_many(bucket: Bucket, content: bytes) -> Response:
    """DeleteObjects: up to 1,000 keys."""
    try:
        keys = [each["Key"] for each in items(content, "Object")]
    except (NotXml, KeyError):
        raise malformed() from None
    if not 1 <= len(keys) <= LIST_MAX:
        raise malformed()
    await bucket.perform({"method": "delete", "objects": keys})
    deleted = [] if flag(content, b"Quiet") else [{"Key": key} for key in keys]
    return xml_response("DeleteResult", {"Deleted": deleted})


async def list_objects(bucket: Bucket, request: Request) -> Response:
    """ListObjects, in both versions."""
    query = request.query_params
    is_new = query.get("list-type") == "2"
    asked: dict[str, Any] = {"method": "list", "limit": _limit(query.get("max-keys", ""))}
    after = query.get("start-after" if is_new else "marker")
    token = query.get("continuation-token") if is_new else None
    for name, value in (
        *((each, query.get(each)) for each in ("prefix", "delimiter")),
        *(("startAfter", after), ("cursor", token)),
    ):
        if value:
            asked[name] = value
    if asked["limit"] == 0:
        found: dict[str, Any] = {"objects": [], "delimitedPrefixes": [], "truncated": False}
    else:
        found = (await bucket.perform(asked)).metadata
    coded = quote if query.get("encoding-type") == "url" else str
    names = [each["name"] for each in found["objects"]] + found["delimitedPrefixes"]
    answer: dict[str, Any] = {
        "Name": request.path_params["bucket"],
        "Prefix": coded(query.get("prefix", "")),
        "MaxKeys": asked["limit"],
        "EncodingType": query.get("encoding-type"),
        "Delimiter": coded(query["delimiter"]) if "delimiter" in query else None,
        "IsTruncated": found["truncated"],
        "Contents": [_listed(each, coded(each["name"])) for each in found["objects"]],
        "CommonPrefixes": [{"Prefix": coded(each)} for each in found["delimitedPrefixes"]],
    }
    if is_new:
        answer |= {"KeyCount": len(names), "ContinuationToken": token}
        answer |= {"StartAfter": after, "NextContinuationToken": found.get("cursor")}
    else:
        last = coded(max(names, key=str.encode)) if found["truncated"] else None
        answer |= {"Marker": coded(after or ""), "NextMarker": last}
    return xml_response("ListBucketResult", answer)


def _limit(given: str) -> int:
    if not given:
        return LIST_MAX
    if not given.isdecimal():
        raise S3Error(400, "InvalidArgument", "Argument max-keys must be an integer")
    return min(int(given), LIST_MAX)


def _listed(metadata: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {
        "Key": key,
        "LastModified": iso(metadata["uploaded"]),
        "ETag": f'"{metadata["etag"]}"',
        "Size": metadata["size"],
        "StorageClass": _SHOWN_CLASSES.get(metadata["storageClass"], "STANDARD"),
    }


def described(headers: Mapping[str, str]) -> dict[str, Any]:
    """Return what the headers of a new object say of it. Raises S3Error."""
    fields: dict[str, Any] = {
        kept: headers[name] for name, kept in FIELDS.items() if name in headers
    }
    if _CHUNKED in fields.get("contentEncoding", ""):  # it is how the body is sent
        others = [each.strip() for each in fields.pop("contentEncoding").split(",")]
        if rest := ", ".join(each for each in others if each != _CHUNKED):
            fields["contentEncoding"] = rest
    if "expires" in headers:
        fields["cacheExpiry"] = _time(headers["expires"], "expires")
    custom = [
        {"k": name.removeprefix(META), "v": unquote(value)}
        for name, value in headers.items()
        if name.startswith(META)
    ]
    given = headers.get("x-amz-storage-class", "STANDARD")
    if given not in CLASSES:
        text = "The storage class specified is not valid."
        raise S3Error(400, "InvalidStorageClass", text)
    if any("server-side-encryption-customer" in name for name in headers):
        raise not_implemented("Server Side Encryption with Customer provided keys is")
    return {"httpFields": fields, "customFields": custom, "storageClass": CLASSES[given]}


def conditions(headers: Mapping[str, str], prefix: str = "") -> dict[str, Any]:
    """Return the conditions of a request as R2's `onlyIf`. Raises S3Error."""
    found: dict[str, Any] = {}
    for name, kept in (("if-match", "etagMatches"), ("if-none-match", "etagDoesNotMatch")):
        if (given := headers.get(prefix + name)) is not None:
            found[kept] = [_etag(each.strip()) for each in given.split(",")]
    for name, kept in (
        ("if-modified-since", "uploadedAfter"),
        ("if-unmodified-since", "uploadedBefore"),
    ):
        if (given := headers.get(prefix + name)) is not None:
            found[kept] = _time(given, name)
    if "uploadedBefore" in found:
        found["uploadedBefore"] += 1_000  # that time itself is not after it
    return found | {"secondsGranularity": True} if found else {}


def _etag(text: str) -> dict[str, str]:
    if text == "*":
        return {"type": "wildcard"}
    weak = text.startswith("W/")
    return {"type": "weak" if weak else "strong", "value": text.removeprefix("W/").strip('"')}


def _time(text: str, name: str) -> int:
    try:
        return int(parsedate_to_datetime(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise S3Error(400, "InvalidArgument", f"{name} is not a date.") from None


def _is_unmodified(condition: Mapping[str, Any], metadata: Mapping[str, Any] | None) -> bool:
    """Whether only what asks for a change does not hold."""
    if metadata is None:
        return False
    asks = {n: v for n, v in condition.items() if n not in ("etagDoesNotMatch", "uploadedAfter")}
    return holds(asks, metadata["etag"], metadata["uploaded"])


def _headers(metadata: Mapping[str, Any]) -> dict[str, str]:
    uploaded = datetime.fromtimestamp(metadata["uploaded"] / 1000, UTC)
    fields = metadata["httpFields"]
    headers = {
        "etag": f'"{metadata["etag"]}"',
        "last-modified": f"{uploaded:%a, %d %b %Y %H:%M:%S} GMT",
        "accept-ranges": "bytes",
    }
    headers |= {name: fields[kept] for name, kept in FIELDS.items() if kept in fields}
    if "cacheExpiry" in fields:
        expires = datetime.fromtimestamp(int(fields["cacheExpiry"]) / 1000, UTC)
        headers["expires"] = f"{expires:%a, %d %b %Y %H:%M:%S} GMT"
    if metadata["storageClass"] != "Standard":
        headers["x-amz-storage-class"] = _SHOWN_CLASSES.get(metadata["storageClass"], "STANDARD")
    for each in metadata["customFields"]:
        headers[META + each["k"]] = quote(each["v"], safe="".join(map(chr, range(32, 127))))
    return headers
