"""How many requests per second one client with 16 connections gets: plain, and with D1."""

from __future__ import annotations

import re
import shutil
import subprocess

from benchmarks.command_line import main
from benchmarks.figures import Figure, Program, Unit
from benchmarks.peers import NotInstalled, Peer
from benchmarks.servers import running

PLAIN = Figure("plain requests", Unit.PER_SECOND, goal=3_000)
D1 = Figure("requests with one D1 query", Unit.PER_SECOND, goal=2_300)

_RATE = re.compile(r"^Requests/sec:\s*([\d.]+)$", re.MULTILINE)
_FAILED = re.compile(r"Non-2xx or 3xx responses|Socket errors")


def measure(peer: Peer) -> dict[str, list[float]]:
    with running(peer) as server:
        return {PLAIN.name: [rate(f"{server.url}/")], D1.name: [rate(f"{server.url}/d1")]}


def rate(url: str) -> float:
    """Return requests a second to a URL; each must be answered with 2xx."""
    _wrk(url, seconds=1)  # so that loading and compiling are not measured
    output = _wrk(url, seconds=5)
    found = _RATE.search(output)
    if found is None or _FAILED.search(output):
        raise RuntimeError(f"wrk got failed answers from {url}:\n{output}")
    return float(found[1])


def _wrk(url: str, *, seconds: int) -> str:
    wrk = shutil.which("wrk")
    if wrk is None:
        raise NotInstalled(
            "`wrk` is not installed: `apt-get install wrk`, or `brew install wrk`, or build"
            " https://github.com/wg/wrk."
        )
    command = [wrk, "-t1", "-c16", f"-d{seconds}", url]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


PROGRAM = Program(figures=(PLAIN, D1), repetitions=3, measure=measure)

if __name__ == "__main__":
    main([PROGRAM])
