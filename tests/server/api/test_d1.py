"""D1 over REST: queries as production answers them, exports, imports, the SDK."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cloudflare import Cloudflare

from tests.end_to_end.projects import workflow_project
from tests.end_to_end.server import DevServer
from tests.end_to_end.wrangler import ACCOUNT

V4 = f"/client/v4/accounts/{ACCOUNT}/d1/database"
EXPLORER = "/cdn-cgi/local/explorer/api/d1/database"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    run = "async def run(self, event, step):\n    pass"
    project = workflow_project(tmp_path_factory.mktemp("d1") / "p", run)
    with DevServer(project) as running:
        setup = {
            "sql": "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t (a) VALUES ('x')"
        }
        running.post(f"{V4}/db/query", json=setup).raise_for_status()
        yield running


def result(server: DevServer, path: str, body: Any, base: str = V4) -> Any:
    answer = server.post(base + path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


@pytest.mark.parametrize("base", [V4, EXPLORER])
def test_rows_are_objects_or_lists(server: DevServer, base: str) -> None:
    sql = {"sql": "SELECT id, a, ? AS b FROM t WHERE id = 1", "params": [None]}
    (found,) = result(server, "/db/query", sql, base)
    (raw,) = result(server, "/db/raw", sql, base)
    assert found["results"] == [{"id": 1, "a": "x", "b": None}] and found["success"]
    assert raw["results"] == {"columns": ["id", "a", "b"], "rows": [[1, "x", None]]}
    assert found["meta"]["rows_read"] == 1


def test_several_statements_are_one_transaction(server: DevServer) -> None:
    two = result(server, "/db/query", {"sql": "SELECT 1 AS n; SELECT 2 AS n;"})
    assert [each["results"] for each in two] == [[{"n": 1}], [{"n": 2}]]
    batch = {"batch": [{"sql": "SELECT ? AS n", "params": [5]}, {"sql": "SELECT 6 AS n"}]}
    assert [each["results"][0]["n"] for each in result(server, "/db/query", batch)] == [5, 6]
    broken = {"sql": "INSERT INTO t (a) VALUES ('lost'); nope"}
    answer = server.post(f"{V4}/db/query", json=broken)
    assert (answer.status_code, answer.json()["errors"]) == (
        400,
        [{"code": 7500, "message": 'near "nope": syntax error at offset 0: SQLITE_ERROR'}],
    )
    (kept,) = result(server, "/db/query", {"sql": "SELECT count(*) n FROM t WHERE a = 'lost'"})
    assert kept["results"] == [{"n": 0}]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/none/query", {"sql": "SELECT 1"}, 404, 7404),
        ("/db/query", {}, 400, 10001),
        ("/db/query", {"sql": 5}, 400, 10001),
        ("/db/query", {"sql": " -- nothing"}, 400, 7500),
        ("/db/query", {"sql": "SELECT 1", "params": "x"}, 400, 10001),
        ("/db/import", {"action": "x"}, 400, 10001),
        ("/db/import", {"action": "ingest", "filename": "x"}, 400, 7500),
        ("/db/export", {"dump_options": {"tables": ["none"]}}, 400, 7500),
    ],
)
def test_a_wrong_request_is_refused(
    server: DevServer, path: str, body: Any, status: int, code: int
) -> None:
    answer = server.post(V4 + path, json=body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)


def test_an_export_is_an_import(server: DevServer) -> None:
    exported = result(server, "/db/export", {"output_format": "polling"})
    assert exported["status"] == "complete"
    url = exported["result"]["signed_url"]
    dump = server.client.get(url).text
    assert 'INSERT INTO "t"' in dump and server.client.get(url).status_code == 404

    begun = result(server, "/db/import", {"action": "init", "etag": "x"})
    sql = "CREATE TABLE imported (n); INSERT INTO imported VALUES (1), (2);"
    put = server.client.put(begun["upload_url"], content=sql)
    assert len(put.headers["etag"]) == 34
    ingest = {"action": "ingest", "filename": begun["filename"], "etag": "x"}
    done = result(server, "/db/import", ingest)
    assert (done["status"], done["result"]["num_queries"]) == ("complete", 2)
    (found,) = result(server, "/db/query", {"sql": "SELECT count(*) AS n FROM imported"})
    assert found["results"] == [{"n": 2}]


def test_the_official_sdk_lists_and_queries(server: DevServer) -> None:
    with Cloudflare(api_token="none", base_url=f"{server.url}/client/v4") as client:
        assert [each.name for each in client.d1.database.list(account_id=ACCOUNT)] == ["db"]
        assert client.d1.database.get("db", account_id=ACCOUNT).uuid == "db"
        (found,) = client.d1.database.query(
            "db", account_id=ACCOUNT, sql="SELECT a FROM t WHERE id = ?", params=["1"]
        )
    assert found.results == [{"a": "x"}]
