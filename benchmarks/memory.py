"""How much memory one idle project takes, in all processes of the server together."""

from __future__ import annotations

from benchmarks.command_line import main
from benchmarks.figures import Figure, Program, Unit
from benchmarks.peers import Peer
from benchmarks.processes import settled_memory_of
from benchmarks.servers import running

PROPORTIONAL = Figure("idle memory (PSS)", Unit.BYTES, goal=120_000_000)
RESIDENT = Figure("idle memory (RSS, shared pages counted again)", Unit.BYTES)


def measure(peer: Peer) -> dict[str, list[float]]:
    with running(peer) as server:
        for path in ("/", "/d1"):
            server.client.get(path).raise_for_status()
        memory = settled_memory_of(server.pid)
        return {PROPORTIONAL.name: [memory.proportional], RESIDENT.name: [memory.resident]}


PROGRAM = Program(figures=(PROPORTIONAL, RESIDENT), repetitions=2, measure=measure)

if __name__ == "__main__":
    main([PROGRAM])
