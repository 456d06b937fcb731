"""wrangler's commands about storage, on our server and on its own state, which ours takes over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.cli.main import cli
from emulator.server.api.queues import queue_id
from tests.end_to_end.projects import WRANGLER, make_project
from tests.end_to_end.server import DevServer
from tests.end_to_end.wrangler import ACCOUNT, wrangler, wrangler_folder

pytestmark = pytest.mark.wrangler

DEFINED = re.compile(r'command: "wrangler ([a-z0-9 -]+)"')


def test_each_command_of_wrangler_is_ours_too_or_is_answered_in_a_sentence() -> None:
    distribution = wrangler_folder() / "node_modules/wrangler/wrangler-dist/cli.js"
    defined = set(DEFINED.findall(distribution.read_text(encoding="utf-8")))
    assert {"dev", "d1 time-travel info"} <= defined

    for words in sorted(defined):
        done = CliRunner().invoke(cli, [*words.split(), "--help"])
        assert done.exit_code in (0, 1), (words, done.output)


CONFIGURATION = (
    WRANGLER.partition("[[workflows]]")[0]
    + """
[[d1_databases]]
binding = "DB"
database_name = "db"
database_id = "db"

[[kv_namespaces]]
binding = "CACHE"
id = "0f2ac74b498b48028cb68387c421e279"

[[queues.producers]]
binding = "JOBS"
queue = "jobs"

[[queues.consumers]]
queue = "jobs"

[[r2_buckets]]
binding = "FILES"
bucket_name = "files"

[[vectorize]]
binding = "INDEX"
index_name = "one"
"""
)
ENTRY = """
from workers import WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def queue(self, batch, env, ctx):
        pass
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """One server with a binding of each kind."""
    project = make_project(tmp_path_factory.mktemp("stores") / "p", ENTRY, CONFIGURATION)
    (project / "groundfog.toml").write_text('[vectorize.one]\ndimensions = 2\nmetric = "cosine"\n')
    with DevServer(project) as running:
        yield running


def remote(server: DevServer, *words: str) -> str:
    """Return what wrangler prints with our server in place of Cloudflare's API."""
    return wrangler(server.project, *words, server=server.url)


def groundfog(server: DevServer, *words: str) -> str:
    """Return what a command of ours prints."""
    done = CliRunner().invoke(cli, [*words, "--cwd", str(server.project)])
    assert done.exit_code == 0, done.output
    return done.output


def test_kv_works_and_wranglers_own_state_is_taken_over(server: DevServer) -> None:
    of = ("--binding", "CACHE")
    remote(server, "kv", "key", "put", "w", "1", *of, "--remote")
    listed = remote(server, "kv", "key", "list", "--prefix", "w", *of, "--remote")
    assert json.loads(listed) == [{"name": "w"}]

    put = ("kv", "key", "put", "w", "theirs", "--metadata", '{"m":1}', "--ttl", "600")
    wrangler(server.project, *put, *of, "--local")
    told = groundfog(server, "kv", "import", "--from-wrangler")
    assert "0 keys taken over" in told and "1 key that you have already" in told
    assert groundfog(server, "kv", "key", "get", "w") == "1"
    groundfog(server, "kv", "import", "CACHE", "--from-wrangler", "--yes")
    assert groundfog(server, "kv", "key", "get", "w") == "theirs"
    (own,) = json.loads(groundfog(server, "kv", "key", "list", "--prefix", "w"))
    assert own["metadata"] == {"m": 1} and own["expiration"] > 0


def test_r2_works_and_wranglers_own_state_is_taken_over(server: DevServer) -> None:
    file = server.project / "w.txt"
    file.write_text("ours")
    path = f"/client/v4/accounts/{ACCOUNT}/r2/buckets/files/objects/w/key.txt"
    put = ("r2", "object", "put", "files/w/key.txt", "--file", str(file))
    remote(server, *put, "--remote")
    assert server.get(path).text == "ours"

    file.write_text("theirs")
    wrangler(server.project, *put, "--local", "--content-type", "text/x")
    told = groundfog(server, "r2", "import", "--from-wrangler")
    assert "0 objects taken over" in told and server.get(path).text == "ours"
    groundfog(server, "r2", "import", "files", "--from-wrangler", "--yes")
    answer = server.get(path)
    assert (answer.text, answer.headers["content-type"]) == ("theirs", "text/x")


def test_the_queues_of_a_running_server_are_known(server: DevServer) -> None:
    told = remote(server, "queues", "info", "jobs")
    assert queue_id("jobs") in told and "worker:under-test" in told


def test_d1_executes_files_and_exports(server: DevServer, tmp_path: Path) -> None:
    file = tmp_path / "more.sql"
    file.write_text("CREATE TABLE w (n);\nINSERT INTO w VALUES (7);\n")
    remote(server, "d1", "execute", "db", "--remote", "--yes", "--file", str(file))
    output = tmp_path / "dump.sql"
    export = ("d1", "export", "db", "--remote", "--skip-confirmation", "--output", str(output))
    remote(server, *export)
    assert 'INSERT INTO "w" ("n") VALUES(7);' in output.read_text()


def test_vectorize_inserts_and_finds(server: DevServer, tmp_path: Path) -> None:
    file = tmp_path / "more.ndjson"
    file.write_text(json.dumps({"id": "w", "values": [3, 4]}))
    assert "1" in remote(server, "vectorize", "insert", "one", "--file", str(file))
    assert '"w"' in remote(server, "vectorize", "get-vectors", "one", "--ids", "w")
