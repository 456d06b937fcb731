"""One Vectorize index: all operations, with production's rules.

Synchronous, used from one thread at a time. `vectorize.py` makes it a binding; the command line
uses it directly. A mutation is durable when its call returns. It is visible at once or, as in
production, after a lag. Raises Refused, sqlite3.Error and StateError.

Source: docs/platform/vectorize.md, "The client" and "Mutations".
"""

from __future__ import annotations

import heapq
import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bindings.vectorize.errors import (
    INVALID_INDEX,
    UNKNOWN_VECTOR,
    WRONG_QUERY_DIMENSIONS,
    WRONG_VECTOR,
    Refused,
)
from bindings.vectorize.filters import Condition, check_path
from bindings.vectorize.query import QueryOptions, parse_options, show_indexed
from bindings.vectorize.settings import METADATA_INDEXES_MAX, METADATA_TYPES, IndexConfig
from bindings.vectorize.store import MetadataIndex, Mutation, Settings, Store, StoredVector
from bindings.vectorize.vectors import Vector, check_id, pack_values, unpack_values
from emulator.answers.vectorize import (
    Accepted,
    IndexDefinition,
    IndexDescription,
    Match,
    Matches,
    ShownMetadataIndex,
    ShownVector,
)
from emulator.clock import Clock, SystemClock
from emulator.sqlite import Removed

if TYPE_CHECKING:
    from bindings.vectorize.cache import Cache

Change = Callable[["Cache"], None]

DEFAULT_METRIC = "cosine"
_FETCH = 500  # vectors read at a time


class Index:
    """An index and its file. `announcements` collects messages for the person at the terminal."""

    def __init__(
        self, path: Path, name: str, config: IndexConfig | None = None, clock: Clock | None = None
    ) -> None:
        self.path = path
        self.name = name
        self.announcements: list[str] = []
        self._config = config or IndexConfig()
        self._clock = clock or SystemClock()
        self._opened: Store | None = None
        self._cache: Cache | None = None
        self._cached_revision = -1

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def removed(self) -> str:
        """Return a message if the file was removed while it is open, else "". For any thread."""
        store = self._opened
        try:
            if store is not None:
                store.check_file(log=True)
        except Removed as error:
            return str(error)
        return ""

    # --- reading

    def describe(self) -> IndexDescription:
        """Return `{vectorCount, dimensions, processedUpToDatetime, processedUpToMutation}`."""
        store = self._caught_up()
        settings = store.settings()
        dimensions, _ = self._settle(settings)
        processed = settings.mutated_at_ms
        return {
            "vectorCount": store.count(),
            "dimensions": dimensions or 0,
            "processedUpToDatetime": None if processed is None else _iso(processed),
            "processedUpToMutation": settings.mutation_id,
        }

    def definition(self) -> IndexDefinition:
        """Return the definition: `{name, description, created_on, modified_on, config}`."""
        settings = self._store().settings()
        dimensions, metric = self._settle(settings)
        return {
            "name": self.name,
            "description": settings.description or "",
            "created_on": None if settings.created_ms is None else _iso(settings.created_ms),
            "modified_on": None if settings.changed_ms is None else _iso(settings.changed_ms),
            "config": {"dimensions": dimensions, "metric": metric},
        }

    def get(self, ids: list[str]) -> list[ShownVector]:
        """Return the vectors that exist, in the order of `ids`."""
        return [_show_vector(vector) for vector in self._caught_up().get(ids)]

    def list_ids(self, after: str | None, count: int) -> tuple[list[str], int]:
        """Return up to `count` ids in order, after the id `after`, and the count of all vectors."""
        store = self._caught_up()
        with store.snapshot():
            return store.ids(after, count), store.count()

    def query(self, vector: Any, options: Any) -> Matches:
        """Return `{count, matches}` for a vector."""
        parsed = parse_options(options)
        values = pack_values(vector, "invalid query vector", WRONG_QUERY_DIMENSIONS)
        return self._search(values, parsed)

    def query_by_id(self, id_: Any, options: Any) -> Matches:
        """Return `{count, matches}` for a stored vector."""
        parsed = parse_options(options)
        found = self._caught_up().get([check_id(id_)])
        if not found:
            raise Refused(UNKNOWN_VECTOR, f'vector id not found: "{id_}"')
        return self._search(found[0].values, parsed)

    def metadata_indexes(self) -> list[ShownMetadataIndex]:
        """Return `[{propertyName, indexType}]`."""
        found = self._caught_up().metadata_indexes()
        return [
            {"propertyName": name, "indexType": index.type.capitalize()}
            for name, index in found.items()
        ]

    # --- changing

    def create(self, dimensions: int, metric: str, description: str | None) -> None:
        """Create the index. Raises Refused when it exists."""
        store = self._store()
        with store.changing() as settings:
            if settings.dimensions is not None:
                raise Refused(INVALID_INDEX, f'an index named "{self.name}" exists already')
            store.configure(dimensions, metric, description, self._clock.now_ms())

    def erase(self) -> None:
        """Delete everything; the index is empty then, for other processes too."""
        store = self._store()
        with store.changing():
            store.erase()
        self._cache = None

    def write(self, operation: str, vectors: list[Vector]) -> Accepted:
        """Write vectors; `operation` is insert or upsert. Returns `{mutationId}`."""
        return self._mutate(operation, vectors)

    def delete(self, ids: list[str]) -> Accepted:
        """Remove vectors; unknown ids do not matter. Returns `{mutationId}`."""
        return self._mutate("delete", [Vector(id_, b"") for id_ in ids])

    def create_metadata_index(self, name: str, type_: str) -> Accepted:
        """Let filters use a property, for vectors written from now on. Returns `{mutationId}`."""
        check_path(name)
        if type_ not in METADATA_TYPES:
            raise Refused(
                INVALID_INDEX, f'expected the type string, number or boolean, and got "{type_}"'
            )
        found = self._caught_up().metadata_indexes()
        if name in found:
            raise Refused(INVALID_INDEX, f'"{name}" has a metadata index already')
        if len(found) >= METADATA_INDEXES_MAX:
            raise Refused(INVALID_INDEX, f"max {METADATA_INDEXES_MAX} metadata indexes an index")
        return self._mutate("create_metadata_index", [Vector(name, b"", metadata=type_)])

    def delete_metadata_index(self, name: str) -> Accepted:
        """Let filters no longer use a property. Returns `{mutationId}`."""
        if name not in self._caught_up().metadata_indexes():
            raise Refused(INVALID_INDEX, f'"{name}" has no metadata index')
        return self._mutate("delete_metadata_index", [Vector(name, b"")])

    # --- how

    def _store(self) -> Store:
        if self._opened is None:
            store = Store(self.path)
            try:
                self._configure_metadata_indexes(store)
            except BaseException:
                store.close()
                raise
            self._opened = store
        self._opened.check_file()
        return self._opened

    def _configure_metadata_indexes(self, store: Store) -> None:
        """Add the metadata indexes of groundfog.toml to those made by command."""
        wanted = self._config.metadata_indexes
        if _configured(store) == wanted:
            return
        with store.changing() as settings:
            have = store.metadata_indexes()
            for name, index in have.items():
                if index.configured and name not in wanted:
                    store.drop_metadata_index(name)
            # A file of an older Groundfog: there, filters could use every property.
            since = 0 if store.converted else settings.accepted
            for name, type_ in wanted.items():
                if name not in have or have[name].type != type_:
                    store.put_metadata_index(name, MetadataIndex(type_, since, True))
                    if since and store.count():
                        self._announce_new_index(name)
            store.raise_revision()

    def _announce_new_index(self, name: str) -> None:
        self.announcements.append(
            f'vectorize index "{self.name}" has a new metadata index on "{name}": as in'
            " production, vectors written before are not in it until they are upserted again"
        )

    def _settle(self, settings: Settings) -> tuple[int | None, str]:
        """Return the dimensions and the metric: the configured ones, else the stored ones.

        Raises Refused when the stored vectors have other dimensions than the configured ones.
        """
        stored, wanted = settings.dimensions, self._config.dimensions
        if wanted is not None and stored is not None and stored != wanted and self._store().count():
            raise Refused(
                WRONG_VECTOR,
                f'index "{self.name}" holds vectors of {stored} dimensions, but it is configured '
                f"with {wanted}: set dimensions = {stored} in [vectorize.{self.name}] of "
                f"groundfog.toml, or delete {self.path} to start over",
            )
        return wanted or stored, self._config.metric or settings.metric or DEFAULT_METRIC

    def _caught_up(self) -> Store:
        """Return the store after all due mutations became visible."""
        store = self._store()
        if self._due(store):
            with store.changing() as settings:
                changes = self._apply_due(store)
            self._update_cache(settings, changes)
        return store

    def _due(self, store: Store) -> list[Mutation]:
        waits = self._config.visibility_lag_ms > 0
        return store.waiting(self._clock.now_ms() if waits else None)

    def _apply_due(self, store: Store) -> list[Change | None]:
        return [
            self._apply(store, mutation, store.take(mutation), mutation.visible_ms)
            for mutation in self._due(store)
        ]

    def _mutate(self, operation: str, items: list[Vector]) -> Accepted:
        store = self._store()
        now_ms = self._clock.now_ms()
        lag_ms = self._config.visibility_lag_ms
        inferred = False
        with store.changing() as settings:
            changes = self._apply_due(store)
            dimensions, metric = self._settle(settings)
            if operation in ("insert", "upsert"):
                inferred = dimensions is None and bool(items)
                dimensions = items[0].dimensions if inferred else dimensions
                _check_dimensions(items, dimensions)
            if (settings.dimensions, settings.metric) != (dimensions, metric):
                store.configure(dimensions, metric, None, now_ms)
            mutation = Mutation(store.accept(), str(uuid.uuid4()), operation, now_ms + lag_ms)
            if lag_ms:
                store.postpone(mutation, items)
            else:
                changes.append(self._apply(store, mutation, items, now_ms))
        self._update_cache(settings, changes)
        if inferred:
            self.announcements.append(
                f'vectorize index "{self.name}" has {dimensions} dimensions, as its first insert, '
                f"and the metric {metric}. To create it at Cloudflare: wrangler vectorize create "
                f"{self.name} --dimensions={dimensions} --metric={metric}"
            )
        return {"mutationId": mutation.mutation_id}

    def _apply(
        self, store: Store, mutation: Mutation, items: list[Vector], now_ms: int
    ) -> Change | None:
        """Make a mutation visible; return the change for the cache, None to build a new cache."""
        store.processed(mutation.mutation_id, now_ms)
        match mutation.operation:
            case "insert":
                added = store.insert(items, mutation.number)
                return lambda cache: cache.put(added)
            case "upsert":
                changed = store.upsert(items, mutation.number)
                return lambda cache: cache.put(changed)
            case "delete":
                removed = store.delete([item.id for item in items])
                return lambda cache: cache.remove(removed)
            case "create_metadata_index":
                name, type_ = items[0].id, items[0].metadata or ""
                store.put_metadata_index(name, MetadataIndex(type_, mutation.number, False))
            case _:
                store.drop_metadata_index(items[0].id)
        return None

    def _update_cache(self, before: Settings, changes: list[Change | None]) -> None:
        """Apply committed changes to the cache, unless another process's change is missing."""
        if self._cache is None or not changes:
            return
        if self._cached_revision != before.revision:
            self._cache = None
            return
        for change in changes:
            if change is None:
                self._cache = None
                return
            change(self._cache)
        self._cached_revision = before.revision + len(changes)

    def _search(self, values: bytes, options: QueryOptions) -> Matches:
        store = self._caught_up()
        with store.snapshot() as settings:
            dimensions, metric = self._settle(settings)
            indexes = store.metadata_indexes()
            self._announce_unindexed(options.filter, indexes)
            if dimensions is None:
                return {"count": 0, "matches": []}
            if len(values) != 4 * dimensions:
                raise Refused(
                    WRONG_QUERY_DIMENSIONS,
                    f"invalid query vector, expected {dimensions} dimensions, "
                    f"and got {len(values) // 4} dimensions",
                )
            best = self._best(store, settings, dimensions, metric, values, options, indexes)
            matches = [self._show_match(*found, options, indexes) for found in best]
        return {"count": len(matches), "matches": matches}

    def _best(
        self,
        store: Store,
        settings: Settings,
        dimensions: int,
        metric: str,
        values: bytes,
        options: QueryOptions,
        indexes: Mapping[str, MetadataIndex],
    ) -> list[tuple[float, StoredVector]]:
        import numpy  # imported only for queries

        from bindings.vectorize.search import exact_scores, sort_key

        cache = self._fill_cache(store, settings, dimensions, indexes)
        for condition in options.filter:
            if not cache.can_filter(condition.path):
                cache.learn(condition.path, store.metadata())
        query = numpy.frombuffer(values, "<f4").astype(numpy.float32)
        rows = cache.candidates(metric, query, options.top_k, options.namespace, options.filter)
        best: list[tuple[float, str, float, StoredVector]] = []
        for start in range(0, len(rows), _FETCH):
            vectors = store.rows(rows[start : start + _FETCH])
            packed = numpy.frombuffer(b"".join(vector.values for vector in vectors), "<f4")
            scores = exact_scores(metric, query, packed.reshape(-1, dimensions))
            best += [
                (sort_key(metric, score), vector.id, score, vector)
                for score, vector in zip(scores, vectors, strict=True)
            ]
            best = heapq.nsmallest(options.top_k, best, key=lambda found: found[:2])
        return [(score, vector) for _, _, score, vector in best]

    def _fill_cache(
        self,
        store: Store,
        settings: Settings,
        dimensions: int,
        indexes: Mapping[str, MetadataIndex],
    ) -> Cache:
        from bindings.vectorize.cache import Cache

        cache = self._cache
        if (
            cache is None
            or self._cached_revision != settings.revision
            or cache.dimensions != dimensions
        ):
            self._cache = None  # not two caches in memory at the same time
            cache = self._cache = Cache(
                dimensions, indexes, store.all(), any_property=self._config.filter_unindexed
            )
            self._cached_revision = settings.revision
        return cache

    def _announce_unindexed(
        self, conditions: tuple[Condition, ...], indexes: Mapping[str, MetadataIndex]
    ) -> None:
        for condition in conditions:
            if condition.path not in indexes and not self._config.filter_unindexed:
                self.announcements.append(
                    f'vectorize index "{self.name}": a query filters on "{condition.path}", which '
                    "has no metadata index, so no vector has it: groundfog vectorize "
                    f"create-metadata-index {self.name} --property-name={condition.path} --type=…,"
                    f" or add it to [vectorize.{self.name}.metadata_indexes] in groundfog.toml"
                )

    def _show_match(
        self,
        score: float,
        vector: StoredVector,
        options: QueryOptions,
        indexes: Mapping[str, MetadataIndex],
    ) -> Match:
        shown: Match = {"id": vector.id, "score": score}
        if options.return_values:
            shown["values"] = unpack_values(vector.values)
        if vector.namespace is not None:
            shown["namespace"] = vector.namespace
        if vector.metadata is not None and options.return_metadata != "none":
            metadata = json.loads(vector.metadata)
            if options.return_metadata == "indexed":
                covered = [name for name, index in indexes.items() if vector.written > index.since]
                any_property = self._config.filter_unindexed and not indexes
                metadata = show_indexed(metadata, metadata if any_property else covered)
            shown["metadata"] = metadata
        return shown


def _configured(store: Store) -> dict[str, str]:
    found = store.metadata_indexes()
    return {name: index.type for name, index in found.items() if index.configured}


def _check_dimensions(vectors: list[Vector], dimensions: int | None) -> None:
    for vector in vectors:
        if vector.dimensions != dimensions or not vector.dimensions:
            raise Refused(
                WRONG_VECTOR,
                f'invalid vector for id="{vector.id}", expected {dimensions or "1 to 1536"}'
                f" dimensions, and got {vector.dimensions} dimensions",
            )


def _show_vector(vector: StoredVector) -> ShownVector:
    shown: ShownVector = {"id": vector.id, "values": unpack_values(vector.values)}
    if vector.namespace is not None:
        shown["namespace"] = vector.namespace
    if vector.metadata is not None:
        shown["metadata"] = json.loads(vector.metadata)
    return shown


def _iso(moment_ms: int) -> str:
    moment = datetime.fromtimestamp(moment_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
