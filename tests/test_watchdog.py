"""The watchdog itself: it barks at a loop that stands still, and at nothing else."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.projects import make_project
from tests.end_to_end.server import DevServer
from tests.waiting import eventually
from tests.watchdog import StoodStill, loop_watch, server_watch, unblocked

STALL_S = 0.3

WORKER = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("hello")
"""


def compute(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def hold_the_interpreter_lock() -> None:
    sum(range(30_000_000))  # one call into C that never lets go


def test_a_loop_that_computes_for_long_is_noticed_with_its_stack() -> None:
    async def scenario() -> None:
        with loop_watch():
            await asyncio.sleep(0)
            compute(STALL_S)

    with pytest.raises(AssertionError, match=r"stood still for \d+ ms.*(?s:.*)compute"):
        asyncio.run(scenario())


def test_a_thread_that_holds_the_interpreter_lock_is_noticed() -> None:
    async def scenario() -> None:
        with loop_watch():
            await asyncio.to_thread(hold_the_interpreter_lock)

    with pytest.raises(AssertionError, match="stood still"):
        asyncio.run(scenario())


def test_a_loop_that_waits_and_works_in_small_pieces_is_left_in_peace() -> None:
    async def scenario() -> None:
        with loop_watch():
            for _ in range(20):
                compute(0.005)
                await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_a_server_that_computes_for_long_is_noticed() -> None:
    # It answers every fifth request late.
    source = f"""
import http.server, itertools, time
count = itertools.count()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        end = time.thread_time() + ({STALL_S} if next(count) % 5 == 3 else 0)
        while time.thread_time() < end:
            pass
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
    with subprocess.Popen(
        [sys.executable, "-c", source], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
        began = psutil.Process(process.pid).cpu_times().user

        def has_computed() -> bool:
            return bool(psutil.Process(process.pid).cpu_times().user > began + STALL_S)

        try:
            with pytest.raises(AssertionError, match="stood still"):
                with server_watch(process.pid, url):
                    eventually(has_computed)
        finally:
            process.kill()


def test_a_server_that_only_answers_is_left_in_peace(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", WORKER)

    with DevServer(project) as server, server_watch(server.pid, server.url):
        assert [server.get("/").text for _ in range(20)] == ["hello"] * 20


def test_a_stall_that_does_not_come_back_is_no_fault_and_one_that_does_is(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", WORKER)
    stalls = [StoodStill("first"), None, StoodStill("a"), StoodStill("b"), StoodStill("c")]

    def action() -> str:
        if stall := stalls.pop(0):
            raise stall
        return "done"

    with DevServer(project) as server:
        assert unblocked(server.pid, server.url, action) == "done"
        with pytest.raises(StoodStill, match="c"):
            unblocked(server.pid, server.url, action)
