"""S3's uploads in parts, as requests of R2."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

from starlette.requests import Request
from starlette.responses import Response

from emulator.clock import SystemClock
from emulator.server.api.s3.failure import S3Error, malformed, xml_response
from emulator.server.api.s3.objects import copied, described
from emulator.server.api.s3.xml import NotXml, items

if TYPE_CHECKING:
    from bindings.r2.bucket import Bucket


async def create(bucket: Bucket, request: Request, key: str) -> Response:
    """CreateMultipartUpload."""
    asked = {"method": "createMultipartUpload", "object": key, **described(request.headers)}
    found = (await bucket.perform(asked)).metadata
    told = {"Bucket": request.path_params["bucket"], "Key": key, "UploadId": found["uploadId"]}
    return xml_response("InitiateMultipartUploadResult", told)


async def upload(
    bucket: Bucket, request: Request, key: str, body: AsyncIterator[bytes]
) -> Response:
    """UploadPart."""
    found = (await bucket.perform(_part(request, key), body)).metadata
    return Response(headers={"etag": f'"{found["etag"]}"'})


async def copy(bucket: Bucket, request: Request, key: str, source: Bucket, name: str) -> Response:
    """UploadPartCopy: a part that is an object, or a range of one."""
    asked: dict[str, Any] = {"method": "get", "object": name}
    if (given := request.headers.get("x-amz-copy-source-range")) is not None:
        asked["rangeHeader"] = given
    found = await source.perform(asked)
    part = _part(request, key)
    stored = (await bucket.perform(part, cast("AsyncIterator[bytes]", found.body))).metadata
    return xml_response("CopyPartResult", copied(stored["etag"], SystemClock().now_ms()))


async def complete(bucket: Bucket, request: Request, key: str, content: bytes) -> Response:
    """CompleteMultipartUpload."""
    try:
        given = items(content, "Part")
        parts = [
            {"part": int(each["PartNumber"]), "etag": each["ETag"].strip('"')} for each in given
        ]
    except (NotXml, KeyError, ValueError):
        raise malformed() from None
    numbers = [each["part"] for each in parts]
    if not parts:
        raise malformed()
    if numbers != sorted(set(numbers)):  # type: ignore[type-var]
        text = "The list of parts was not in ascending order. Parts must be ordered by part number."
        raise S3Error(400, "InvalidPartOrder", text)
    asked = {"method": "completeMultipartUpload", "object": key, "parts": parts}
    found = (await bucket.perform(asked | {"uploadId": request.query_params["uploadId"]})).metadata
    told = {"Location": str(request.url.replace(query="")), "Bucket": request.path_params["bucket"]}
    told |= {"Key": key, "ETag": f'"{found["etag"]}"'}
    return xml_response("CompleteMultipartUploadResult", told)


async def abort(bucket: Bucket, request: Request, key: str) -> Response:
    """AbortMultipartUpload."""
    upload_id = request.query_params["uploadId"]
    await bucket.perform({"method": "abortMultipartUpload", "object": key, "uploadId": upload_id})
    return Response(status_code=204)


def _part(request: Request, key: str) -> dict[str, Any]:
    query = request.query_params
    number = query.get("partNumber", "")
    if not number.isdecimal():
        raise S3Error(400, "InvalidArgument", "Part number must be an integer")
    told = {"partNumber": int(number), "uploadId": query.get("uploadId", "")}
    return {"method": "uploadPart", "object": key, **told}
