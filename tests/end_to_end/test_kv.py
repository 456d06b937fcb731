"""The sample worker of KV: over HTTP, REST, the official SDK and `groundfog kv`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cloudflare import Cloudflare

from emulator.cli.main import cli
from tests.end_to_end.projects import FIXTURES
from tests.end_to_end.server import DevServer
from tests.end_to_end.wrangler import ACCOUNT

ID = "0f2ac74b498b48028cb68387c421e279"
V4 = f"/client/v4/accounts/{ACCOUNT}/storage/kv/namespaces"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    project = tmp_path_factory.mktemp("kv") / "kv"
    shutil.copytree(FIXTURES / "kv", project)
    with DevServer(project) as running:
        yield running


def groundfog(server: DevServer, *words: str, code: int = 0) -> Result:
    """Run `groundfog kv WORDS` in this process, which is much faster than in one of its own."""
    done = CliRunner().invoke(cli, ["kv", *words, "--cwd", str(server.project)])
    assert done.exit_code == code, done.output
    return done


def test_values_survive_a_kill(tmp_path: Path) -> None:
    project = tmp_path / "kv"
    shutil.copytree(FIXTURES / "kv", project)
    with DevServer(project) as server:
        assert server.client.put("/a b", content=b"\x00\xff" * 100_000).status_code == 204
        server.kill()
    with DevServer(project) as server:
        assert server.get("/a b").content == b"\x00\xff" * 100_000
        assert server.get("/").json() == ["a b"]
        assert server.client.delete("/a b").status_code == 204
        assert server.get("/a b").status_code == 404


def test_keys_expire_by_a_virtual_clock(tmp_path: Path) -> None:
    project = tmp_path / "kv"
    shutil.copytree(FIXTURES / "kv", project)
    with DevServer(project, "--clock", "virtual") as server:
        server.client.put("/k?ttl=3600", content=b"x")
        advance = {"span": "59 minutes"}
        server.post("/cdn-cgi/groundfog/clock/advance", json=advance).raise_for_status()
        assert server.get("/k").text == "x"
        server.post("/cdn-cgi/groundfog/clock/advance", json=advance).raise_for_status()
        assert server.get("/k").status_code == 404


def test_the_rest_api_has_every_route(server: DevServer) -> None:
    def ask(method: str, path: str, **options: Any) -> Any:
        answer = server.client.request(method, f"{V4}/{ID}{path}", **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert server.get(V4).json()["result"] == [
        {"id": ID, "title": "CACHE", "supports_url_encoding": True}
    ]
    assert server.get(f"{V4}?page=2").json()["result"] == []
    form: dict[str, Any] = {"value": (None, "1"), "metadata": (None, '{"m": 1}')}
    ask("PUT", "/values/r%2Fa", files=form, params={"expiration_ttl": 600})
    ask("PUT", "/values/r%2Fb", content=b"2")
    items = [{"key": "r/c", "value": "Aw==", "base64": True, "metadata": {"c": 3}}]
    put = ask("PUT", "/bulk", json=items)
    assert put["result"] == {"successful_key_count": 1, "unsuccessful_keys": []}

    first = ask("GET", "/keys", params={"prefix": "r/", "limit": 2})
    names = [each["name"] for each in first["result"]]
    rest = ask("GET", "/keys", params={"prefix": "r/", "cursor": first["result_info"]["cursor"]})
    assert names == ["r/a", "r/b"] and first["result"][0]["metadata"] == {"m": 1}
    assert rest["result"] == [{"name": "r/c", "metadata": {"c": 3}}]
    assert rest["result_info"] == {"count": 1, "cursor": ""}

    value = server.get(f"{V4}/{ID}/values/r%2Fa")
    assert (value.content, value.headers["expiration"].isdecimal()) == (b"1", True)
    assert server.get(f"{V4}/{ID}/values/r%2Fc").content == b"\x03"
    assert ask("GET", "/metadata/r%2Fa")["result"] == {"m": 1}
    found = ask("POST", "/bulk/get", json={"keys": ["r/b", "none"], "type": "json"})
    assert found["result"] == {"values": {"r/b": 2}}
    ask("DELETE", "/bulk", json=["r/b", "r/c"])
    ask("DELETE", "/values/r%2Fa")
    assert ask("GET", "/keys", params={"prefix": "r/"})["result"] == []


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", f"/{ID}/values/none", {}, 404, 10009),
        ("GET", "/none/keys", {}, 404, 10013),
        ("GET", f"/{ID}/keys?limit=1001", {}, 400, 10001),
        ("GET", f"/{ID}/keys?cursor=%25", {}, 400, 10001),
        ("PUT", f"/{ID}/values/k?expiration_ttl=5", {"content": b"x"}, 400, 10001),
        ("PUT", f"/{ID}/values/k?expiration_ttl=x", {"content": b"x"}, 400, 10001),
        ("PUT", f"/{ID}/values/{'k' * 513}", {"content": b"x"}, 414, 10001),
        ("PUT", f"/{ID}/bulk", {"json": {}}, 400, 10001),
        ("PUT", f"/{ID}/bulk", {"json": [{"key": "a"}]}, 400, 10001),
        ("PUT", f"/{ID}/bulk", {"json": [{"key": "a", "value": "?", "base64": 1}]}, 400, 10001),
        ("DELETE", f"/{ID}/bulk", {"json": [1]}, 400, 10001),
        ("POST", f"/{ID}/bulk/get", {"json": {}}, 400, 10001),
    ],
)
def test_a_wrong_request_is_refused(
    server: DevServer, method: str, path: str, options: Any, status: int, code: int
) -> None:
    answer = server.client.request(method, V4 + path, **options)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)


def test_the_official_sdk_reads_and_writes(server: DevServer) -> None:
    with Cloudflare(api_token="none", base_url=f"{server.url}/client/v4") as client:
        values = client.kv.namespaces.values
        values.update("sdk", account_id=ACCOUNT, namespace_id=ID, value=b"v", metadata='{"a": 1}')
        assert values.get("sdk", account_id=ACCOUNT, namespace_id=ID).read() == b"v"
        listed = client.kv.namespaces.keys.list(ID, account_id=ACCOUNT, prefix="sdk")
        assert [key.name for key in listed] == ["sdk"]
        assert [each.id for each in client.kv.namespaces.list(account_id=ACCOUNT)] == [ID]


def test_every_command_of_groundfog_kv_works_beside_the_server(
    server: DevServer, tmp_path: Path
) -> None:
    groundfog(server, "key", "put", "cli", "1", "--metadata", '{"a": 1}', "--ttl", "600")
    assert server.get("/cli").text == "1"
    (shown,) = json.loads(groundfog(server, "key", "list", "--prefix", "cli").stdout)
    assert shown["metadata"] == {"a": 1}
    file = tmp_path / "bulk.json"
    file.write_text(json.dumps([{"key": "cli/b", "value": "2"}, {"key": "cli/c", "value": "3"}]))
    groundfog(server, "bulk", "put", str(file))
    assert server.get("/cli%2Fb").text == "2"
    found = json.loads(groundfog(server, "bulk", "get", str(file)).stdout)
    assert found == {"cli/b": {"value": "2"}, "cli/c": {"value": "3"}}
    groundfog(server, "bulk", "delete", str(file), "--force")
    groundfog(server, "key", "delete", "cli", "--namespace-id", ID)
    assert groundfog(server, "key", "get", "cli", code=1).stderr == "Value not found\n"
    listed = json.loads(groundfog(server, "namespace", "list").stdout)
    assert listed == [{"id": ID, "title": "CACHE"}]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["key", "get", "a", "--remote"], "Groundfog knows only the namespaces on this machine"),
        (["key", "get", "a", "--binding", "NONE"], "There are: CACHE"),
        (["key", "put", "a"], "needs either a VALUE or --path FILE"),
        (["key", "put", "a", "b", "--metadata", "{"], "--metadata is not JSON"),
        (["key", "put", "a", "b", "--ttl", "5"], "Expiration TTL must be at least 60."),
        (["import"], "needs --from-wrangler"),
        (["import", "NONE", "--from-wrangler"], "no KV namespace with the binding NONE"),
    ],
)
def test_a_wrong_command_says_what_to_do(server: DevServer, words: list[str], told: str) -> None:
    assert told in groundfog(server, *words, code=1).stderr
