"""The KV binding: what a client's call becomes, and what its answer looks like.

Source: docs/platform/kv.md, "The client".
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from bindings.binding import ByteStream, Encoded
from bindings.kv import rules
from bindings.kv.namespace import SHORT_MAX_BYTES, Entry, Namespace, Page
from bindings.kv.propagation import Seen
from bindings.kv.rules import Refused
from bindings.kv.values import to_bytes, to_json, to_seconds
from emulator.errors import WorkerError
from emulator.sqlite import Synchronous

KINDS = ("text", "json", "arrayBuffer", "stream")
PIECE_BYTES = 64 * 1024
_UNKNOWN_KIND = (
    'Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream".'
)


class Kv:
    """A KV namespace in the file `path`.

    now_ms: the time by which values expire. lag_ms: how long a read may be answered with what was
    read before.
    """

    kind = "kv"
    keeps_typed_arrays = True

    def __init__(
        self,
        path: Path,
        now_ms: Callable[[], int],
        *,
        synchronous: Synchronous = "FULL",
        lag_ms: int = 0,
    ) -> None:
        self.namespace = Namespace(path, now_ms, synchronous)
        self._now_ms = now_ms
        self._seen = Seen(lag_ms)
        self.removed = self.namespace.removed
        self.close = self.namespace.close

    async def call(self, method: str, args: list[Any]) -> Any:
        """Run a client's call. Raises WorkerError.

        `get(key, kind, cacheTtl)` returns `{"value", "metadata"}`, with metadata as JSON, or None;
        `getBulk(keys, kind, cacheTtl)` a list of them. `put(key, value, expiration, ttl,
        metadata)`; a stream of bytes may be the value. `delete(key)`. `list(prefix, limit, cursor)`
        returns `{"keys": [{"name", "expiration", "metadata"}], "cursor"}`.
        """
        match method, args:
            case "get", [str(key), kind, cache_ttl]:
                return await self._answered("GET", self._get(key, kind, cache_ttl))
            case "getBulk", [list(keys), kind, cache_ttl]:
                return await self._answered("GET_BULK", self._get_bulk(keys, kind, cache_ttl))
            case "put", [str(key), value, expiration, ttl, metadata]:
                content = to_bytes(value) if not hasattr(value, "__aiter__") else value
                kept = None if metadata is None else to_json(metadata)
                times = to_seconds(expiration), to_seconds(ttl)
                return await self._answered("PUT", self.put(key, content, *times, kept))
            case "delete", [str(key)]:
                return await self._answered("DELETE", self.delete(key))
            case "list", [prefix, limit, cursor]:
                return await self._answered("GET", self._list(prefix, limit, cursor))
        raise WorkerError(f'KV has no method "{method}" that takes these arguments: {args!r:.200}')

    async def get(self, key: str, cache_ttl: int | None = None) -> Entry | None:
        """Return what is stored under a key. Raises Refused, WorkerError."""
        stored = rules.check_key(key)
        rules.check_cache_ttl(cache_ttl)
        now_ms = self._now_ms()
        is_kept, entry = self._seen.look(stored, now_ms)
        if not is_kept:
            entry = await self.namespace.get(stored)
            self._seen.keep(stored, entry, now_ms, cache_ttl)
        return entry

    async def get_bulk(
        self, keys: Sequence[str], kind: str, cache_ttl: int | None = None
    ) -> list[Entry | None]:
        """Return what is stored under each of at most 100 keys. Raises Refused, WorkerError."""
        rules.check_bulk(list(keys), kind)
        entries = [await self.get(key, cache_ttl) for key in keys]
        size = sum(len(entry.value) for entry in entries if entry is not None)
        if size > rules.BULK_MAX_BYTES:
            raise Refused(413, "Total size of request exceeds the limit of 25MB")
        if kind == "json":
            _check_json(entries)
        return entries

    async def put(
        self,
        key: str,
        value: bytes | AsyncIterator[bytes],
        expiration: int | None = None,
        ttl: int | None = None,
        metadata: str | None = None,
    ) -> None:
        """Store a value; durable on return. `metadata` is JSON. Raises Refused, WorkerError."""
        stored = rules.check_key(key)
        expires_s = rules.expires_s(expiration, ttl, self.namespace.now_s())
        rules.check_metadata(metadata)
        content = value if isinstance(value, bytes) else await _read(value)
        rules.check_size(len(content))
        await self.namespace.put(stored, Entry(content, metadata, expires_s))

    async def delete(self, key: str) -> None:
        """Delete a key, if it exists; durable on return. Raises Refused, WorkerError."""
        await self.namespace.delete([rules.check_key(key)])

    async def list_keys(self, prefix: str, limit: int, cursor: str) -> Page:
        """Return some of the keys. Raises Refused, WorkerError."""
        return await self.namespace.list(prefix, limit, cursor)

    async def _answered(self, operation: str, answering: Any) -> Any:
        try:
            return await answering
        except Refused as refused:
            raise refused.for_worker(operation) from None

    async def _get(self, key: str, kind: object, cache_ttl: object) -> Any:
        entry = await self.get(key, to_seconds(cache_ttl))
        if kind not in KINDS:
            raise WorkerError(_UNKNOWN_KIND, name="TypeError")
        if entry is None:
            return None
        if kind == "stream":
            stream = ByteStream(_pieces(entry.value), "application/octet-stream")
            return {"value": stream, "metadata": entry.metadata}
        if len(entry.value) > SHORT_MAX_BYTES:
            return Encoded(await asyncio.to_thread(_encoded, entry, kind))
        return _shown(entry, kind)

    async def _get_bulk(self, keys: list[Any], kind: object, cache_ttl: object) -> Any:
        names = [str(key) for key in keys]
        entries = await self.get_bulk(names, str(kind), to_seconds(cache_ttl))
        if sum(len(entry.value) for entry in entries if entry) > SHORT_MAX_BYTES:
            return Encoded(await asyncio.to_thread(_encoded_all, entries))
        return [None if entry is None else _shown(entry, "text") for entry in entries]

    async def _list(self, prefix: object, limit: object, cursor: object) -> Any:
        count = to_seconds(limit) or 0  # the client sends no limit below 1
        most = count if count > 0 else rules.LIST_MAX_KEYS
        page = await self.list_keys(_text(prefix), most, _text(cursor))
        keys = [
            {"name": key.name, "expiration": key.expires_s, "metadata": key.metadata}
            for key in page.keys
        ]
        return {"keys": keys, "cursor": page.cursor}


def as_text(value: bytes) -> str:
    """Return a value as text, as the client decodes it."""
    return value.decode("utf-8", "replace").removeprefix("\ufeff")


def _shown(entry: Entry, kind: object) -> dict[str, Any]:
    value = entry.value if kind == "arrayBuffer" else as_text(entry.value)
    return {"value": value, "metadata": entry.metadata}


def _encoded(entry: Entry, kind: object) -> bytes:
    """Return `_shown` as tagged JSON (PROTOCOL.md, section 3)."""
    metadata = json.dumps(entry.metadata).encode()
    if kind == "arrayBuffer":
        value = b'{"$bytes":"%s"}' % base64.b64encode(entry.value)
    else:
        value = json.dumps(as_text(entry.value), ensure_ascii=False).encode()
    return b'{"value":%s,"metadata":%s}' % (value, metadata)


def _encoded_all(entries: Sequence[Entry | None]) -> bytes:
    shown = [b"null" if entry is None else _encoded(entry, "text") for entry in entries]
    return b"[%s]" % b",".join(shown)


def _check_json(entries: Sequence[Entry | None]) -> None:
    for entry in entries:
        try:
            if entry is not None:
                json.loads(as_text(entry.value))
        except (ValueError, RecursionError):
            text = "At least one of the requested keys corresponds to a non-json value"
            raise Refused(400, text) from None


async def _read(pieces: AsyncIterator[bytes]) -> bytes:
    """Return a stream as a whole. Raises Refused when it is longer than a value can be."""
    content = bytearray()
    async for piece in pieces:
        content += piece
        rules.check_size(len(content))
    return bytes(content)


async def _pieces(value: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(value), PIECE_BYTES):
        yield value[start : start + PIECE_BYTES]


def _text(value: object) -> str:
    return "" if value is None else str(value)
