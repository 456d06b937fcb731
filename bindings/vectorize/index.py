"""One Vectorize index: the calls of `env.INDEX`, with production's rules.

Every call runs on the index's own thread, in order, so that neither SQLite nor NumPy holds up
the event loop and nothing here needs a lock. A mutation is durable and visible when its call
returns; production makes it visible some seconds later.

Source: workerd src/cloudflare/internal/vectorize-api.ts; developers.cloudflare.com/vectorize.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bindings.binding import Value
from bindings.vectorize.errors import (
    STORAGE,
    UNKNOWN_VECTOR,
    WRONG_QUERY_DIMENSIONS,
    WRONG_VECTOR,
    Refused,
)
from bindings.vectorize.query import QueryOptions, parse_options, show_metadata
from bindings.vectorize.store import Settings, Store
from bindings.vectorize.vectors import (
    DELETE_IDS_MAX,
    GET_IDS_MAX,
    Vector,
    check_id,
    pack_values,
    parse_ids,
    parse_vectors,
    unpack_values,
)
from emulator.clock import Clock, SystemClock
from emulator.errors import StateError, WorkerError

if TYPE_CHECKING:
    from bindings.vectorize.search import Matrix

DEFAULT_METRIC = "cosine"

# Method on the binding: the operation the client names in an error.
OPERATIONS = {
    "describe": "INDEX_GET",
    "query": "VECTOR_QUERY",
    "queryById": "VECTOR_QUERY",
    "insert": "VECTOR_INSERT",
    "upsert": "VECTOR_UPSERT",
    "getByIds": "VECTOR_GET",
    "deleteByIds": "VECTOR_DELETE",
}


class Vectorize:
    """The binding. `announce` is told, in a sentence, what the person at the terminal should know.

    With `dimensions` or `metric` None they are taken from the first insert (cosine). With no
    `metadata_indexes` a filter sees every property; with some, only those, as in production.
    """

    kind = "vectorize"

    def __init__(
        self,
        path: Path,
        index_name: str,
        *,
        dimensions: int | None = None,
        metric: str | None = None,
        metadata_indexes: Mapping[str, str] | None = None,
        announce: Callable[[str], None] = lambda text: None,
        clock: Clock | None = None,
    ) -> None:
        self._path = path
        self._name = index_name
        self._dimensions = dimensions
        self._metric = metric
        self._indexes = dict(metadata_indexes or {})
        self._announce = announce
        self._announced: set[str] = set()
        self._clock = clock or SystemClock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"vectorize-{index_name}")
        self._store: Store | None = None
        self._matrix: Matrix | None = None
        self._matrix_revision = -1

    async def call(self, method: str, args: list[Value]) -> Value:
        """Run one method of the binding and return its plain result; raises WorkerError."""
        if method not in OPERATIONS:
            raise WorkerError(
                f"{method} is not a method of a Vectorize binding; it has {', '.join(OPERATIONS)}",
                name="TypeError",
            )
        loop = asyncio.get_running_loop()
        result, announcements = await loop.run_in_executor(self._thread, self._run, method, args)
        for text in announcements:
            self._announce_once(text)
        return result

    async def close(self) -> None:
        """Close the file once the calls under way are done."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close_store)
        self._thread.shutdown()

    def _announce_once(self, text: str) -> None:
        if text not in self._announced:
            self._announced.add(text)
            self._announce(text)

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _run(self, method: str, args: list[Value]) -> tuple[Value, list[str]]:
        """Run `method` on this index's thread; return its result and what to announce."""
        announcements: list[str] = []
        first = args[0] if args else None
        second = args[1] if len(args) > 1 else None
        try:
            match method:
                case "describe":
                    result: Value = self._describe()
                case "query":
                    result = self._query(first, second, announcements)
                case "queryById":
                    result = self._query_by_id(first, second, announcements)
                case "insert" | "upsert":
                    result = self._write(parse_vectors(first), method, announcements)
                case "getByIds":
                    result = self._get(parse_ids(first, GET_IDS_MAX))
                case _:
                    result = self._delete(parse_ids(first, DELETE_IDS_MAX))
        except Refused as refused:
            raise refused.during(OPERATIONS[method]) from None
        except (sqlite3.Error, StateError, OSError) as error:
            text = str(error) if isinstance(error, StateError) else f"{self._path}: {error}"
            raise Refused(STORAGE, text).during(OPERATIONS[method]) from error
        return result, announcements

    def _open(self) -> Store:
        if self._store is None:
            self._store = Store(self._path)
        return self._store

    def _settle(self, settings: Settings) -> tuple[int | None, str]:
        """Return the dimensions and the metric in force: the configured ones, else the stored.

        Raises Refused when the stored vectors have other dimensions than the configured ones.
        """
        stored, wanted = settings.dimensions, self._dimensions
        if wanted is not None and stored is not None and stored != wanted and self._open().count():
            raise Refused(
                WRONG_VECTOR,
                f'index "{self._name}" holds vectors of {stored} dimensions, but it is configured '
                f"with {wanted}: set dimensions = {stored} in [vectorize.{self._name}] of "
                f"groundfog.toml, or delete {self._path} to start over",
            )
        return wanted or stored, self._metric or settings.metric or DEFAULT_METRIC

    def _describe(self) -> Value:
        settings = self._open().settings()
        dimensions, _ = self._settle(settings)
        processed = None
        if settings.mutated_at_ms is not None:
            moment = datetime.fromtimestamp(settings.mutated_at_ms / 1000, UTC)
            processed = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "vectorCount": self._open().count(),
            "dimensions": dimensions or 0,
            "processedUpToDatetime": processed,
            "processedUpToMutation": settings.mutation_id,
        }

    def _write(self, vectors: list[Vector], method: str, announcements: list[str]) -> Value:
        store = self._open()
        try:
            settings = store.begin()
            dimensions, metric = self._settle(settings)
            inferred = dimensions is None and bool(vectors)
            if inferred:
                dimensions = vectors[0].dimensions
            for vector in vectors:
                if vector.dimensions != dimensions or not vector.dimensions:
                    raise Refused(
                        WRONG_VECTOR,
                        f'invalid vector for id="{vector.id}", expected {dimensions or "1 to 1536"}'
                        f" dimensions, and got {vector.dimensions} dimensions",
                    )
            if method == "insert":
                vectors = store.insert(vectors)
            else:
                store.upsert(vectors)
            reply = self._commit(store, dimensions, metric)
        finally:
            store.rollback()
        if inferred:
            announcements.append(
                f'vectorize index "{self._name}" has {dimensions} dimensions, as its first insert, '
                f"and the metric {metric}. To create it at Cloudflare: wrangler vectorize create "
                f"{self._name} --dimensions={dimensions} --metric={metric}"
            )
        self._update_matrix(settings.revision, dimensions, lambda matrix: matrix.put(vectors))
        return reply

    def _delete(self, ids: list[str]) -> Value:
        store = self._open()
        try:
            settings = store.begin()
            dimensions, metric = self._settle(settings)
            store.delete(ids)
            reply = self._commit(store, dimensions, metric)
        finally:
            store.rollback()
        self._update_matrix(settings.revision, dimensions, lambda matrix: matrix.remove(ids))
        return reply

    def _commit(self, store: Store, dimensions: int | None, metric: str) -> Value:
        mutation_id = str(uuid.uuid4())
        store.commit(dimensions, metric, mutation_id, self._clock.now_ms())
        return {"mutationId": mutation_id}

    def _update_matrix(
        self, old_revision: int, dimensions: int | None, change: Callable[[Matrix], None]
    ) -> None:
        """Apply a committed change to the matrix, unless another process's change is missing."""
        if self._matrix is None:
            return
        if self._matrix_revision != old_revision or self._matrix.dimensions != dimensions:
            self._matrix = None
            return
        change(self._matrix)
        self._matrix_revision = old_revision + 1

    def _get(self, ids: list[str]) -> Value:
        return [_show_vector(vector) for vector in self._open().get(ids)]

    def _query(self, vector: Value, options: Value, announcements: list[str]) -> Value:
        parsed = parse_options(options, self._indexes, self._name, announcements)
        values = pack_values(vector, "invalid query vector", WRONG_QUERY_DIMENSIONS)
        return self._search(values, parsed)

    def _query_by_id(self, id_: Value, options: Value, announcements: list[str]) -> Value:
        parsed = parse_options(options, self._indexes, self._name, announcements)
        found = self._open().get([check_id(id_)])
        if not found:
            raise Refused(UNKNOWN_VECTOR, f'vector id not found: "{id_}"')
        return self._search(found[0].values, parsed)

    def _search(self, values: bytes, options: QueryOptions) -> Value:
        store = self._open()
        settings = store.settings()
        dimensions, metric = self._settle(settings)
        if dimensions is None:
            return {"count": 0, "matches": []}
        if len(values) != 4 * dimensions:
            raise Refused(
                WRONG_QUERY_DIMENSIONS,
                f"invalid query vector, expected {dimensions} dimensions, "
                f"and got {len(values) // 4} dimensions",
            )
        matrix = self._load_matrix(settings, dimensions)
        found = matrix.search(metric, values, options.top_k, options.accepts())
        matches: list[dict[str, Value]] = []
        for match in found:
            shown: dict[str, Value] = {"id": match.id, "score": match.score}
            if options.return_values:
                shown["values"] = matrix.values(match.id)
            if match.namespace is not None:
                shown["namespace"] = match.namespace
            metadata = show_metadata(match.metadata, options.return_metadata, self._indexes)
            if metadata is not None:
                shown["metadata"] = metadata
            matches.append(shown)
        return {"count": len(matches), "matches": matches}

    def _load_matrix(self, settings: Settings, dimensions: int) -> Matrix:
        from bindings.vectorize.search import Matrix  # imports NumPy: only for those who query

        if self._matrix is None or self._matrix_revision != settings.revision:
            self._matrix_revision, vectors = self._open().read_all()
            self._matrix = Matrix(dimensions, vectors)
        return self._matrix


def _show_vector(vector: Vector) -> Value:
    shown: dict[str, Value] = {"id": vector.id, "values": unpack_values(vector.values)}
    if vector.namespace is not None:
        shown["namespace"] = vector.namespace
    if vector.metadata is not None:
        shown["metadata"] = json.loads(vector.metadata)
    return shown
