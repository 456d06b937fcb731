"""Wrangler and the SDK for TypeScript create and delete what workers are bound to."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.server import DevServer
from tests.end_to_end.test_created_over_rest import ENTRY, TOML
from tests.end_to_end.wrangler import ACCOUNT, environment, wrangler, wrangler_folder

RESOURCES = Path(__file__).parent / "resources.mjs"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    project = tmp_path_factory.mktemp("resources")
    (project / "wrangler.toml").write_text(TOML)
    (project / "entry.py").write_text(ENTRY)
    with DevServer(project) as running:
        yield running


def ran(server: DevServer, words: str) -> str:
    return wrangler(server.project, *words.split(), server=server.url)


def test_namespaces(server: DevServer) -> None:
    made = ran(server, "kv namespace create cache")
    found = re.search('"?id"?[ =:]+"([0-9a-f]{32})"', made)
    assert found is not None, made
    id = found[1]
    ran(server, f"kv key put a 1 --remote --namespace-id {id}")
    assert "1" in ran(server, f"kv key get a --remote --text --namespace-id {id}")
    assert id in ran(server, "kv namespace list")
    ran(server, f"kv namespace rename --namespace-id {id} --new-name store")
    assert "store" in ran(server, "kv namespace list")
    ran(server, f"kv namespace delete --namespace-id {id} -y")
    assert id not in ran(server, "kv namespace list")


def test_buckets_and_queues(server: DevServer) -> None:
    ran(server, "r2 bucket create pictures")
    assert "pictures" in ran(server, "r2 bucket list")
    (server.project / "file").write_text("1")
    ran(server, "r2 object put pictures/a --file file --remote")
    ran(server, "r2 object delete pictures/a --remote")
    ran(server, "r2 bucket delete pictures")
    assert "pictures" not in ran(server, "r2 bucket list")
    ran(server, "queues create mails")
    assert "mails" in ran(server, "queues list")
    ran(server, "queues delete mails")
    assert "mails" not in ran(server, "queues list")


def test_databases_and_indexes(server: DevServer) -> None:
    ran(server, "d1 create books")
    assert "books" in ran(server, "d1 list")
    rows = wrangler(
        server.project,
        *("d1", "execute", "books", "--remote", "-y", "--json", "--command", "SELECT 41 + 1 AS n"),
        server=server.url,
    )
    assert '"n": 42' in rows
    ran(server, "d1 delete books -y")
    assert "books" not in ran(server, "d1 list")
    ran(server, "vectorize create words --dimensions 3 --metric cosine")
    assert "words" in ran(server, "vectorize list")
    ran(server, "vectorize delete words -y")
    assert "words" not in ran(server, "vectorize list")


def test_the_sdk_for_typescript(server: DevServer) -> None:
    folder = wrangler_folder()
    done = subprocess.run(
        ["node", RESOURCES, folder, f"{server.url}/client/v4", ACCOUNT],
        env=environment(server.project),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["value"], found["rows"], found["left"]) == ("1", [{"n": 42}], 1)
    assert {kind: sorted(names) for kind, names in found["listed"].items()} == {
        "kv": ["KV", "sdk"],
        "r2": ["files", "sdk-files"],
        "queues": ["jobs", "sdk-jobs"],
        "d1": ["db", "sdk-db"],
        "vectorize": ["index", "sdk-words"],
    }
