"""What groundfog.toml may say of an index. Imports nothing, so that reading it is quick."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

METRICS = ("cosine", "euclidean", "dot-product")
METADATA_TYPES = ("string", "number", "boolean")

# Source: docs/platform/vectorize.md, "Limits".
DIMENSIONS_MAX = 1_536
METADATA_INDEXES_MAX = 10
# Each preset has its model's dimensions. Source: docs/platform/vectorize.md, "The command line".
PRESETS = {
    "@cf/baai/bge-small-en-v1.5": 384,
    "@cf/baai/bge-base-en-v1.5": 768,
    "@cf/baai/bge-large-en-v1.5": 1024,
    "openai/text-embedding-ada-002": 1536,
    "cohere/embed-multilingual-v2.0": 768,
}


class IndexConfig(Struct, frozen=True):
    """What groundfog.toml says of an index; what it does not say is None or empty.

    `metadata_indexes`: property -> one of METADATA_TYPES. `visibility_lag_ms`: how long a mutation
    stays invisible. `filter_unindexed`: whether a filter sees properties that have no metadata
    index, which in production it never does.
    """

    dimensions: int | None = None
    metric: str | None = None
    metadata_indexes: Mapping[str, str] = field(default_factory=dict)
    visibility_lag_ms: int = 0
    filter_unindexed: bool = False
