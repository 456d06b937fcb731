"""What a bucket's database knows: objects, uploads that have begun, their parts. All its SQL."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from emulator.sqlite import connect_read_only

# The bytes of a short object come last: what stands before them is read without them.
SCHEMA = (
    """
    CREATE TABLE objects (
        key BLOB PRIMARY KEY, version TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
        uploaded_ms INTEGER NOT NULL, storage_class TEXT NOT NULL, http TEXT NOT NULL,
        custom TEXT NOT NULL, checksums TEXT NOT NULL, blobs TEXT NOT NULL, data BLOB
    );
    CREATE TABLE uploads (
        id TEXT PRIMARY KEY, key BLOB NOT NULL, created_ms INTEGER NOT NULL,
        storage_class TEXT NOT NULL, http TEXT NOT NULL, custom TEXT NOT NULL
    );
    CREATE TABLE parts (
        upload TEXT NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
        blob TEXT, data BLOB, PRIMARY KEY (upload, number)
    )
    """,
)
FILE = "bucket.sqlite"  # in the folder of a bucket
CHECKSUMS = ("md5", "sha1", "sha256", "sha384", "sha512")
_FIELDS = "key, version, size, etag, uploaded_ms, storage_class, http, custom, checksums, blobs"


class Object(Struct, frozen=True):
    """An object without its bytes, which are in `blobs`, `(name, size)` of each, or in the row.

    http: `{"contentType": …}`. checksums: algorithm -> hexadecimal.
    """

    key: str
    version: str
    size: int
    etag: str
    uploaded_ms: int
    storage_class: str = "Standard"
    http: dict[str, Any] = field(default_factory=dict)
    custom: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    blobs: tuple[tuple[str, int], ...] = ()


class Upload(Struct, frozen=True):
    """A multipart upload that has begun."""

    id: str
    key: str
    created_ms: int
    storage_class: str
    http: dict[str, Any]
    custom: dict[str, str]


class Part(Struct, frozen=True):
    """A part of an upload: in the file `blob`, or in `data` if it is short."""

    number: int
    size: int
    etag: str
    blob: str | None
    data: bytes | None


def shown(found: Object) -> dict[str, Any]:
    """Return an object's metadata as the client reads it."""
    numbers = {name: str(place) for place, name in enumerate(CHECKSUMS)}
    return {
        "name": found.key,
        "version": found.version,
        "size": found.size,
        "etag": found.etag,
        "uploaded": found.uploaded_ms,
        "httpFields": found.http,
        "customFields": [{"k": key, "v": value} for key, value in found.custom.items()],
        "checksums": {numbers[name]: value for name, value in found.checksums.items()},
        "storageClass": found.storage_class,
    }


def find(connection: sqlite3.Connection, key: bytes) -> Object | None:
    """Return the object with a key."""
    row = connection.execute(f"SELECT {_FIELDS} FROM objects WHERE key = ?", (key,)).fetchone()
    return None if row is None else _object(row)


def data_of(connection: sqlite3.Connection, key: bytes, version: str) -> bytes | None:
    """Return the bytes of a short object, if it is still in this version."""
    row = connection.execute(
        "SELECT data FROM objects WHERE key = ? AND version = ?", (key, version)
    ).fetchone()
    return None if row is None else row[0]


def put(connection: sqlite3.Connection, key: bytes, found: Object, data: bytes | None) -> list[str]:
    """Store an object; return the files that nobody names any more."""
    old = find(connection, key)
    connection.execute(
        f"INSERT OR REPLACE INTO objects ({_FIELDS}, data) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
        (
            key,
            found.version,
            found.size,
            found.etag,
            found.uploaded_ms,
            found.storage_class,
            *(json.dumps(each) for each in (found.http, found.custom, found.checksums)),
            json.dumps(found.blobs),
            data,
        ),
    )
    return [] if old is None else [name for name, _ in old.blobs]


def delete(connection: sqlite3.Connection, keys: Sequence[bytes]) -> list[str]:
    """Delete objects, those that exist; return the files that nobody names any more."""
    freed: list[str] = []
    for key in keys:
        old = find(connection, key)
        if old is not None:
            freed += [name for name, _ in old.blobs]
            connection.execute("DELETE FROM objects WHERE key = ?", (key,))
    return freed


def following(
    connection: sqlite3.Connection, start: bytes, end: bytes | None, limit: int
) -> list[tuple[bytes, Object]]:
    """Return objects from the key `start` on, before `end`, in the order of their bytes."""
    rows = connection.execute(
        f"SELECT {_FIELDS} FROM objects WHERE key >= ?1 AND (?2 IS NULL OR key < ?2)"
        " ORDER BY key LIMIT ?3",
        (start, end, limit),
    ).fetchall()
    return [(row[0], _object(row)) for row in rows]


def totals(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return how many objects there are, and how many bytes."""
    row = connection.execute("SELECT count(*), coalesce(sum(size), 0) FROM objects").fetchone()
    return row[0], row[1]


def add_upload(connection: sqlite3.Connection, upload: Upload, key: bytes) -> None:
    """Begin an upload."""
    kept = json.dumps(upload.http), json.dumps(upload.custom)
    connection.execute(
        "INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?)",
        (upload.id, key, upload.created_ms, upload.storage_class, *kept),
    )


def find_upload(connection: sqlite3.Connection, upload_id: str, key: bytes) -> Upload | None:
    """Return an upload that has begun for this key."""
    row = connection.execute(
        "SELECT id, key, created_ms, storage_class, http, custom FROM uploads"
        " WHERE id = ? AND key = ?",
        (upload_id, key),
    ).fetchone()
    if row is None:
        return None
    return Upload(row[0], row[1].decode(), row[2], row[3], json.loads(row[4]), json.loads(row[5]))


def put_part(connection: sqlite3.Connection, upload_id: str, part: Part) -> list[str]:
    """Store a part; return the file of the one it replaces."""
    old = connection.execute(
        "SELECT blob FROM parts WHERE upload = ? AND number = ?", (upload_id, part.number)
    ).fetchone()
    connection.execute(
        "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?)",
        (upload_id, part.number, part.size, part.etag, part.blob, part.data),
    )
    return [old[0]] if old is not None and old[0] is not None else []


def parts_of(connection: sqlite3.Connection, upload_id: str) -> dict[int, Part]:
    """Return the parts of an upload by number."""
    rows = connection.execute(
        "SELECT number, size, etag, blob, data FROM parts WHERE upload = ?", (upload_id,)
    )
    return {row[0]: Part(*row) for row in rows}


def end_upload(
    connection: sqlite3.Connection, upload_id: str, kept: Collection[str] = ()
) -> list[str]:
    """Forget an upload; return the files of its parts that are not `kept`."""
    rows = connection.execute("SELECT blob FROM parts WHERE upload = ?", (upload_id,)).fetchall()
    connection.execute("DELETE FROM parts WHERE upload = ?", (upload_id,))
    connection.execute("DELETE FROM uploads WHERE id = ?", (upload_id,))
    return [blob for (blob,) in rows if blob is not None and blob not in kept]


def old_uploads(connection: sqlite3.Connection, before_ms: int) -> list[str]:
    """Return uploads that began before a time."""
    rows = connection.execute("SELECT id FROM uploads WHERE created_ms < ?", (before_ms,))
    return [upload for (upload,) in rows]


def named_blobs(connection: sqlite3.Connection) -> set[str]:
    """Return every file that an object or a part names."""
    rows = connection.execute("SELECT blobs FROM objects WHERE blobs <> '[]'")
    found = {name for (blobs,) in rows for name, _ in json.loads(blobs)}
    parts = connection.execute("SELECT blob FROM parts WHERE blob IS NOT NULL")
    return found | {blob for (blob,) in parts}


def every_object(folder: Path) -> list[tuple[bytes, int, str, str, str]]:
    """Return key, size, etag, HTTP and custom metadata of each object of a bucket's folder.

    The bucket need not exist.
    """
    if not (folder / FILE).exists():
        return []
    with closing(connect_read_only(folder / FILE)) as connection:
        return connection.execute("SELECT key, size, etag, http, custom FROM objects").fetchall()


def _object(row: Any) -> Object:
    http, custom, checksums, blobs = (json.loads(each) for each in row[6:10])
    whole = tuple((name, size) for name, size in blobs)
    key, version, size, etag, uploaded_ms, storage_class = row[:6]
    return Object(
        key.decode(),
        version,
        size,
        etag,
        uploaded_ms,
        storage_class,
        http,
        custom,
        checksums,
        whole,
    )
