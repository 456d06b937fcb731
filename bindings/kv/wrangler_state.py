"""The namespaces of `wrangler dev` in `.wrangler/state`: where they are, and how one is read.

It reads wrangler's files, also while wrangler uses them, and never changes them.
Source: docs/platform/kv.md, "Where wrangler keeps a local namespace".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bindings.kv.namespace import Entry
from bindings.wrangler_files import object_file
from emulator.errors import EmulatorError
from emulator.sqlite import connect_read_only


def wrangler_file(state: Path, namespace_id: str) -> Path:
    """Return the file with the keys of a namespace below wrangler's folder `state`."""
    return object_file(state, "kv", "miniflare-KVNamespaceObject", namespace_id)


def read_wrangler(state: Path, namespace_id: str) -> Iterator[tuple[bytes, Entry]]:
    """Yield the keys and values of a namespace of wrangler. Raises EmulatorError."""
    path = wrangler_file(state, namespace_id)
    blobs = state / "v3" / "kv" / namespace_id / "blobs"
    try:
        with closing(connect_read_only(path)) as connection:
            rows = connection.execute("SELECT key, blob_id, expiration, metadata FROM _mf_entries")
            for key, blob_id, expires_ms, metadata in rows:
                value = (blobs / Path(blob_id).name).read_bytes()
                expires_s = None if expires_ms is None else expires_ms // 1000
                yield key.encode(), Entry(value, metadata, expires_s)
    except sqlite3.Error as error:
        raise EmulatorError(f"{path} cannot be read: {error}") from None
    except OSError as error:
        raise EmulatorError(f"{blobs} cannot be read: {error.strerror or error}") from None
