"""Cloudflare's own Vectorize client, in the real workerd, on our index."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bindings.vectorize.http import answer
from bindings.vectorize.settings import IndexConfig
from bindings.vectorize.vectorize import Vectorize
from tests.bindings import workerd

pytestmark = pytest.mark.wrangler

WORKER = Path(__file__).with_name("worker.mjs")
# As miniflare sets them; without them the module speaks the protocol of the first version.
INNER = (
    ', (name = "indexId", text = "skills"), (name = "indexVersion", text = "v2"),'
    ' (name = "useNdJson", json = "true")'
)
EAST = {"id": "east", "values": [1, 0], "metadata": {"n": 1}}
NORTH = {"id": "north", "values": [0, 1], "namespace": "poles", "metadata": {"n": 2}}


def ask(folder: Path, *calls: tuple[str, list[Any]]) -> list[Any]:
    """Return what a worker gets for `calls` on an index in `folder`."""
    config = IndexConfig(metadata_indexes={"n": "number"})
    index = Vectorize(folder / "i.sqlite", "skills", config)
    asked = [{"method": method, "args": args} for method, args in calls]
    try:
        return workerd.ask_workerd(
            folder, WORKER, "vectorize-api", partial(answer, index), asked, INNER
        )
    finally:
        asyncio.run(index.close())


def test_every_method_gives_what_production_s_client_makes_of_it(tmp_path: Path) -> None:
    answers = ask(
        tmp_path,
        ("insert", [[EAST, NORTH]]),
        ("upsert", [[{**NORTH, "values": [0, 2]}]]),
        ("query", [[1, 0], {"topK": 1, "returnMetadata": True}]),
        ("query", [{"float32": [0, 1]}, {"filter": {"n": {"$gt": 1}}, "returnValues": True}]),
        ("queryById", ["east", {"topK": 1}]),
        ("getByIds", [["north", "nowhere"]]),
        ("deleteByIds", [["east"]]),
        ("describe", []),
    )

    inserted, _, first, filtered, by_id, found, deleted, described = (
        reply["ok"] for reply in answers
    )
    assert len(inserted["mutationId"]) == 36
    east = {"id": "east", "score": 1}
    assert first == {"count": 1, "matches": [{**east, "metadata": {"n": 1}}]}
    assert filtered["matches"] == [
        {"id": "north", "score": 1, "namespace": "poles", "values": [0, 2]}
    ]
    assert by_id == {"count": 1, "matches": [east]}
    assert found == [{**NORTH, "values": [0, 2]}]
    assert described["vectorCount"] == 1
    assert described["processedUpToMutation"] == deleted["mutationId"]


def test_errors_arrive_with_their_operation_and_their_code(tmp_path: Path) -> None:
    answers = ask(
        tmp_path,
        ("insert", [[EAST]]),
        ("query", [[1, 2, 3]]),
        ("query", [[[1, 2]]]),
        ("upsert", [[{"id": "x", "values": [1]}]]),
        ("getByIds", [["x"] * 21]),
        ("queryById", ["nowhere"]),
    )

    starts = [
        "VECTOR_QUERY_ERROR (code = 40006): invalid query vector, expected 2 dimensions, and got 3",
        "VECTOR_QUERY_ERROR (code = 40006): invalid query vector: expected an array of numbers",
        'VECTOR_UPSERT_ERROR (code = 40012): invalid vector for id="x", expected 2 dimensions',
        "VECTOR_GET_ERROR (code = 40007): too many ids in payload; max id count is 20, got 21",
        'VECTOR_QUERY_ERROR (code = 40090): vector id not found: "nowhere"',
    ]
    for reply, start in zip(answers[1:], starts, strict=True):
        assert reply["error"].startswith(start)
