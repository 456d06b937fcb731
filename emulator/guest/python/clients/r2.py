"""The R2 client. Source: docs/platform/r2.md, "The client"."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from ....protocol import dates
from .. import buffers
from ..calls import Answer
from ..sdk.jsdict import JsDict
from ..sdk.pyodide.ffi import JsException
from .binding import _BindingWrapper

HTTP_FIELDS = {
    "contentType": "content-type",
    "contentLanguage": "content-language",
    "contentDisposition": "content-disposition",
    "contentEncoding": "content-encoding",
    "cacheControl": "cache-control",
}
CHECKSUMS = ("md5", "sha1", "sha256", "sha384", "sha512")
_VALUES = (
    "Incorrect type: put() accepts only nulls, strings, Blobs, ArrayBuffers, ArrayBufferViews, and "
    "ReadableStreams as values."
)


class R2Bucket(_BindingWrapper):
    """A bucket."""

    def head(self, key: str, /) -> Answer:
        """Return an object's metadata; None if there is no such object."""
        return self._ask({"method": "head", "object": key}, then=self._object)

    def get(self, key: str, /, *options: Any, **keywords: Any) -> Answer:
        """Return an object with its body; None if there is no such object.

        Options: `onlyIf` and `range`. Where the condition does not hold, it has no body.
        """
        given = _as_dict(self._options("get", options, keywords))
        request: dict[str, Any] = {"method": "get", "object": key}
        if given.get("range") is not None:
            request |= _range(given["range"])
        if given.get("onlyIf") is not None:
            request["onlyIf"] = _condition(given["onlyIf"])
        return self._ask(request, then=self._object_body)

    def put(self, key: str, value: Any = None, /, *options: Any, **keywords: Any) -> Answer:
        """Store an object and return its metadata; None where `onlyIf` does not hold.

        Options: `httpMetadata`, `customMetadata`, `onlyIf`, `storageClass`, and one checksum.
        """
        given = _as_dict(self._options("put", options, keywords))
        request = {"method": "put", "object": key, **_stored(given), **_checksums(given)}
        if given.get("onlyIf") is not None:
            request["onlyIf"] = _condition(given["onlyIf"])
        return self._ask(request, _value(value), then=self._object)

    def delete(self, keys: Any, /) -> Answer:
        """Delete an object, or a list of up to 1,000 keys."""
        several = isinstance(keys, (list, tuple))
        request = {"objects": list(keys)} if several else {"object": keys}
        return self._ask({"method": "delete", **request}, then=lambda answer: None)

    def list(self, /, *options: Any, **keywords: Any) -> Answer:
        """Return `{objects, truncated, cursor?, delimitedPrefixes}`.

        Options: `prefix`, `limit`, `cursor`, `delimiter`, `startAfter`, and `include`, a list of
        "httpMetadata" and "customMetadata".
        """
        given = _as_dict(self._options("list", options, keywords))
        names = ("prefix", "limit", "cursor", "delimiter", "startAfter")
        request = {name: given[name] for name in names if given.get(name) is not None}
        places = {"httpMetadata": 0, "customMetadata": 1}
        for each in given.get("include") or ():
            if each not in places:
                raise JsException(f"Unsupported include value: {each}", "RangeError")
        request["include"] = [places[each] for each in given.get("include") or ()]
        return self._ask({"method": "list", **request}, then=_listed)

    def createMultipartUpload(self, key: str, /, *options: Any, **keywords: Any) -> Answer:
        """Begin an upload in parts."""
        given = _as_dict(self._options("createMultipartUpload", options, keywords))
        request = {"method": "createMultipartUpload", "object": key, **_stored(given)}
        return self._ask(
            request,
            then=lambda answer: R2MultipartUpload(self, key, answer["metadata"]["uploadId"]),
        )

    def resumeMultipartUpload(self, key: str, upload_id: str, /) -> R2MultipartUpload:
        """Return an upload that has begun; whether it has is known at its first call."""
        return R2MultipartUpload(self, key, upload_id)

    def _ask(self, request: dict[str, Any], body: Any = b"", *, then: Any) -> Answer:
        args = [request, body]
        return self._caller.call(self._name, "request", args, then=then, takes_stream=True)

    def _object(self, answer: Any) -> Any:
        return None if answer is None else R2Object(answer["metadata"])

    def _object_body(self, answer: Any) -> Any:
        if answer is None:
            return None
        if answer["body"] is None:
            return R2Object(answer["metadata"])
        return R2ObjectBody(answer["metadata"], answer["body"])


class R2Object:
    """An object's metadata, as attributes."""

    def __init__(self, metadata: JsDict) -> None:
        self.key = metadata["name"]
        self.version = metadata["version"]
        self.size = int(metadata["size"])
        self.etag = metadata["etag"]
        self.httpEtag = f'"{self.etag}"'
        self.uploaded = dates.local(int(metadata["uploaded"]))
        self.storageClass = metadata["storageClass"]
        self.httpMetadata = JsDict(metadata["httpFields"])
        if "cacheExpiry" in self.httpMetadata:
            self.httpMetadata["cacheExpiry"] = dates.local(int(self.httpMetadata["cacheExpiry"]))
        self.customMetadata = JsDict({each["k"]: each["v"] for each in metadata["customFields"]})
        self.checksums = R2Checksums(metadata["checksums"])
        found = metadata.get("range")
        self.range = JsDict(found) if found is not None else None

    def writeHttpMetadata(self, headers: Any) -> None:  # JavaScript's name
        """Set the headers of a response that the object's HTTP metadata says."""
        for name, header in HTTP_FIELDS.items():
            if name in self.httpMetadata:
                headers[header] = self.httpMetadata[name]
        if "cacheExpiry" in self.httpMetadata:
            moment = self.httpMetadata["cacheExpiry"].astimezone(UTC)
            headers["expires"] = f"{moment:%a, %d %b %Y %H:%M:%S} GMT"

    def __getitem__(self, name: str) -> Any:
        try:
            return getattr(self, name)
        except AttributeError:
            raise KeyError(name) from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key}>"


class R2Checksums:
    """The checksums of an object: each a memoryview, or None."""

    def __init__(self, found: JsDict) -> None:
        self._hex = {name: found[str(n)] for n, name in enumerate(CHECKSUMS) if str(n) in found}
        for name in CHECKSUMS:
            value = self._hex.get(name)
            setattr(self, name, None if value is None else memoryview(bytes.fromhex(value)))

    def toJSON(self) -> JsDict:  # JavaScript's name
        """Return them in hexadecimal."""
        return JsDict(self._hex)


class R2ObjectBody(R2Object):
    """An object with its body, which can be read once."""

    def __init__(self, metadata: JsDict, body: Any) -> None:
        super().__init__(metadata)
        from ..sdk.workers.response import Response  # it imports the clients

        headers = {}
        if self.httpMetadata.get("contentType"):
            headers["content-type"] = self.httpMetadata["contentType"]
        self._response = Response(body, headers=headers)

    @property
    def body(self) -> Any:
        """The body as a stream."""
        return self._response.body

    @property
    def bodyUsed(self) -> bool:  # JavaScript's name
        """Whether the body has been read, or is being read."""
        return self._response.body_used

    async def text(self) -> str:
        """Read the body as UTF-8."""
        return await self._response.text()

    async def json(self) -> Any:
        """Read the body as JSON."""
        return await self._response.json(object_pairs_hook=JsDict)

    async def arrayBuffer(self) -> memoryview:  # JavaScript's name
        """Read the body."""
        return memoryview(await self._response.bytes())

    async def bytes(self) -> bytes:
        """Read the body."""
        return await self._response.bytes()

    async def blob(self) -> Any:
        """Read the body as a Blob of the content type."""
        return await self._response.blob()


class R2MultipartUpload:
    """An upload in parts."""

    def __init__(self, bucket: R2Bucket, key: str, upload_id: str) -> None:
        self.key = key
        self.uploadId = upload_id
        self._bucket = bucket

    def uploadPart(self, number: int, value: Any, /, *options: Any) -> Answer:  # JavaScript's name
        """Store a part; returns `{partNumber, etag}`."""
        if not 1 <= number <= 10_000:
            text = "Part number must be between 1 and 10000 (inclusive). Actual value was: "
            raise JsException(f"{text}{number}", "TypeError")
        request = {**self._request("uploadPart"), "partNumber": number}
        return self._bucket._ask(
            request,
            _value(value),
            then=lambda answer: JsDict(partNumber=number, etag=answer["metadata"]["etag"]),
        )

    def complete(self, parts: Any, /) -> Answer:
        """Make the parts `{partNumber, etag}` one object; returns its metadata."""
        wanted = [{"part": each["partNumber"], "etag": each["etag"]} for each in list(parts)]
        request = {**self._request("completeMultipartUpload"), "parts": wanted}
        return self._bucket._ask(request, then=self._bucket._object)

    def abort(self) -> Answer:
        """Forget the upload and its parts."""
        return self._bucket._ask(self._request("abortMultipartUpload"), then=lambda answer: None)

    def _request(self, method: str) -> dict[str, Any]:
        return {"method": method, "object": self.key, "uploadId": self.uploadId}


def _listed(answer: Any) -> JsDict:
    found = answer["metadata"]
    shown = JsDict(
        objects=[R2Object(each) for each in found["objects"]],
        truncated=found["truncated"],
        delimitedPrefixes=found["delimitedPrefixes"],
    )
    if "cursor" in found:
        shown["cursor"] = found["cursor"]
    return shown


def _value(value: Any) -> Any:
    """Return a value to store: bytes or a stream. Raises JsException."""
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if hasattr(value, "getReader"):
        return value
    if hasattr(value, "content_type") and hasattr(value, "_data"):  # a Blob
        return value._data
    view = buffers.view_of(value)
    if view is None:
        raise JsException(_VALUES, "TypeError")
    return view.tobytes()


def _stored(given: dict[str, Any]) -> dict[str, Any]:
    """Return what a request says of HTTP metadata, custom metadata and the storage class."""
    request: dict[str, Any] = {}
    http = given.get("httpMetadata")
    if http is not None:
        request["httpFields"] = _http_fields(http)
    custom = given.get("customMetadata")
    if custom is not None:
        request["customFields"] = [{"k": str(k), "v": str(v)} for k, v in dict(custom).items()]
    if given.get("storageClass") is not None:
        request["storageClass"] = given["storageClass"]
    return request


def _http_fields(http: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if isinstance(http, dict):
        fields |= {name: str(http[name]) for name in HTTP_FIELDS if http.get(name) is not None}
        expiry = http.get("cacheExpiry")
    else:  # headers
        found = {name: http.get(header) for name, header in HTTP_FIELDS.items()}
        fields |= {name: value for name, value in found.items() if value is not None}
        expires = http.get("expires")
        expiry = None if expires is None else parsedate_to_datetime(expires)
    if isinstance(expiry, datetime):
        fields["cacheExpiry"] = dates.milliseconds(expiry)
    return fields


def _checksums(given: dict[str, Any]) -> dict[str, Any]:
    found = {name: given[name] for name in CHECKSUMS if given.get(name) is not None}
    if len(found) > 1:
        text = "You cannot specify multiple hashing algorithms."
        raise JsException(text, "TypeError")
    shown = {}
    for name, value in found.items():
        raw = bytes.fromhex(value) if isinstance(value, str) else bytes(value)
        shown[name] = base64.b64encode(raw).decode() if name == "md5" else raw.hex()
    return shown


def _range(wanted: Any) -> dict[str, Any]:
    if isinstance(wanted, dict):
        return {"range": {name: wanted[name] for name in wanted if wanted[name] is not None}}
    header = wanted.get("range")  # headers
    return {} if header is None else {"rangeHeader": header}


def _condition(wanted: Any) -> dict[str, Any]:
    if not isinstance(wanted, dict):
        return _by_headers(wanted)
    condition: dict[str, Any] = {}
    for name in ("etagMatches", "etagDoesNotMatch"):
        etag = wanted.get(name)
        if etag is not None:
            if '"' in etag:
                text = "Conditional ETag should not be wrapped in quotes"
                raise JsException(f"{text} ({etag}).", "TypeError")
            condition[name] = [{"value": etag, "type": "wildcard" if etag == "*" else "strong"}]
    for name in ("uploadedBefore", "uploadedAfter"):
        if wanted.get(name) is not None:
            condition[name] = dates.milliseconds(wanted[name])
    if wanted.get("secondsGranularity") is not None:
        condition["secondsGranularity"] = wanted["secondsGranularity"]
    return condition


def _by_headers(headers: Any) -> dict[str, Any]:
    condition: dict[str, Any] = {}
    for name, header in (("etagMatches", "if-match"), ("etagDoesNotMatch", "if-none-match")):
        text = headers.get(header)
        if text is not None:
            condition[name] = [_etag(each.strip()) for each in text.split(",")]
    times = (("uploadedBefore", "if-unmodified-since"), ("uploadedAfter", "if-modified-since"))
    for name, header in times:
        text = headers.get(header)
        if text is not None:
            condition[name] = dates.milliseconds(parsedate_to_datetime(text))
            condition["secondsGranularity"] = True
    return condition


def _etag(text: str) -> dict[str, str]:
    if text == "*":
        return {"type": "wildcard"}
    kind = "weak" if text.startswith("W/") else "strong"
    return {"type": kind, "value": text.removeprefix("W/").strip('"')}


def _as_dict(options: list[Any]) -> dict[str, Any]:
    found = options[0] if options else None
    return found if isinstance(found, dict) else {}


CLIENT = R2Bucket
