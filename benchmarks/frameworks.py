"""What a Worker adds to an ASGI application, beside uvicorn that serves the same one.

`python -m benchmarks.frameworks`. Both servers run at once and are asked in turns, one request at a
time over one connection, so what else the machine does falls on both. Then `wrk`, if it is there,
asks each with 16 connections. Needs FastAPI. It prints a table.
"""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.load import rate
from benchmarks.peers import NotInstalled, groundfog
from benchmarks.processes import processor_seconds, tree_of
from benchmarks.servers import free_port, running

PROJECT = Path(__file__).with_name("projects") / "frameworks"
APPS = ("/plain", "/fastapi")
TURNS, REQUESTS = 20, 100
GOAL_ADDED_MS, GOAL_RATE = 0.3, 2_500


def main() -> None:
    """Print the time of a request, what Groundfog adds, processor time, and requests a second."""
    peer = replace(groundfog(), project=PROJECT)
    with running(peer) as server, _uvicorn() as other:
        print(
            f"{'':<10} {'uvicorn':>9} {'worker':>9} {'added':>9} {'guest, CPU':>11}  (goal 0.3 ms)"
        )
        guest = tree_of(server.pid)[-1].pid
        for path in APPS:
            theirs, ours, used = _in_turns(other, server.url, path, guest)
            print(
                f"{path:<10} {theirs:6.2f} ms {ours:6.2f} ms {ours - theirs:6.2f} ms {used:8.2f} ms"
            )
        for path in APPS:
            try:
                print(f"{path:<10} {rate(other + path):7.0f}/s {rate(server.url + path):7.0f}/s")
            except NotInstalled as error:
                print(error)
                break


def _in_turns(theirs: str, ours: str, path: str, guest: int) -> tuple[float, float, float]:
    """Return the median time of a request to each, and the guest's processor time, in ms."""
    for url in (theirs, ours):
        _asked(url, path, REQUESTS)  # so that loading is not measured
    before = processor_seconds(guest)
    times: dict[str, list[float]] = {theirs: [], ours: []}
    for _ in range(TURNS):
        for url in times:
            times[url] += _asked(url, path, REQUESTS)
    used = (processor_seconds(guest) - before) / (TURNS * REQUESTS)
    return statistics.median(times[theirs]), statistics.median(times[ours]), used * 1000


def _asked(url: str, path: str, count: int) -> list[float]:
    """Return how long each request took, in ms, over one connection."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port)
    found = []
    for _ in range(count):
        begin = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        found.append((time.perf_counter() - begin) * 1000)
        if answer.status != 200:
            raise RuntimeError(f"{url}{path} answered with {answer.status}")
    connection.close()
    return found


@contextmanager
def _uvicorn() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "apps:both", "--port", str(port)]
    process = subprocess.Popen([*command, "--log-level", "warning", "--app-dir", PROJECT / "src"])
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                _asked(url, APPS[0], 1)
                break
            except OSError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
