"""`groundfog dev` with an upstream: recorded once, replayed without it, and never by accident."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote, urlsplit

import pytest

from tests.end_to_end.server import DevServer

WRANGLER = """
name = "asks"
main = "entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
[ai]
binding = "AI"
"""
ENTRY = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        prompt = request.url.rpartition("/")[2]
        try:
            answer = await self.env.AI.run("@cf/meta/llama-3.1-8b-instruct", {"prompt": prompt})
            return Response(answer.response)
        except Exception as error:
            return Response(str(error), status=500)
"""


class Model(BaseHTTPRequestHandler):
    """Answers chat completions with the prompt turned round; `asked` keeps the paths."""

    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.asked.append(self.path)
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = body["messages"][-1]["content"][::-1]
        content = json.dumps({"choices": [{"message": {"content": text}}], "usage": {}}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def upstream() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Model)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "wrangler.toml").write_text(WRANGLER)
    (tmp_path / "entry.py").write_text(ENTRY)
    (tmp_path / ".dev.vars").write_text("SECRET=swordfish\n")
    return tmp_path


def settings(project: Path, mode: str, upstream: str, more: str = "") -> None:
    (project / "groundfog.toml").write_text(
        f'[ai]\nmode = "{mode}"\nupstream = "mine"\n{more}\n'
        f'[ai.upstreams.mine]\nbase_url = "{upstream}"\n'
    )


def test_what_a_server_recorded_the_next_one_replays_without_the_upstream(
    project: Path, upstream: str
) -> None:
    cassette = {"GROUNDFOG_AI_CASSETTE": "cassettes/one.json"}
    settings(project, "record", upstream)
    with DevServer(project, env=cassette) as server:
        assert server.get("/hello").text == "olleh"
        assert server.get("/swordfish").text == "hsifdrows"
        server.wait_for(f'ai.mode is "record": calls of env.AI leave this machine for {upstream}')

    settings(project, "replay", "http://127.0.0.1:9/v1")
    with DevServer(project, env=cassette) as server:
        assert server.get("/hello").text == "olleh"
        missing = server.get("/never").text

    assert missing.startswith("CassetteError: one.json has no answer for this call of @cf/meta/")
    assert "swordfish" not in (project / "cassettes" / "one.json").read_text()


def test_a_reload_does_not_renew_the_budget(project: Path, upstream: str) -> None:
    settings(project, "stub", upstream, "max_calls = 2")
    with DevServer(project) as server:
        assert [server.get("/x").status_code for _ in range(2)] == [200, 200]
        settings(project, "remote", upstream, "max_calls = 2")
        server.wait_for("reloaded in")

        assert server.get("/x").text.startswith("AiBudgetExceeded: ")


def test_no_name_of_a_model_leads_to_another_path_of_the_upstream(
    project: Path, upstream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(project, "remote", upstream)
    text = (project / "groundfog.toml").read_text().replace("mine", "cloudflare")
    (project / "groundfog.toml").write_text(text)
    entry = ENTRY.replace('"@cf/meta/llama-3.1-8b-instruct"', 'request.headers["model"]')
    (project / "entry.py").write_text(entry)
    monkeypatch.setattr(Model, "asked", [])

    token = {"CLOUDFLARE_API_TOKEN": "swordfish-token", "CLOUDFLARE_ACCOUNT_ID": "acc"}
    with DevServer(project, env=token) as server:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
        for model in ("../../../../zones", "..%2f..%2fzones", "%2e%2e/zones", "@cf/../../zones"):
            assert "5007: No such model" in server.get("/x", headers={"model": model}).text
            for name in (model, quote(model, safe=""), quote(quote(model, safe=""))):
                path = f"/client/v4/accounts/acc/ai/run/{name}"
                connection.request("POST", path, "{}", {"content-type": "application/json"})
                assert '"success":false' in connection.getresponse().read().decode(), name
        connection.close()

    assert Model.asked == []
