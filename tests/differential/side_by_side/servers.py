"""The official `wrangler dev` and `groundfog dev`, each on a copy of one project."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tests.end_to_end.wrangler import environment, wrangler_folder
from tests.typescript.projects import dev
from tests.waiting import DEADLINE_S, eventually

READY = re.compile(r"Ready on (http://\S+)")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
GIVEN_UP = re.compile("Logs were written to|Build failed")
START_S, END_S = 60, 5


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two servers. output: what it has written so far."""

    project: Path
    client: httpx.Client
    output: Callable[[], str]


@contextmanager
def official(project: Path) -> Iterator[Side]:
    """Run `wrangler dev` on a project. Skips without wrangler."""
    with _wrangler(project) as (process, output):
        ready = eventually(lambda: READY.search(output()) or process.poll(), START_S)
        assert isinstance(ready, re.Match), output()
        with _client(ready[1]) as client:
            yield Side(project, client, output)


def start_of_official(project: Path) -> str:
    """Return what `wrangler dev` says of a project until it ends or waits for mended code."""
    with _wrangler(project) as (process, output):
        eventually(lambda: GIVEN_UP.search(output()) or process.poll(), START_S)
    return output()


@contextmanager
def _wrangler(project: Path) -> Iterator[tuple[subprocess.Popen[str], Callable[[], str]]]:
    program = wrangler_folder() / "node_modules/.bin/wrangler"
    process = subprocess.Popen(
        [program, "dev", "--local", "--port", "0", "--show-interactive-dev-session=false"],
        cwd=project,
        env=environment(project),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    reader = threading.Thread(target=_read, args=(process, lines))
    reader.start()
    try:
        yield process, lambda: COLOURS.sub("", "".join(lines))
    finally:
        _end(process)
        reader.join()
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def ours(project: Path) -> Iterator[Side]:
    """Run `groundfog dev` on a project."""
    with dev(project) as server, _client(server.url) as client:
        yield Side(project, client, lambda: server.output)


def _client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=DEADLINE_S, trust_env=False)


def _read(process: subprocess.Popen[str], lines: list[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)


def _end(process: subprocess.Popen[str]) -> None:
    """End wrangler and the processes that it started."""
    started = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for one in psutil.wait_procs(started, END_S)[1]:
        one.kill()
