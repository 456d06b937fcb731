"""Inputs of megabytes, and values of every wrong kind: told briefly, and nothing stands still."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bindings.vectorize import http
from bindings.vectorize.columns import Column
from bindings.vectorize.filters import Condition
from bindings.vectorize.settings import IndexConfig
from bindings.vectorize.vectorize import Vectorize
from emulator.errors import WorkerError

from ...watchdog import loop_watch

DIMENSIONS = 4
LONG = 3_000_000


def vector(number: int = 0, **more: Any) -> dict[str, Any]:
    return {"id": str(number), "values": [float(number % 7), 1.0, 0.0, 2.0], **more}


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


def run(path: Path, *calls: tuple[str, Any], **settings: Any) -> list[Any]:
    """Make calls on one index under the watch; an error is its message."""

    async def scenario() -> list[Any]:
        index = Vectorize(path / "i.sqlite", "i", IndexConfig(dimensions=DIMENSIONS, **settings))
        await index.call("upsert", [[vector()]])
        await index.call("query", [[1.0] * DIMENSIONS, {}])  # imports NumPy
        found: list[Any] = []
        with loop_watch():
            for method, args in calls:
                try:
                    found.append(await index.call(method, args))
                except WorkerError as error:
                    found.append(error.message)
        await index.close()
        return found

    return asyncio.run(scenario())


REFUSED: dict[str, tuple[str, Callable[[], list[Any]]]] = {
    "a million vectors": ("upsert", lambda: [[vector()] * 1_000_000]),
    "a vector of millions": ("upsert", lambda: [[{"id": "a", "values": [0.5] * LONG}]]),
    "a long id": ("upsert", lambda: [[{**vector(), "id": "a" * LONG}]]),
    "an id that is a list": ("upsert", lambda: [[{**vector(), "id": [1] * LONG}]]),
    "an id that is deep": ("upsert", lambda: [[{**vector(), "id": nested(900)}]]),
    "a long namespace": ("upsert", lambda: [[vector(namespace="a" * LONG)]]),
    "metadata of megabytes": ("upsert", lambda: [[vector(metadata={"a": "b" * LONG})]]),
    "metadata of many names": (
        "upsert",
        lambda: [[vector(metadata={str(n): n for n in range(300_000)})]],
    ),
    "metadata of many texts": ("upsert", lambda: [[vector(metadata={"a": ["b"] * LONG})]]),
    "a long name": ("upsert", lambda: [[vector(metadata={"." * LONG: 1})]]),
    "many ids": ("getByIds", lambda: [["a"] * LONG]),
    "many ids to delete": ("deleteByIds", lambda: [["a"] * LONG]),
    "a query of millions": ("query", lambda: [[0.5] * LONG, {}]),
    "topK": ("query", lambda: [[0.5] * DIMENSIONS, {"topK": 10**18}]),
    "a topK of many digits": ("query", lambda: [[0.5] * DIMENSIONS, {"topK": 10**5_000}]),
    "topK without end": ("query", lambda: [[0.5] * DIMENSIONS, {"topK": float("inf")}]),
    "a topK that is a list": ("query", lambda: [[0.5] * DIMENSIONS, {"topK": [1] * LONG}]),
    "a filter of megabytes": ("query", lambda: [[0.5] * DIMENSIONS, {"filter": {"a": "b" * LONG}}]),
    "a filter of many names": (
        "query",
        lambda: [[0.5] * DIMENSIONS, {"filter": {str(n): n for n in range(300_000)}}],
    ),
    "a set of millions": (
        "query",
        lambda: [[0.5] * DIMENSIONS, {"filter": {"a": {"$in": [1] * LONG}}}],
    ),
    "a filter that is deep": ("query", lambda: [[0.5] * DIMENSIONS, {"filter": nested(900)}]),
    "a filter that is deep inside": (
        "query",
        lambda: [[0.5] * DIMENSIONS, {"filter": {"a": {"$eq": nested(900)}}}],
    ),
    "options that are a text": ("query", lambda: [[0.5] * DIMENSIONS, "a" * LONG]),
    "a metadata mode": ("query", lambda: [[0.5] * DIMENSIONS, {"returnMetadata": "a" * LONG}]),
    "a method": ("a" * LONG, lambda: []),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_too_much_is_refused_briefly(tmp_path: Path, name: str) -> None:
    method, arguments = REFUSED[name]

    (told,) = run(tmp_path, (method, arguments()))

    assert isinstance(told, str)
    assert len(told) < 1_000


def test_a_thousand_vectors_with_all_the_metadata_there_may_be(tmp_path: Path) -> None:
    metadata = {"kind": "a" * 50, "rest": ["b" * 96] * 100}
    vectors = [vector(n, metadata={**metadata, "number": n}) for n in range(1_000)]
    query = [[1.0] * DIMENSIONS, {"topK": 100, "filter": {"number": {"$gte": 500, "$lt": 600}}}]

    _, found = run(
        tmp_path,
        ("upsert", [vectors]),
        ("query", query),
        metadata_indexes={"number": "number", "kind": "string"},
    )

    assert found["count"] == 100


def test_a_range_over_many_different_values_is_the_same_as_over_few() -> None:
    column = Column()
    for row in range(50_000):
        column.set(row, ("number", (row * 7_919) % 50_000))

    accepted = column.accepted(Condition("a", "$lt", (("number", 1_234),)), 50_000)

    assert [row for row in range(50_000) if accepted[row]] == [
        row for row in range(50_000) if (row * 7_919) % 50_000 < 1_234
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("x" * 2_000_000, "line 5001: it has more than 1,000,000 characters"),
        ("[" * 500_000, "line 5001: not a line of JSON"),
        ('{"id": "a", "values": [' + "1," * 30_000 + "1]}", "too many vectors in payload"),
    ],
)
def test_an_upload_of_many_lines_holds_nobody_up(tmp_path: Path, line: str, told: str) -> None:
    text = json.dumps(vector(metadata={"a": "b" * 2_000})) + "\n"
    body = (text * 5_000 + line).encode()

    async def scenario() -> Any:
        index = Vectorize(tmp_path / "i.sqlite", "i", IndexConfig(dimensions=DIMENSIONS))
        headers = {"content-type": "application/x-ndjson"}
        with loop_watch():
            found = await http.answer(index, "POST", "/upsert", headers, body)
        await index.close()
        return json.loads(found.body)

    assert told in asyncio.run(scenario())["error"]
