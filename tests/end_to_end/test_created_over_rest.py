"""What is created over REST: by the official SDK, over a kill, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cloudflare import Cloudflare

from tests.end_to_end.projects import edit
from tests.end_to_end.server import DevServer
from tests.end_to_end.wrangler import ACCOUNT
from tests.waiting import eventually

TOML = """
name = "created"
main = "entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
kv_namespaces = [{ binding = "KV", id = "kv" }]
r2_buckets = [{ binding = "FILES", bucket_name = "files" }]
d1_databases = [{ binding = "DB", database_name = "db", database_id = "db" }]
vectorize = [{ binding = "INDEX", index_name = "index" }]
[[queues.producers]]
binding = "JOBS"
queue = "jobs"
"""
ENTRY = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(await self.env.KV.get("a") or "none")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "wrangler.toml").write_text(TOML)
    (tmp_path / "entry.py").write_text(ENTRY)
    return tmp_path


def sdk(server: DevServer) -> Any:
    return Cloudflare(api_token="any", base_url=f"{server.url}/client/v4", max_retries=0)


def test_the_sdk_creates_uses_and_deletes_each_kind(project: Path) -> None:
    of = {"account_id": ACCOUNT}
    with DevServer(project) as server:
        api = sdk(server)
        kv = api.kv.namespaces.create(title="cache", **of)
        api.kv.namespaces.values.update("a", namespace_id=kv.id, value=b"1", **of)
        api.kv.namespaces.update(kv.id, title="renamed", **of)
        bucket = api.r2.buckets.create(name="more-files", storage_class="InfrequentAccess", **of)
        queue = api.queues.create(queue_name="more-jobs", **of)
        api.queues.messages.push(queue.queue_id, body={"n": 1}, content_type="json", **of)
        database = api.d1.database.create(name="more", **of)
        api.d1.database.query(database.uuid, sql="CREATE TABLE t (x)", **of)
        shape = {"dimensions": 3, "metric": "cosine"}
        index = api.vectorize.indexes.create(name="more-vectors", config=shape, **of)
        assert index.config.dimensions == 3
        server.kill()
    with DevServer(project) as server:
        api = sdk(server)
        titles = {each.title for each in api.kv.namespaces.list(**of)}
        assert titles == {"KV", "renamed"}
        assert api.kv.namespaces.values.get("a", namespace_id=kv.id, **of).read() == b"1"
        buckets = {each.name for each in api.r2.buckets.list(**of).buckets}
        assert buckets == {"files", bucket.name}
        assert api.r2.buckets.get(bucket.name, **of).storage_class == "InfrequentAccess"
        assert {each.queue_name for each in api.queues.list(**of)} == {"jobs", "more-jobs"}
        pulled = api.queues.messages.pull(queue.queue_id, batch_size=5, **of)
        assert [each.body for each in pulled.messages or ()] == ['{"n":1}']
        assert {each.name for each in api.d1.database.list(**of)} == {"db", "more"}
        tables = api.d1.database.query(database.uuid, sql="SELECT * FROM t", **of)
        assert [each.results for each in tables] == [[]]
        assert {each.name for each in api.vectorize.indexes.list(**of)} == {"index", "more-vectors"}

        edit(project, 'id = "kv"', f'id = "{kv.id}"', "wrangler.toml")
        server.wait_for("reloaded")
        assert server.get("/").text == "1"
        edit(project, f'id = "{kv.id}"', 'id = "kv"', "wrangler.toml")
        eventually(lambda: server.get("/").text == "none")

        api.kv.namespaces.delete(kv.id, **of)
        api.r2.buckets.delete(bucket.name, **of)
        api.queues.delete(queue.queue_id, **of)
        api.d1.database.delete(database.uuid, **of)
        api.vectorize.indexes.delete(index.name, **of)
        assert [each.title for each in api.kv.namespaces.list(**of)] == ["KV"]
        assert [each.name for each in api.r2.buckets.list(**of).buckets] == ["files"]
        assert [each.queue_name for each in api.queues.list(**of)] == ["jobs"]
        assert [each.name for each in api.d1.database.list(**of)] == ["db"]
        assert [each.name for each in api.vectorize.indexes.list(**of)] == ["index"]
        left = [path.name for path in (project / ".groundfog").rglob("*") if "more" in path.name]
        assert left == [] and not [*(project / ".groundfog").rglob(f"{kv.id}*")]


def test_what_cannot_be_created_or_deleted_is_told(project: Path) -> None:
    base = f"/client/v4/accounts/{ACCOUNT}"
    with DevServer(project) as server:
        server.post(f"{base}/storage/kv/namespaces", json={"title": "twice"})
        server.client.put(f"{base}/r2/buckets/files/objects/a", content=b"1")
        for path, body, code in (
            ("/storage/kv/namespaces", {"title": "twice"}, 10014),
            ("/storage/kv/namespaces", {"title": ""}, 10001),
            ("/storage/kv/namespaces", {"title": "t" * 513}, 10001),
            ("/r2/buckets", {"name": "files"}, 10004),
            ("/r2/buckets", {"name": "../x"}, 10005),
            ("/r2/buckets", {"name": "abc", "storageClass": "Cold"}, 10001),
            ("/queues", {"queue_name": "jobs"}, 11009),
            ("/queues", {"queue_name": "No Name"}, 10001),
            ("/d1/database", {"name": "db"}, 7502),
            ("/d1/database", {}, 10001),
            ("/vectorize/v2/indexes", {"name": "index", "config": {}}, 3002),
            ("/vectorize/v2/indexes", {"name": "new", "config": {"dimensions": 3}}, 10001),
        ):
            answer = server.post(base + path, json=body)
            assert answer.json()["errors"][0]["code"] == code, (path, body, answer.text)
        for path, code in (
            ("/storage/kv/namespaces/kv", 10001),
            ("/storage/kv/namespaces/none", 10013),
            ("/r2/buckets/files", 10008),
            ("/queues/jobs", 10001),
            ("/d1/database/db", 10001),
            ("/vectorize/v2/indexes/index", 10001),
        ):
            answer = server.client.delete(base + path)
            assert answer.json()["errors"][0]["code"] == code, (path, answer.text)
        (project / ".groundfog" / "created.json").write_text("[]")
        broken = server.get(f"{base}/storage/kv/namespaces")
        assert "created.json" in broken.json()["errors"][0]["message"]
