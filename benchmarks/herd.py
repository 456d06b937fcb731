"""Requests while 20,000 instances are overdue at a start: how long the slowest one takes.

The instances are created and sleep for a short time. The server is killed while they sleep, and
started again when all of them are due.
"""

from __future__ import annotations

import os
import signal
import time

import httpx

from benchmarks.command_line import main
from benchmarks.figures import Figure, Program, Unit
from benchmarks.peers import Peer
from benchmarks.servers import Server, running, running_again

COUNT = 20_000
NAP_SECONDS = 60
_BETWEEN_SECONDS = 0.01
_WORKFLOW = "/cdn-cgi/local/explorer/api/workflows/steps"

START = Figure("20,000 instances overdue at a start: first response", Unit.SECONDS, goal=1.0)
SLOWEST = Figure("20,000 instances overdue at a start: slowest request", Unit.SECONDS, goal=0.2)
TYPICAL = Figure("20,000 instances overdue at a start: median request", Unit.SECONDS, goal=0.1)
ENDED = Figure("20,000 instances overdue at a start: all have ended", Unit.SECONDS, goal=20.0)


def measure(peer: Peer) -> dict[str, list[float]]:
    with running(peer) as server:
        asked = {"count": COUNT, "sleep": f"{NAP_SECONDS} seconds"}
        server.client.get("/sleepers", params=asked).raise_for_status()
        created = time.monotonic()
        while _counts(server.client)["waiting"] < COUNT:
            time.sleep(0.1)
        os.kill(server.pid, signal.SIGKILL)
        time.sleep(max(0.0, created + NAP_SECONDS - time.monotonic()))
        with running_again(server) as again:
            seconds, ended = _requests(again)
    return {
        START.name: [again.start_seconds],
        SLOWEST.name: [max(seconds)],
        TYPICAL.name: [sorted(seconds)[len(seconds) // 2]],
        ENDED.name: [ended],
    }


def _requests(server: Server) -> tuple[list[float], float]:
    """Send requests until all have ended; return the time of each answer, and of all together."""
    began = time.perf_counter()
    seconds: list[float] = []
    while True:
        for _ in range(50):
            asked = time.perf_counter()
            server.client.get("/").raise_for_status()
            seconds.append(time.perf_counter() - asked)
            time.sleep(_BETWEEN_SECONDS)
        if _counts(server.client)["complete"] == COUNT:
            return seconds, time.perf_counter() - began


def _counts(client: httpx.Client) -> dict[str, int]:
    counts: dict[str, int] = client.get(_WORKFLOW).raise_for_status().json()["result"]["instances"]
    return counts


PROGRAM = Program(figures=(START, SLOWEST, TYPICAL, ENDED), repetitions=1, measure=measure)

if __name__ == "__main__":
    main([PROGRAM])
