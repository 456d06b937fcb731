"""The sample with R2: over HTTP, REST, the official SDK and `groundfog r2`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emulator.cli.main import cli
from tests.end_to_end.projects import FIXTURES
from tests.end_to_end.server import DevServer
from tests.end_to_end.wrangler import ACCOUNT

V4 = f"/client/v4/accounts/{ACCOUNT}/r2/buckets"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    project = tmp_path_factory.mktemp("r2") / "r2"
    shutil.copytree(FIXTURES / "r2", project)
    with DevServer(project) as running:
        yield running


def groundfog(server: DevServer, *words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, ["r2", *words, "--cwd", str(server.project)])
    assert done.exit_code == code, done.output
    return done


def test_a_file_is_streamed_in_and_out_and_survives_a_kill(tmp_path: Path) -> None:
    project = tmp_path / "r2"
    shutil.copytree(FIXTURES / "r2", project)
    content = os.urandom(5_000_000)
    with DevServer(project) as server:
        headers = {"content-type": "image/png"}
        stored = server.client.put("/a/b c.png", content=content, headers=headers).json()
        assert stored == {"size": len(content), "etag": hashlib.md5(content).hexdigest()}
        server.kill()
    with DevServer(project) as server:
        answer = server.get("/a/b c.png")
        assert answer.content == content and answer.headers["content-type"] == "image/png"
        assert server.get("/").json() == {"a/b c.png": len(content)}
        server.client.delete("/a/b c.png")
        assert server.get("/a/b c.png").status_code == 404


def test_rest_has_objects_lists_and_ranges(server: DevServer) -> None:
    path = f"{V4}/files/objects"
    assert [each["name"] for each in server.get(V4).json()["result"]["buckets"]] == ["files"]
    assert server.get(f"{V4}/files").json()["result"]["name"] == "files"
    for name in ("rest/a", "rest/b/c"):
        headers = {"content-type": "text/x", "cache-control": "no-store"}
        put = server.client.put(f"{path}/{name}", content=b"0123456789", headers=headers)
        assert put.json()["result"]["size"] == 10
    listed = server.get(path, params={"prefix": "rest/", "delimiter": "/"}).json()
    assert [each["key"] for each in listed["result"]] == ["rest/a"]
    assert listed["result_info"]["delimited"] == ["rest/b/"]
    assert listed["result"][0]["http_metadata"]["contentType"] == "text/x"
    first = server.get(path, params={"prefix": "rest/", "per_page": 1}).json()
    assert first["result_info"]["is_truncated"] and first["result_info"]["cursor"]
    part = server.get(f"{path}/rest/a", headers={"range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    public = server.get("/cdn-cgi/local/r2/public/files/rest/a")
    assert (public.content, public.headers["cache-control"]) == (b"0123456789", "no-store")
    assert server.client.head(f"{path}/rest/a").headers["content-length"] == "10"
    assert server.client.delete(f"{path}/rest/a").status_code == 200
    missing = server.get(f"{path}/rest/a")
    assert (missing.status_code, missing.json()["errors"][0]["code"]) == (404, 10007)
    assert server.get(f"{V4}/none").json()["errors"][0]["code"] == 10006
    assert server.client.put(f"{path}/{'k' * 1025}", content=b"").status_code == 400


def test_every_command_works_beside_the_server(server: DevServer, tmp_path: Path) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(os.urandom(300_000))
    groundfog(server, "object", "put", "files/cli/f", "--file", str(file), "--ct", "x/y")
    assert server.get("/cli/f").content == file.read_bytes()
    groundfog(server, "object", "get", "files/cli/f", "--file", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == file.read_bytes()
    told = json.loads(groundfog(server, "bucket", "info", "files", "--json").output)
    assert told["object_count"] >= 1 and told["bucket_size"] >= 300_000
    groundfog(server, "object", "delete", "files/cli/f")
    assert server.get("/cli/f").status_code == 404
    listed = json.loads(groundfog(server, "bucket", "list", "--json").output)
    assert listed == [{"name": "files", "binding": "FILES"}]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["object", "get", "files"], "expected BUCKET/KEY"),
        (["object", "get", "none/a"], "There are: files"),
        (["object", "get", "files/none"], "has no object none"),
        (["object", "put", "files/a"], "needs either --file FILE or --pipe"),
        (["object", "get", "files/a", "--remote"], "only the buckets on this machine"),
        (["import"], "needs --from-wrangler"),
    ],
)
def test_a_wrong_command_says_what_to_do(server: DevServer, words: list[str], told: str) -> None:
    assert told in groundfog(server, *words, code=1).output
