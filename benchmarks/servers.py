"""Starts a peer on a copy of its project in a temporary folder, and ends it with its processes.

Every process is found and ended by its id. Nothing is written outside the temporary folder, and
HOME points into it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.peers import Peer
from benchmarks.processes import tree_of

START_DEADLINE_SECONDS = 60
STOP_DEADLINE_SECONDS = 10
REQUEST_TIMEOUT_SECONDS = 300
CONNECT_EVERY_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Server:
    """A peer that answered its first request `start_seconds` after its command was run.

    `log` is what it prints, all of it.
    """

    peer: Peer
    url: str
    pid: int
    project: Path
    log: Path
    source: Path
    state: Path
    start_seconds: float
    client: httpx.Client


class DidNotAnswer(Exception):
    """A started server did not answer; the message ends with its output."""


@contextlib.contextmanager
def running(peer: Peer) -> Iterator[Server]:
    """Run `peer` on new state, and yield it after it has answered a request."""
    with tempfile.TemporaryDirectory(prefix="groundfog-bench-") as folder:
        project = Path(folder) / "project"
        ignored = shutil.ignore_patterns(".groundfog", ".wrangler", "__pycache__")
        shutil.copytree(peer.project, project, ignore=ignored)
        (Path(folder) / "home").mkdir()
        with _started(peer, project, free_port(), Path(folder) / "log") as server:
            yield server


@contextlib.contextmanager
def running_again(server: Server) -> Iterator[Server]:
    """Start the peer of a killed server again, on its port and its state."""
    port = httpx.URL(server.url).port
    assert port is not None
    with _started(server.peer, server.project, port, server.log) as again:
        yield again


def _environment(peer: Peer, home: Path) -> dict[str, str]:
    """Return the environment of a peer. It may keep bytecode, as it does on a user's machine."""
    environment = {**os.environ, **peer.environment, "HOME": str(home)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


@contextlib.contextmanager
def _started(peer: Peer, project: Path, port: int, log: Path) -> Iterator[Server]:
    began = time.perf_counter()
    with log.open("ab") as output:
        process = subprocess.Popen(
            [part.format(port=port) for part in peer.command],
            cwd=project,
            env=_environment(peer, project.parent / "home"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _await_answer(process, port, log)
        start_seconds = time.perf_counter() - began
        with httpx.Client(base_url=url, timeout=REQUEST_TIMEOUT_SECONDS) as client:
            source, state = project / peer.source, project / peer.state
            yield Server(peer, url, process.pid, project, log, source, state, start_seconds, client)
    finally:
        _stop(process)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _await_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when the server answers a request. Raises DidNotAnswer."""
    deadline = time.monotonic() + START_DEADLINE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(port):
            return
        time.sleep(CONNECT_EVERY_SECONDS)
    raise DidNotAnswer(f"{process.args!r} did not answer a request:\n{log.read_text()[-2000:]}")


def _answers(port: int) -> bool:
    """Return whether the server answers 200. A plain socket disturbs the server's start least."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=START_DEADLINE_SECONDS) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return peer.recv(64).split(b" ", 2)[1:2] == [b"200"]
    except OSError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process, and processes that it started if they still run."""
    started = tree_of(process.pid)
    process.terminate()
    try:
        process.wait(STOP_DEADLINE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for survivor in started:
        survivor.kill()
