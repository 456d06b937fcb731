"""One bucket: performs the requests of R2's clients, as they say them.

A request is what workerd's client sends, `{"method": "get", "object": "a", …}`; the answer is its
metadata, and for `get` the bytes.
Source: docs/platform/r2.md, "The protocol of workerd's client".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from bindings.r2 import errors, index
from bindings.r2.blobs import INLINE_MAX_BYTES, Blobs, Stored, pieces
from bindings.r2.conditions import holds, part_of
from bindings.r2.index import Object, Part, Upload, shown
from bindings.r2.listing import list_objects
from bindings.store import Store
from emulator.sqlite import Synchronous

KEY_MAX_BYTES = 1024
METADATA_MAX_BYTES = 2048
OBJECT_MAX_BYTES = 5 * 1024**3 - 5 * 1024**2  # of one put; and of a part
PART_MIN_BYTES = 5 * 1024**2
PARTS_MAX = 10_000
DELETE_MAX = 1_000
UPLOAD_KEPT_MS = 7 * 86_400_000
_SHOWN = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha384": "SHA-384"}

Body = AsyncIterator[bytes] | bytes
Request = Mapping[str, Any]


class Answer(Struct, frozen=True):
    """What a request is answered with. The body must be read to its end, or closed."""

    metadata: dict[str, Any]
    body: AsyncIterator[bytes] | None = None


class Bucket:
    """A bucket in the folder `folder`; min_part: the least size of a part but the last.

    Its methods raise R2Error, and WorkerError when the disk refuses.
    """

    def __init__(
        self,
        folder: Path,
        now_ms: Callable[[], int],
        synchronous: Synchronous = "FULL",
        *,
        min_part: int = PART_MIN_BYTES,
    ) -> None:
        self._store = Store(folder / index.FILE, index.SCHEMA, synchronous)
        self._blobs = Blobs(folder / "blobs")
        self._now_ms = now_ms
        self._min_part = min_part
        self._is_clean = False
        self.removed = self._store.removed
        self.close = self._store.close

    async def perform(self, request: Request, body: Body = b"") -> Answer:
        """Perform a request of a client."""
        if request.get("ssec"):
            raise errors.invalid_argument("SSE-C is not emulated; put the object without a key.")
        if not self._is_clean:
            self._is_clean = True
            await self._clean()
        match request.get("method"):
            case "head":
                return Answer(shown(self._found(request)))
            case "get":
                return await self._get(request)
            case "put":
                return await self._put(request, body)
            case "delete":
                return await self._delete(request)
            case "list":
                return Answer(self._store.read(lambda on: list_objects(on, request)))
            case "createMultipartUpload":
                return await self._create_upload(request)
            case "uploadPart":
                return await self._upload_part(request, body)
            case "completeMultipartUpload":
                return await self._complete(request)
            case "abortMultipartUpload":
                return await self._abort(request)
        raise errors.invalid_argument(f"R2 has no method {request.get('method')!r}")

    def totals(self) -> tuple[int, int]:
        """Return how many objects there are, and how many bytes."""
        return self._store.read(index.totals)

    def _found(self, request: Request) -> Object:
        key = to_key(request)
        found = self._store.read(lambda on: index.find(on, key))
        if found is None:
            raise errors.no_such_key()
        return found

    async def _get(self, request: Request) -> Answer:
        found = self._found(request)
        if not holds(request.get("onlyIf") or {}, found.etag, found.uploaded_ms):
            raise errors.precondition_failed(shown(found))
        offset, length = part_of(request, found.size)
        metadata = shown(found) | {"range": {"offset": offset, "length": length}}
        if found.blobs:
            return Answer(metadata, self._blobs.read(found.blobs, offset, length))
        key = to_key(request)
        data = self._store.read(lambda on: index.data_of(on, key, found.version))
        if data is None and found.size:  # replaced just now
            return await self._get(request)
        return Answer(metadata, pieces((data or b"")[offset : offset + length]))

    async def _put(self, request: Request, body: Body) -> Answer:
        key = to_key(request)
        http, custom = _metadata(request)
        wanted = _checksums(request)
        more = [name for name in wanted if name != "md5"]
        stored = await self._blobs.store(body, more, OBJECT_MAX_BYTES)
        try:
            for name, given in wanted.items():
                if stored.digests[name] != given:
                    shown_name = _SHOWN.get(name, "SHA-512")
                    raise errors.bad_digest(shown_name, given, stored.digests[name])
            found = Object(
                str(request["object"]),
                secrets.token_hex(16),
                stored.size,
                stored.digests["md5"],
                self._now_ms(),
                str(request.get("storageClass") or "Standard"),
                http,
                custom,
                stored.digests,
                () if stored.blob is None else ((stored.blob, stored.size),),
            )
            freed = await self._store.write(
                lambda on: _put_if(on, key, found, stored.data, request.get("onlyIf") or {})
            )
        except BaseException:
            self._drop(stored)
            raise
        self._blobs.remove(freed)
        return Answer(shown(found))

    def _drop(self, stored: Stored) -> None:
        if stored.blob is not None:
            self._blobs.remove([stored.blob])

    async def _delete(self, request: Request) -> Answer:
        names = request.get("objects")
        keys = [to_key({"object": name}) for name in (names or [request.get("object")])]
        if len(keys) > DELETE_MAX:
            raise errors.invalid_argument(f"Delete at most {DELETE_MAX} objects at once.")
        self._blobs.remove(await self._store.write(lambda on: index.delete(on, keys)))
        return Answer({})

    async def _create_upload(self, request: Request) -> Answer:
        key = to_key(request)
        http, custom = _metadata(request)
        storage_class = str(request.get("storageClass") or "Standard")
        upload_id = secrets.token_urlsafe(64)
        name = str(request["object"])
        upload = Upload(upload_id, name, self._now_ms(), storage_class, http, custom)
        await self._store.write(lambda on: index.add_upload(on, upload, key))
        return Answer({"uploadId": upload_id})

    async def _upload_part(self, request: Request, body: Body) -> Answer:
        key, upload_id = to_key(request), str(request.get("uploadId"))
        number = int(request.get("partNumber") or 0)
        if not 1 <= number <= PARTS_MAX:
            text = f"Part number must be between 1 and {PARTS_MAX} (inclusive)."
            raise errors.invalid_argument(f"{text} Actual value was: {number}")
        if self._store.read(lambda on: index.find_upload(on, upload_id, key)) is None:
            raise errors.no_such_upload()
        stored = await self._blobs.store(body, (), OBJECT_MAX_BYTES)
        part = Part(number, stored.size, stored.digests["md5"], stored.blob, stored.data)

        def write(connection: sqlite3.Connection) -> list[str]:
            if index.find_upload(connection, upload_id, key) is None:
                raise errors.no_such_upload()
            return index.put_part(connection, upload_id, part)

        try:
            self._blobs.remove(await self._store.write(write))
        except BaseException:
            self._drop(stored)
            raise
        return Answer({"etag": part.etag})

    async def _complete(self, request: Request) -> Answer:
        key, upload_id = to_key(request), str(request.get("uploadId"))
        upload = self._store.read(lambda on: index.find_upload(on, upload_id, key))
        if upload is None:
            raise errors.no_such_upload()
        there = self._store.read(lambda on: index.parts_of(on, upload_id))
        parts = self._chosen(request.get("parts") or [], there)
        blobs, data = await self._joined(parts)
        digest = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts)).hexdigest()
        found = Object(
            upload.key,
            secrets.token_hex(16),
            sum(part.size for part in parts),
            f"{digest}-{len(parts)}",
            self._now_ms(),
            upload.storage_class,
            upload.http,
            upload.custom,
            {},
            blobs,
        )

        def write(connection: sqlite3.Connection) -> list[str]:
            if index.find_upload(connection, upload_id, key) is None:
                raise errors.no_such_upload()
            freed = index.put(connection, key, found, data)
            return [*freed, *index.end_upload(connection, upload_id, [name for name, _ in blobs])]

        self._blobs.remove(await self._store.write(write))
        return Answer(shown(found))

    def _chosen(self, wanted: Any, there: dict[int, Part]) -> list[Part]:
        """Return the parts that a completion names, in their order. Raises R2Error."""
        numbers = [int(each["part"]) for each in wanted]
        if len(set(numbers)) < len(numbers) or not numbers:
            text = "We encountered an internal error. Please try again."
            raise errors.R2Error(500, 10001, text)
        for each in wanted:
            part = there.get(int(each["part"]))
            if part is None or part.etag != str(each["etag"]).strip('"'):
                raise errors.invalid_part()
        parts = [there[number] for number in sorted(numbers)]
        if any(part.size < self._min_part for part in parts[:-1]):
            raise errors.part_too_small()
        sizes = {part.size for part in parts[:-1]}
        if len(sizes) > 1 or (sizes and parts[-1].size > max(sizes)):
            raise errors.bad_upload()
        return parts

    async def _joined(self, parts: list[Part]) -> tuple[tuple[tuple[str, int], ...], bytes | None]:
        """Return the files of parts; or their bytes, if all are short. No file is copied."""
        total = sum(part.size for part in parts)
        if total <= INLINE_MAX_BYTES and all(part.data is not None for part in parts):
            return (), b"".join(part.data or b"" for part in parts)
        found = []
        for part in parts:
            blob = part.blob
            if blob is None:  # a short last part
                blob = await self._blobs.write(part.data or b"")
            found.append((blob, part.size))
        return tuple(found), None

    async def _abort(self, request: Request) -> Answer:
        key, upload_id = to_key(request), str(request.get("uploadId"))

        def write(connection: sqlite3.Connection) -> list[str]:
            if index.find_upload(connection, upload_id, key) is None:
                return []
            return index.end_upload(connection, upload_id)

        self._blobs.remove(await self._store.write(write))
        return Answer({})

    async def _clean(self) -> None:
        """Abort uploads that are a week old, and delete files that a crash has left."""
        before_ms = self._now_ms() - UPLOAD_KEPT_MS

        def write(connection: sqlite3.Connection) -> list[str]:
            old = index.old_uploads(connection, before_ms)
            return [blob for each in old for blob in index.end_upload(connection, each)]

        if self._store.read(lambda on: index.old_uploads(on, before_ms)):
            self._blobs.remove(await self._store.write(write))
        self._blobs.remove_orphans(self._store.read(index.named_blobs))


def to_key(request: Request) -> bytes:
    """Return the key that a request names. Raises R2Error."""
    name = request.get("object")
    if not isinstance(name, str):
        raise errors.invalid_name()
    try:
        key = name.encode()
    except UnicodeEncodeError:
        key = name.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    if not key or len(key) > KEY_MAX_BYTES:
        raise errors.invalid_name()
    return key


def _put_if(
    connection: sqlite3.Connection,
    key: bytes,
    found: Object,
    data: bytes | None,
    only_if: Mapping[str, Any],
) -> list[str]:
    """Store an object if a condition holds for what is there. Raises R2Error."""
    if only_if:
        old = index.find(connection, key)
        etag, uploaded_ms = (None, 0) if old is None else (old.etag, old.uploaded_ms)
        if not holds(only_if, etag, uploaded_ms):
            raise errors.precondition_failed()
    return index.put(connection, key, found, data)


def _metadata(request: Request) -> tuple[dict[str, Any], dict[str, str]]:
    http = {name: value for name, value in (request.get("httpFields") or {}).items()}
    custom = {str(each["k"]): str(each["v"]) for each in request.get("customFields") or ()}
    size = sum(len(key.encode()) + len(value.encode()) for key, value in custom.items())
    if size > METADATA_MAX_BYTES:
        raise errors.metadata_too_large()
    return http, custom


def _checksums(request: Request) -> dict[str, str]:
    """Return the checksums that a put promises, in hexadecimal. Raises R2Error."""
    found = {}
    for name in index.CHECKSUMS:
        given = request.get(name)
        if given is None:
            continue
        try:
            raw = base64.b64decode(given) if name == "md5" else bytes.fromhex(given)
            found[name] = raw.hex()
        except (binascii.Error, ValueError, TypeError):
            raise errors.invalid_argument(f"The {name} checksum cannot be read.") from None
    return found
