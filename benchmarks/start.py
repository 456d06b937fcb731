"""The time from running the command to the first response; every process is new."""

from __future__ import annotations

from benchmarks.command_line import main
from benchmarks.figures import Figure, Program, Unit
from benchmarks.peers import Peer
from benchmarks.servers import running

START = Figure("start → first response", Unit.SECONDS, goal=0.4)


def measure(peer: Peer) -> dict[str, list[float]]:
    with running(peer) as server:
        return {START.name: [server.start_seconds]}


PROGRAM = Program(figures=(START,), repetitions=10, measure=measure)

if __name__ == "__main__":
    main([PROGRAM])
