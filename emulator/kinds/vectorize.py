"""Vectorize: `[[vectorize]]`, `[vectorize.INDEX]` of groundfog.toml, and the index of each.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from bindings.vectorize.settings import (
    DIMENSIONS_MAX,
    METADATA_INDEXES_MAX,
    METADATA_TYPES,
    METRICS,
    IndexConfig,
)
from emulator.config.durations_key import read_duration_ms
from emulator.config.model import Bound, Config
from emulator.config.problems import nearest, quoted
from emulator.config.table import Table
from emulator.kinds.kind import Kind, Section
from emulator.state import State

if TYPE_CHECKING:
    from bindings.binding import Binding
    from emulator.kinds.places import Places
    from emulator.runner.workerd.capnp import Value

NAME = "vectorize"
KEYS = frozenset({"binding", "index_name", "remote"})
INDEX_KEYS = ("dimensions", "metric", "metadata_indexes", "visibility_lag", "filter_unindexed")
INDEX_NAME_MAX_BYTES = 64  # Source: docs/platform/vectorize.md, "Limits".
_EXAMPLE = 'with binding = "INDEX" and index_name = "my-index" below it.'
_SETTINGS_EXAMPLE = "Write [vectorize.my-index] with its settings below it."

Indexes = dict[str, IndexConfig]  # by their names


class VectorIndex(Struct, frozen=True):
    """One `[[vectorize]]` entry, with the settings of its index in groundfog.toml."""

    name: str
    config: IndexConfig = IndexConfig()

    def path(self, state: State) -> Path:
        """Return its SQLite file, which need not exist yet."""
        return state.database("vectorize", self.name)


def index_named(config: Config, name: str) -> VectorIndex:
    """Return an index of the project, bound or not, with its settings."""
    indexes: Indexes = config.settings.kinds.get(NAME, {})
    return VectorIndex(name, indexes.get(name, IndexConfig()))


def _read(section: Section) -> list[Bound[VectorIndex]]:
    settings: Indexes = section.settings
    indexes = []
    for item in section.items(_EXAMPLE):
        binding = section.name(item, "INDEX")
        name = item.string("index_name", required=True, example="my-index")
        if name and len(name.encode()) > INDEX_NAME_MAX_BYTES:
            found = f"{item.name('index_name')} is {quoted(name)}"
            item.error("index_name", f"{found}; expected at most {INDEX_NAME_MAX_BYTES} bytes")
        elif binding and name:
            index = VectorIndex(name, settings.get(name, IndexConfig()))
            indexes.append(Bound(binding, NAME, index))
    return indexes


def _read_settings(vectorize: Table, process_env: Mapping[str, str]) -> Indexes:
    indexes = {}
    for name in vectorize.data:
        table = vectorize.table(name, _SETTINGS_EXAMPLE)
        if table is not None:
            indexes[name] = _read_index(table)
    return indexes


def _read_index(table: Table) -> IndexConfig:
    table.unknown_keys(INDEX_KEYS, table.report.error)
    metric = table.choice("metric", METRICS)
    metadata: dict[str, str] = {}
    types = table.table("metadata_indexes", 'Write metadata_indexes = { category = "string" }.')
    if types is not None:
        for key in types.data:
            kind = types.choice(key, METADATA_TYPES)
            if kind is not None:
                metadata[key] = kind
        if len(types.data) > METADATA_INDEXES_MAX:
            found = f"{types.name()} has {len(types.data)} entries"
            types.error(None, f"{found}; Vectorize allows {METADATA_INDEXES_MAX} for an index")
    return IndexConfig(
        table.integer("dimensions", 1, DIMENSIONS_MAX),
        metric,
        metadata,
        read_duration_ms(table, "visibility_lag", 0),
        bool(table.boolean("filter_unindexed")),
    )


def _review(config: Config, settings: Table) -> None:
    """Warn about settings for an index that no binding uses: most often a typing mistake."""
    used = {bound.record.name for bound in config.bound(VectorIndex)}
    for name, table in settings.data.items():
        if name not in used and isinstance(table, dict):
            close = nearest(name, used)
            settings.warn(
                name,
                f"no [[vectorize]] binding has index_name {quoted(name)}; its settings are unused",
                f'Did you mean "{close}"?' if close else "",
            )


def _open(index: VectorIndex, places: Places) -> Binding:
    from bindings.vectorize.vectorize import Vectorize

    return Vectorize(index.path(places.state), index.name, index.config, announce=places.announce)


def _in_workerd(index: VectorIndex, service: str) -> dict[str, Value]:
    from emulator.runner.workerd.member import wrapped

    inner: list[dict[str, Value]] = [
        {"name": "fetcher", "service": service},
        {"name": "indexId", "text": index.name},
        {"name": "indexVersion", "text": "v2"},
        {"name": "useNdJson", "json": "true"},
    ]
    return wrapped("vectorize-api", inner)


KIND = Kind(
    name=NAME,
    typed="VectorizeIndex",
    section="vectorize",
    friendly="Vectorize Index",
    keys=KEYS,
    read=_read,
    open=_open,
    shown=lambda index: index.name,
    settings="vectorize",
    setting_keys=tuple(f"vectorize.INDEX.{key}" for key in INDEX_KEYS),
    header="vectorize.my-index",
    read_settings=_read_settings,
    review=_review,
    files=("vectorize",),
    commands="emulator.cli.vectorize.group:vectorize",
    routes="emulator.server.api.vectorize:routes",
    workerd=_in_workerd,
    http="bindings.vectorize.http:answer",
    line=2,
)
