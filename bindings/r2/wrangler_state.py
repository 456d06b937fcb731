"""The buckets of `wrangler dev` in `.wrangler/state`: where they are, and how one is read.

It reads wrangler's files, also while wrangler uses them, and never changes them.
Source: docs/platform/r2.md, "Where wrangler keeps a local bucket".
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from bindings.r2.blobs import WRITE_BYTES
from bindings.wrangler_files import object_file
from emulator.errors import EmulatorError
from emulator.sqlite import connect_read_only


def wrangler_file(state: Path, name: str) -> Path:
    """Return the file with the objects of a bucket below wrangler's folder `state`."""
    return object_file(state, "r2", "miniflare-R2BucketObject", name)


def read_wrangler(state: Path, name: str) -> Iterator[tuple[dict[str, Any], AsyncIterator[bytes]]]:
    """Yield a request to put each object of a bucket, and its bytes. Raises EmulatorError."""
    path = wrangler_file(state, name)
    blobs = state / "v3" / "r2" / name / "blobs"
    try:
        with closing(connect_read_only(path)) as connection:
            rows = connection.execute(
                "SELECT key, blob_id, http_metadata, custom_metadata FROM _mf_objects"
            ).fetchall()
            for key, blob_id, http, custom in rows:
                parts = [blob_id] if blob_id is not None else _parts(connection, key)
                fields = [{"k": k, "v": v} for k, v in json.loads(custom).items()]
                request = {
                    "method": "put",
                    "object": key,
                    "httpFields": json.loads(http),
                    "customFields": fields,
                }
                yield request, _content([blobs / Path(part).name for part in parts])
    except sqlite3.Error as error:
        raise EmulatorError(f"{path} cannot be read: {error}") from None


def _parts(connection: sqlite3.Connection, key: str) -> list[str]:
    rows = connection.execute(
        "SELECT blob_id FROM _mf_multipart_parts WHERE object_key = ? ORDER BY part_number", (key,)
    )
    return [blob for (blob,) in rows]


async def _content(files: Sequence[Path]) -> AsyncIterator[bytes]:
    for path in files:
        try:
            with path.open("rb") as file:
                while piece := file.read(WRITE_BYTES):
                    yield piece
        except OSError as error:
            raise EmulatorError(f"{path} cannot be read: {error.strerror or error}") from None
