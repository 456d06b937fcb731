"""The answers about Vectorize indexes. Times are ISO 8601 texts in UTC."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from emulator.json_types import Json


class IndexDescription(TypedDict):
    """How many vectors an index has, and the last visible mutation."""

    vectorCount: int
    dimensions: int
    processedUpToDatetime: str | None
    processedUpToMutation: str | None


class IndexShape(TypedDict):
    """The configuration of an index; both are null until they are known."""

    dimensions: int | None
    metric: str | None


class IndexDefinition(TypedDict):
    """An index. The times are null until it is created."""

    name: str
    description: NotRequired[str]
    created_on: str | None
    modified_on: NotRequired[str | None]
    config: IndexShape


class ShownVector(TypedDict):
    """A stored vector."""

    id: str
    values: list[float]
    namespace: NotRequired[str]
    metadata: NotRequired[Json]


class Match(TypedDict):
    """One vector that a query found."""

    id: str
    score: float
    values: NotRequired[list[float]]
    namespace: NotRequired[str]
    metadata: NotRequired[Json]


class Matches(TypedDict):
    """The answer to a query."""

    count: int
    matches: list[Match]


class ShownMetadataIndex(TypedDict):
    """A property that filters can use."""

    propertyName: str
    indexType: str


class Accepted(TypedDict):
    """A mutation was accepted."""

    mutationId: str
