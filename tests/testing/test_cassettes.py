"""Answers of `env.AI` in a cassette of each test: recorded from an upstream, then replayed."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from groundfog.testing import BadOption, Groundfog, WorkerError
from tests.testing import projects

TESTS = """
import pytest


@pytest.mark.worker(ai="replay")
@pytest.mark.parametrize("who", ["ada"])
def test_asks(worker, who):
    assert worker.get("/ask").text == "Ada, says the model"
"""
ANSWER = {"choices": [{"message": {"role": "assistant", "content": "Ada, says the model"}}]}


class Model(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return None


def test_answers_are_recorded_for_each_test_and_replayed(
    groundfog: Groundfog, tmp_path: Path
) -> None:
    project = projects.orders(tmp_path, tests__test_all=TESTS)
    cassette = project / "tests" / "cassettes" / "test_all" / "test_asks-ada.json"
    with pytest.raises(BadOption, match="Nobody can be asked"):
        groundfog.worker(project, ai="record", cassette=cassette)

    with HTTPServer(("127.0.0.1", 0), Model) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        (project / "groundfog.toml").write_text(
            '[ai]\nupstream = "mine"\n\n[ai.upstreams.mine]\n'
            f'base_url = "http://127.0.0.1:{server.server_port}/v1"\n'
        )
        recorded = projects.run(project, *projects.PLAIN, "--ai-record=once").outcomes
        server.shutdown()

    assert recorded == {"test_asks[ada]": "passed"}
    with groundfog.worker(project, ai="replay", cassette=cassette) as worker:
        assert worker.get("/ask").text == "Ada, says the model"
        worker.reset()
        assert worker.get("/ask").text == "Ada, says the model"
    with groundfog.worker(project, ai="replay", cassette=tmp_path / "no.json") as worker:
        with pytest.raises(WorkerError, match="there is no such cassette"):
            worker.get("/ask")
