"""Vectorize over REST: indexes, vectors, queries, metadata indexes, the SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cloudflare import Cloudflare

from tests.end_to_end.projects import make_project
from tests.end_to_end.server import DevServer
from tests.end_to_end.wrangler import ACCOUNT

V4 = f"/client/v4/accounts/{ACCOUNT}/vectorize/v2/indexes"
EXPLORER = "/cdn-cgi/local/explorer/api/vectorize/v2/indexes"
NDJSON = {"content-type": "application/x-ndjson"}
ENTRY = """
from workers import WorkerEntrypoint

class Default(WorkerEntrypoint):
    pass
"""
VECTORS = [
    {"id": "a", "values": [1, 0], "metadata": {"level": 1}},
    {"id": "b", "values": [0, 1], "metadata": {"level": 2}},
    {"id": "c", "values": [1, 1]},
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    project = make_project(tmp_path_factory.mktemp("vectorize") / "p", ENTRY)
    with (project / "wrangler.toml").open("a") as file:
        file.write('\n[[vectorize]]\nbinding = "INDEX"\nindex_name = "one"\n')
    (project / "groundfog.toml").write_text(
        '[vectorize.one]\ndimensions = 2\nmetric = "cosine"\n'
        'metadata_indexes = { level = "number" }\n'
    )
    with DevServer(project) as running:
        assert insert(running, lines(VECTORS))["mutationId"]
        yield running


def lines(vectors: list[Any]) -> str:
    return "\n".join(json.dumps(each) for each in vectors)


def insert(server: DevServer, body: str, query: str = "") -> Any:
    answer = server.post(f"{V4}/one/insert{query}", content=body, headers=NDJSON)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


def post(server: DevServer, path: str, body: Any, base: str = V4) -> Any:
    answer = server.post(base + path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


@pytest.mark.parametrize("base", [V4, EXPLORER])
def test_an_index_is_shown_and_asked(server: DevServer, base: str) -> None:
    (one,) = server.get(base).json()["result"]
    assert (one["name"], one["config"]) == ("one", {"dimensions": 2, "metric": "cosine"})
    assert server.get(f"{base}/one").json()["result"] == one
    assert server.get(f"{base}/one/info").json()["result"]["dimensions"] == 2
    near = {"vector": [1, 0], "topK": 1, "returnMetadata": "all", "filter": {"level": 1}}
    found = post(server, "/one/query", near, base)
    assert [(each["id"], each["metadata"]) for each in found["matches"]] == [("a", {"level": 1})]
    by_id = post(server, "/one/query", {"vectorId": "b", "topK": 1}, base)
    assert by_id["matches"][0]["id"] == "b"
    (vector,) = post(server, "/one/get_by_ids", {"ids": ["c", "none"]}, base)
    assert (vector["id"], vector["values"]) == ("c", [1, 1])


def test_ids_are_listed_in_pages(server: DevServer) -> None:
    first = server.get(f"{V4}/one/list?count=2").json()["result"]
    rest = server.get(f"{V4}/one/list?count=2&cursor={first['nextCursor']}").json()["result"]
    ids = [each["id"] for page in (first, rest) for each in page["vectors"]]
    assert ids[:3] == ["a", "b", "c"]
    assert (first["isTruncated"], rest["isTruncated"], first["totalCount"]) == (True, False, 3)


def test_lines_that_cannot_be_read_are_refused_or_left_out(server: DevServer) -> None:
    body = f"{lines([{'id': 'd', 'values': [1, 2]}])}\nnope\n"
    answer = server.post(f"{V4}/one/insert", content=body, headers=NDJSON)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 40023)
    assert insert(server, body, "?unparsable-behavior=discard")["mutationId"]
    assert post(server, "/one/delete_by_ids", {"ids": ["d"]})["mutationId"]
    assert post(server, "/one/get_by_ids", {"ids": ["d"]}) == []


def test_metadata_indexes_come_and_go(server: DevServer) -> None:
    made = {"propertyName": "color", "indexType": "string"}
    assert post(server, "/one/metadata_index/create", made)["mutationId"]
    found = server.get(f"{V4}/one/metadata_index/list").json()["result"]["metadataIndexes"]
    assert {"propertyName": "color", "indexType": "String"} in found
    assert post(server, "/one/metadata_index/delete", {"propertyName": "color"})["mutationId"]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/none/query", {"vector": [1, 0]}, 404, 3000),
        ("/one/query", {"vector": [1]}, 400, 40006),
        ("/one/query", {"vector": [1, 0], "topK": 1000}, 400, 40025),
        ("/one/metadata_index/create", {"propertyName": "x", "indexType": "y"}, 400, 40091),
    ],
)
def test_what_is_wrong_has_a_code(
    server: DevServer, path: str, body: Any, status: int, code: int
) -> None:
    answer = server.post(V4 + path, json=body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)


def test_the_sdk_works(server: DevServer) -> None:
    with Cloudflare(api_token="none", base_url=f"{server.url}/client/v4") as client:
        found = client.vectorize.indexes.query("one", account_id=ACCOUNT, vector=[0, 1], top_k=1)
        assert found is not None and found.matches is not None
        assert found.matches[0].id == "b"
        info = client.vectorize.indexes.info("one", account_id=ACCOUNT)
        assert info is not None and info.dimensions == 2
