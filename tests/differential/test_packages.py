"""The sample `python-packages`: LangChain over env.AI, Django's ORM on D1, a server of MCP.

These packages are large, so they are no development dependency. `GROUNDFOG_PACKAGES` names a folder
with them, as `.ci/run` makes it.
"""

from __future__ import annotations

import os
import shutil
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.projects import FIXTURES
from tests.end_to_end.server import DevServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    packages = os.environ.get("GROUNDFOG_PACKAGES")
    if not packages:
        pytest.skip("GROUNDFOG_PACKAGES does not name a folder with large packages")
    project = tmp_path_factory.mktemp("packages") / "python-packages"
    ignored = shutil.ignore_patterns(".groundfog", "__pycache__")
    shutil.copytree(FIXTURES / "python-packages", project, ignore=ignored)
    venv.create(project / ".venv", symlinks=True)
    (site,) = (project / ".venv").glob("lib/python*/site-packages")
    (site / "packages.pth").write_text(str(Path(packages).absolute()))
    with DevServer(project) as running:
        running.client.timeout = 60
        yield running


def test_a_chain_of_langchain_asks_env_ai(server: DevServer) -> None:
    answer = server.get("/langchain")
    assert answer.status_code == 200, answer.text
    assert "Asked: Write about fog." in answer.text


def test_djangos_orm_keeps_rows_in_d1(server: DevServer) -> None:
    made = server.post("/todos", json={"title": "write"})
    assert (made.status_code, made.json()) == (201, {"id": 1, "title": "write", "done": False})
    changed = server.client.put("/todos/1", json={"done": True}).json()
    assert (changed["done"], changed["created"][-6:]) == (True, "+00:00")
    assert server.get("/todos").json() == {"todos": [{"id": 1, "title": "write", "done": True}]}
    gone = server.client.delete("/todos/1")
    assert (gone.status_code, gone.content) == (204, b"")
    assert server.get("/todos/1").status_code == 404


def test_a_server_of_mcp_answers_over_asgi(server: DevServer) -> None:
    def called(number: int, method: str, **parameters: object) -> dict[str, object]:
        answer = server.post(
            "/mcp",
            json={"jsonrpc": "2.0", "id": number, "method": method, "params": parameters},
            headers={"accept": "application/json, text/event-stream"},
        )
        assert answer.status_code == 200, answer.text
        result: dict[str, object] = answer.json()["result"]
        return result

    client = {"name": "test", "version": "1"}
    version = "2025-06-18"
    begun = called(1, "initialize", protocolVersion=version, capabilities={}, clientInfo=client)
    assert begun["serverInfo"]["name"] == "fog"  # type: ignore[index]
    tools = called(2, "tools/list")["tools"]
    assert [tool["name"] for tool in tools] == ["add"]  # type: ignore[attr-defined]
    added = called(3, "tools/call", name="add", arguments={"one": 1, "other": 2})
    assert added["structuredContent"] == {"result": 3}
