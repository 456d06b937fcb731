"""The `groundfog vectorize` commands as a person types them: real processes on a real project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.cli import in_process

WRANGLER = """
name = "shop"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]

[[vectorize]]
binding = "SKILLS"
index_name = "skills"
"""
VECTORS: list[dict[str, Any]] = [
    {"id": "east", "values": [1, 0], "metadata": {"level": 1}},
    {"id": "north", "values": [0, 1], "namespace": "poles", "metadata": {"level": 2}},
    {"id": "west", "values": [-1, 0.5]},
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "entry.py").write_text("")
    (tmp_path / "wrangler.toml").write_text(WRANGLER)
    lines = "\n".join(json.dumps(vector) for vector in VECTORS)
    (tmp_path / "vectors.ndjson").write_text(lines + "\n\n")
    return tmp_path


def groundfog(project: Path, *words: str, code: int = 0) -> Result:
    return in_process.groundfog(project, "vectorize", *words, code=code)


def read(project: Path, *args: str) -> Any:
    return json.loads(groundfog(project, *args).stdout)


def test_an_index_is_created_filled_queried_and_deleted(project: Path) -> None:
    made = read(project, "create", "jobs", "--dimensions=2", "--metric=cosine", "--json")
    groundfog(project, "create-metadata-index", "jobs", "--property-name=level", "--type=number")
    groundfog(project, "insert", "jobs", "--file=vectors.ndjson", "--batch-size=2")

    assert made["config"] == {"dimensions": 2, "metric": "cosine"}
    assert read(project, "info", "jobs", "--json")["vectorCount"] == 3
    found = read(project, "query", "jobs", "--vector", "-1", "0.5", "--top-k=1")
    assert [match["id"] for match in found["matches"]] == ["west"]
    filtered = read(
        project,
        "query",
        "jobs",
        "--vector-id=east",
        '--filter={"level": {"$gt": 1}}',
        "--return-metadata=all",
    )
    assert [match["metadata"] for match in filtered["matches"]] == [{"level": 2}]

    groundfog(project, "delete-vectors", "jobs", "--ids", "east", "west")
    assert read(project, "get-vectors", "jobs", "--ids", "north", "east") == [
        {**VECTORS[1], "values": [0.0, 1.0]}
    ]
    groundfog(project, "delete", "jobs")
    assert not (project / ".groundfog" / "vectorize" / "jobs.sqlite").exists()


def test_ids_are_listed_page_by_page(project: Path) -> None:
    groundfog(project, "upsert", "skills", "--file=vectors.ndjson")

    first = read(project, "list-vectors", "skills", "--count=2", "--json")
    last = read(
        project, "list-vectors", "skills", "--count=2", "--json", f"--cursor={first['nextCursor']}"
    )

    assert [vector["id"] for vector in first["vectors"]] == ["east", "north"]
    assert (first["totalCount"], first["isTruncated"]) == (3, True)
    assert [vector["id"] for vector in last["vectors"]] == ["west"]
    assert not last["isTruncated"]


def test_an_index_of_the_configuration_needs_no_creation(project: Path) -> None:
    inserted = groundfog(project, "insert", "skills", "--file=vectors.ndjson")
    listed = read(project, "list", "--json")

    assert "has 2 dimensions, as its first insert" in inserted.stderr
    assert [(index["name"], index["config"]["dimensions"]) for index in listed] == [("skills", 2)]


def test_metadata_indexes_are_listed_and_deleted(project: Path) -> None:
    groundfog(project, "create", "jobs", "--preset=@cf/baai/bge-base-en-v1.5")
    groundfog(project, "create-metadata-index", "jobs", "--propertyName=a.b", "--type=string")

    assert read(project, "list-metadata-index", "jobs", "--json") == [
        {"propertyName": "a.b", "indexType": "String"}
    ]
    groundfog(project, "delete-metadata-index", "jobs", "--property-name=a.b")
    assert read(project, "list-metadata-index", "jobs", "--json") == []
    assert read(project, "get", "jobs", "--json")["config"]["dimensions"] == 768


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["info", "skils"], 'Did you mean "skills"?'),
        (["create", "x"], "needs --dimensions and --metric, or --preset"),
        (["query", "skills"], "needs either --vector or --vector-id"),
        (["query", "skills", "--vector", "1", "two"], "expected a number, and got 'two'"),
        (["query", "skills", "--vector=1", "--filter={"], "--filter is not JSON"),
        (
            ["insert", "skills", "--file=bad.ndjson"],
            "bad.ndjson:2: not a line of JSON: Expecting value at character 8",
        ),
        (["insert", "skills", "--file=short.ndjson"], "expected 2 dimensions, and got 1"),
    ],
)
def test_mistakes_are_explained(project: Path, args: list[str], problem: str) -> None:
    (project / "bad.ndjson").write_text('{"id": "a", "values": [1, 2]}\n{"id":\n')
    (project / "short.ndjson").write_text(
        '{"id": "a", "values": [1, 2]}\n{"id": "b", "values": [1]}\n'
    )

    assert problem in groundfog(project, *args, code=1).stderr


def test_an_index_that_has_not_been_made_cannot_be_deleted(project: Path) -> None:
    done = groundfog(project, "delete", "skills", "--yes", code=1)

    assert 'error: The index "skills" does not exist yet' in done.stderr


def test_creating_an_index_twice_is_refused(project: Path) -> None:
    groundfog(project, "create", "jobs", "--dimensions=2", "--metric=cosine")

    again = groundfog(project, "create", "jobs", "--dimensions=3", "--metric=cosine", code=1)

    assert "exists already" in again.stderr
