"""The time from saving a file to the first response of the new code: without instances, and
with 1,000 sleeping instances that the new code must fit.
"""

from __future__ import annotations

import random
import time

import httpx

from benchmarks.command_line import main
from benchmarks.figures import Figure, Program, Unit
from benchmarks.peers import Peer
from benchmarks.servers import Server, running

SAVES = 10
ASK_EVERY_SECONDS = 0.003
DEADLINE_SECONDS = 30
SLEEPERS = 1_000

MEDIAN = Figure("save → new response, median", Unit.SECONDS, goal=0.15)
LATE = Figure("save → new response, 95th percentile", Unit.SECONDS, quantile=0.95, goal=0.3)

WITH = "with 1,000 sleeping instances: save → new response"
MEDIAN_WITH = Figure(f"{WITH}, median", Unit.SECONDS, goal=0.15)
LATE_WITH = Figure(f"{WITH}, 95th percentile", Unit.SECONDS, quantile=0.95, goal=0.3)


def measure(peer: Peer) -> dict[str, list[float]]:
    with running(peer) as server:
        samples = [take_up(server, number) for number in range(1, SAVES + 1)]
    return {MEDIAN.name: samples, LATE.name: samples}


def measure_with_sleepers(peer: Peer) -> dict[str, list[float]]:
    with running(peer) as server:
        server.client.get("/sleepers", params={"count": SLEEPERS}).raise_for_status()
        samples = [take_up(server, number) for number in range(1, SAVES + 1)]
    return {MEDIAN_WITH.name: samples, LATE_WITH.name: samples}


def take_up(server: Server, number: int) -> float:
    """Save version `number` of the worker; return how long it took to serve it."""
    # Random moments, as a fixed interval could match a peer's own polling.
    time.sleep(random.uniform(0.3, 0.8))
    text = server.source.read_text()
    old, new = f"version {number - 1}", f"version {number}"
    server.source.write_text(text.replace(old, new))
    began = time.perf_counter()
    while not _answers(server, new):
        if time.perf_counter() - began > DEADLINE_SECONDS:
            raise TimeoutError(f"{server.peer.name} did not take up a save within 30 s")
        time.sleep(ASK_EVERY_SECONDS)
    return time.perf_counter() - began


def _answers(server: Server, version: str) -> bool:
    try:
        return server.client.get("/version").text == version
    except httpx.TransportError:
        return False  # a server that restarts itself refuses connections for a while


PROGRAM = Program(figures=(MEDIAN, LATE), repetitions=3, measure=measure)
WITH_SLEEPERS = Program(
    figures=(MEDIAN_WITH, LATE_WITH), repetitions=3, measure=measure_with_sleepers
)

if __name__ == "__main__":
    main([PROGRAM, WITH_SLEEPERS])
