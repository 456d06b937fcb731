"""The answers about Workers AI: lines of the ledger, and models of the catalogue."""

from __future__ import annotations

from typing import Required, TypedDict


class LedgerLine(TypedDict, total=False):
    """One call of env.AI in the ledger. Members that are empty or 0 are left out.

    `at_ms` is in epoch milliseconds. `score`, `feedback` and `metadata` are notes of a gateway log.
    """

    model: Required[str]
    at_ms: int
    task: str
    answered_by: str
    latency_ms: int
    tokens_in: int
    tokens_out: int
    neurons: float
    usd: float
    error: str
    log_id: str
    score: object
    feedback: object
    metadata: object


class ModelTask(TypedDict):
    """What a model does."""

    id: str
    name: str
    description: str


class ModelProperty(TypedDict):
    """One fact about a model, such as its `context_window`."""

    property_id: str
    value: str


class ListedModel(TypedDict):
    """A model of the catalogue."""

    id: str
    source: int
    name: str
    description: str
    task: ModelTask
    tags: list[str]
    properties: list[ModelProperty]
