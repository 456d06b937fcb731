"""A server that may open no more files: said with what to raise, and all goes on by itself."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import edit
from tests.end_to_end.test_reload import hello_project
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux can limit the files of a running process"
)


def test_a_save_that_finds_no_descriptor_left_is_served_once_there_are_some(
    tmp_path: Path, serve: Serve
) -> None:
    project = hello_project(tmp_path / "p")
    server = serve(project)
    assert server.get("/").text == "hello nobody"
    host = psutil.Process(server.pid)
    before = host.rlimit(psutil.RLIMIT_NOFILE)
    host.rlimit(psutil.RLIMIT_NOFILE, (host.num_fds(), before[1]))
    try:
        edit(project, "hello", "goodbye", "src/greeting.py")
        server.wait_for(r"error: .*Too many open files[^$]*ulimit -n")
        assert server.get("/").text == "hello nobody"
    finally:
        host.rlimit(psutil.RLIMIT_NOFILE, before)

    eventually(lambda: server.get("/").text == "goodbye nobody")
