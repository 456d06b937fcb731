"""S3's API for R2 buckets: the official SDK for Python, signatures, broken requests."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import pytest
from botocore.client import Config
from botocore.exceptions import ClientError

from emulator.server.api.s3.failure import S3Error
from emulator.server.api.s3.signature import Signed, check
from tests.end_to_end.server import DevServer

TOML = """
name = "s3"
main = "entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
[[r2_buckets]]
binding = "FILES"
bucket_name = "files"
[r2_buckets.local_dev.experimental_s3_credentials]
accessKeyId = "local"
secretAccessKey = "secret"
[[r2_buckets]]
binding = "OPEN"
bucket_name = "open"
"""
ENTRY = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        found = await self.env.FILES.get("from boto")
        return Response(found.body, headers={"x-by": found.customMetadata["by"]})
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    project = tmp_path_factory.mktemp("s3")
    (project / "wrangler.toml").write_text(TOML)
    (project / "entry.py").write_text(ENTRY)
    with DevServer(project) as running:
        yield running


def client(server: DevServer, secret: str = "secret", **options: Any) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"{server.url}/cdn-cgi/local/r2/s3",
        aws_access_key_id="local",
        aws_secret_access_key=secret,
        region_name="auto",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **options),
    )


@pytest.fixture(scope="module")
def s3(server: DevServer) -> Any:
    return client(server)


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_objects_are_put_read_in_part_copied_and_deleted(server: DevServer, s3: Any) -> None:
    about = {"Metadata": {"by": "ada"}, "ContentType": "text/x", "CacheControl": "no-store"}
    stored = s3.put_object(Bucket="files", Key="from boto", Body=b"0123456789", **about)
    assert stored["ETag"] == f'"{hashlib.md5(b"0123456789").hexdigest()}"'
    found = s3.get_object(Bucket="files", Key="from boto")
    assert found["Body"].read() == b"0123456789"
    assert [found["ContentType"], found["CacheControl"]] == ["text/x", "no-store"]
    assert found["Metadata"] == {"by": "ada"}
    part = s3.get_object(Bucket="files", Key="from boto", Range="bytes=2-4")
    assert (part["Body"].read(), part["ContentRange"]) == (b"234", "bytes 2-4/10")
    answer = server.get("/")
    assert (answer.content, answer.headers["x-by"]) == (b"0123456789", "ada")

    source = {"Bucket": "files", "Key": "from boto"}
    s3.copy_object(Bucket="files", Key="kopie/ä +%", CopySource=source)
    copied = s3.head_object(Bucket="files", Key="kopie/ä +%")
    assert [copied["ContentLength"], copied["Metadata"]] == [10, {"by": "ada"}]
    s3.copy_object(
        Bucket="files",
        Key="other",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"x": "1"},
        StorageClass="STANDARD_IA",
    )
    other = s3.head_object(Bucket="files", Key="other")
    assert [other["Metadata"], other["StorageClass"]] == [{"x": "1"}, "STANDARD_IA"]

    s3.delete_object(Bucket="files", Key="other")
    gone = s3.delete_objects(
        Bucket="files", Delete={"Objects": [{"Key": "kopie/ä +%"}, {"Key": "never"}]}
    )
    assert [each["Key"] for each in gone["Deleted"]] == ["kopie/ä +%", "never"]
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket="files", Key="kopie/ä +%")
    assert code_of(error) == "NoSuchKey"


def test_lists_have_prefixes_delimiters_and_pages(s3: Any) -> None:
    keys = [f"list/{n:02}" for n in range(7)] + ["list/a&b/c", "list/d/e"]
    for key in keys:
        s3.put_object(Bucket="files", Key=key, Body=b"x")
    pages = s3.get_paginator("list_objects_v2")
    found = [*pages.paginate(Bucket="files", Prefix="list/", PaginationConfig={"PageSize": 4})]
    assert [each["Key"] for page in found for each in page["Contents"]] == sorted(keys)
    assert len(found) == 3
    grouped = s3.list_objects_v2(Bucket="files", Prefix="list/", Delimiter="/")
    assert [each["Prefix"] for each in grouped["CommonPrefixes"]] == ["list/a&b/", "list/d/"]
    assert grouped["KeyCount"] == 9
    old = s3.get_paginator("list_objects")
    found = [*old.paginate(Bucket="files", Prefix="list/", PaginationConfig={"PageSize": 4})]
    assert [each["Key"] for page in found for each in page["Contents"]] == sorted(keys)
    assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == ["files", "open"]
    s3.head_bucket(Bucket="files")
    assert s3.get_bucket_location(Bucket="files")["LocationConstraint"] == "auto"


def test_an_upload_in_parts_is_completed_or_aborted(s3: Any) -> None:
    content = os.urandom(5 * 1024**2)
    about = {"Bucket": "files", "Key": "large"}
    upload = {**about, "UploadId": s3.create_multipart_upload(**about)["UploadId"]}
    one = s3.upload_part(**upload, PartNumber=1, Body=content)["ETag"]
    s3.put_object(Bucket="files", Key="tail", Body=b"abcdef")
    source = {"Bucket": "files", "Key": "tail"}
    copied = s3.upload_part_copy(
        **upload, PartNumber=2, CopySource=source, CopySourceRange="bytes=1-3"
    )
    two = copied["CopyPartResult"]["ETag"]
    parts = [{"PartNumber": 1, "ETag": one}, {"PartNumber": 2, "ETag": two}]
    with pytest.raises(ClientError) as error:
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts[::-1]})
    assert code_of(error) == "InvalidPartOrder"
    whole = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert whole["ETag"].endswith('-2"')
    assert s3.get_object(**about)["Body"].read() == content + b"bcd"

    upload["UploadId"] = s3.create_multipart_upload(**about)["UploadId"]
    s3.abort_multipart_upload(**upload)
    with pytest.raises(ClientError) as error:
        s3.upload_part(**upload, PartNumber=1, Body=b"x")
    assert code_of(error) == "NoSuchUpload"


def test_conditions_decide_what_is_read_and_written(s3: Any) -> None:
    etag = s3.put_object(Bucket="files", Key="one", Body=b"1")["ETag"]
    hour = timedelta(hours=1)
    now = datetime.now(UTC)
    for wanted, status in (
        ({"IfNoneMatch": etag}, 304),
        ({"IfModifiedSince": now + hour}, 304),
        ({"IfMatch": '"x"'}, 412),
        ({"IfUnmodifiedSince": now - hour}, 412),
    ):
        with pytest.raises(ClientError) as error:
            s3.get_object(Bucket="files", Key="one", **wanted)
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == status, wanted
    s3.get_object(Bucket="files", Key="one", IfMatch=etag, IfUnmodifiedSince=now + hour)
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="files", Key="one", Body=b"2", IfNoneMatch="*")
    assert code_of(error) == "PreconditionFailed"
    s3.put_object(Bucket="files", Key="one", Body=b"2", IfMatch=etag)


def test_what_is_not_there_or_not_right_is_told(server: DevServer, s3: Any) -> None:
    s3.put_object(Bucket="files", Key="tail", Body=b"abcdef")
    refused: list[tuple[Any, str]] = [
        (lambda: s3.get_object(Bucket="none", Key="x"), "NoSuchBucket"),
        (lambda: s3.get_object(Bucket="files", Key="tail", Range="bytes=99-"), "InvalidRange"),
        (lambda: s3.put_object(Bucket="files", Key="k" * 1025, Body=b""), "InvalidObjectName"),
        (lambda: s3.create_bucket(Bucket="files"), "NotImplemented"),
        (lambda: s3.get_bucket_cors(Bucket="files"), "NotImplemented"),
        (lambda: s3.get_object_acl(Bucket="files", Key="tail"), "NotImplemented"),
        (lambda: client(server, "wrong").list_buckets(), "SignatureDoesNotMatch"),
    ]
    for call, code in refused:
        with pytest.raises(ClientError) as error:
            call()
        assert code_of(error) == code


def test_a_signed_url_works_until_it_expires_and_for_what_it_was_made(
    server: DevServer, s3: Any
) -> None:
    about = {"Bucket": "files", "Key": "shared a"}
    signed = client(server, signature_version="s3v4")
    url = signed.generate_presigned_url("put_object", about, ExpiresIn=60)
    assert httpx.put(url, content=b"by url").status_code == 200
    url = signed.generate_presigned_url("get_object", about, ExpiresIn=60)
    assert httpx.get(url).content == b"by url"
    changed = httpx.get(url.replace("shared", "other"))
    assert (changed.status_code, "SignatureDoesNotMatch" in changed.text) == (403, True)
    unsigned = httpx.get(url.partition("?")[0])
    assert (unsigned.status_code, "AccessDenied" in unsigned.text) == (403, True)

    parts = urlsplit(url)
    request = Signed("GET", parts.path, parts.query, {"host": parts.netloc})
    check(request, "local", "secret", datetime.now(UTC).timestamp())
    with pytest.raises(S3Error, match="expired"):
        check(request, "local", "secret", datetime.now(UTC).timestamp() + 61)


def test_a_body_that_is_not_what_was_signed_is_not_stored(server: DevServer, s3: Any) -> None:
    path = f"{server.url}/cdn-cgi/local/r2/s3/open/checked"
    wrong = {"x-amz-content-sha256": hashlib.sha256(b"other").hexdigest()}
    answer = httpx.put(path, content=b"sent", headers=wrong)
    assert (answer.status_code, "BadDigest" in answer.text) == (400, True)
    assert httpx.get(path).status_code == 404
    chunks = (
        b"4;chunk-signature=x\r\nsent\r\n0;chunk-signature=x\r\nx-amz-checksum-crc32:AA==\r\n\r\n"
    )
    chunked = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "content-encoding": "aws-chunked",
    }
    assert httpx.put(path, content=chunks, headers=chunked).status_code == 200
    found = httpx.get(path)
    assert (found.content, "content-encoding" in found.headers) == (b"sent", False)
    for broken in (chunks[:24], b"zz\r\n", b"9" * 5_000):
        assert httpx.put(path, content=broken, headers=chunked).status_code == 400
    entity = b'<!DOCTYPE a [<!ENTITY b "c">]><Delete><Object><Key>&b;</Key></Object></Delete>'
    for body in (b"", b"<a", entity, b"<Delete></Delete>"):
        refused = httpx.post(f"{path.rpartition('/')[0]}?delete", content=body)
        assert (refused.status_code, "MalformedXML" in refused.text) == (400, True)
