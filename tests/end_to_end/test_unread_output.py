"""Output that nobody takes: a pager that is not read, a terminal stopped with Ctrl-S."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.projects import WRANGLER, make_project
from tests.waiting import DEADLINE_S, eventually

WORKER = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        for number in range(100):
            print(number, "x" * 20_000)
        return Response("ok")
"""
STOP, GO = b"\x13", b"\x11"  # Ctrl-S, Ctrl-Q


@contextmanager
def serving(folder: Path, output: int) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    """Run the worker with both its streams on `output`; yield a client and the process."""
    project = make_project(folder / "p", WORKER, "\n".join(WRANGLER.split("\n")[:5]))
    announced = project / ".groundfog" / "dev.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "groundfog", "dev", str(project), "--port", "0"],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    try:
        port = json.loads(eventually(lambda: _text_of(announced)))["port"]
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, timeout=DEADLINE_S, trust_env=False) as client:
            yield client, process
    finally:
        process.kill()
        process.wait()


def test_a_server_whose_output_is_not_read_goes_on_and_tells_what_it_left_out(
    tmp_path: Path,
) -> None:
    reading, writing = os.pipe()
    with serving(tmp_path, writing) as (client, process):
        os.close(writing)
        for _ in range(3):  # 2 MB each: more than a pipe and the kept lines hold
            assert client.get("/").text == "ok"
        with os.fdopen(reading, "rb") as reader:
            for line in reader:
                if re.search(rb"^\xe2\x80\xa6 [\d,]+ lines left out", line):
                    break
            else:
                pytest.fail("it did not say that lines were left out")
            assert client.get("/").text == "ok"
            process.send_signal(signal.SIGINT)
            assert process.wait(DEADLINE_S) == 0


def test_a_server_on_a_stopped_terminal_answers_and_can_be_interrupted(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with serving(tmp_path, theirs) as (client, process):
        os.close(theirs)
        os.write(ours, STOP)
        for _ in range(3):
            assert client.get("/").text == "ok"
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 0
    os.close(ours)


def test_a_terminal_that_was_stopped_gets_its_lines_when_it_goes_on(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with serving(tmp_path, theirs) as (client, _):
        os.close(theirs)
        os.write(ours, STOP)
        assert client.get("/nobody-sees-this-yet").text == "ok"
        os.write(ours, GO)
        seen = b""
        while b"/nobody-sees-this-yet" not in seen:
            seen += os.read(ours, 65536)
    os.close(ours)
    assert b" | " in seen


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
