"""Whether a step costs the same after 10,000 others as among the first hundred of an instance.

It compares the processor time of all processes of the server. On a busy machine it stays the same,
and an engine that reads an ever longer history would spend it.
"""

from __future__ import annotations

from benchmarks.command_line import main
from benchmarks.figures import Figure, Program, Unit
from benchmarks.peers import Peer
from benchmarks.processes import processor_seconds, tree_of
from benchmarks.servers import Server, running

STEPS = 10_000
SHORT = 100
SHORT_INSTANCES = 20  # one after the other

LONG = Figure("1 instance × 10,000 steps", Unit.PER_SECOND)
COST = Figure("1 instance × 10,000 steps: processor time, in all", Unit.SECONDS)
GROWTH = Figure("1 instance × 10,000 steps: a step, against the first hundred", Unit.TIMES, 1.5)


def measure(peer: Peer) -> dict[str, list[float]]:
    with running(peer) as server:
        _run(server, SHORT)  # so that loading and compiling are not measured
        short = sum(_run(server, SHORT)[1] for _ in range(SHORT_INSTANCES))
        seconds, long = _run(server, STEPS)
        growth = (long / STEPS) / (short / SHORT / SHORT_INSTANCES)
        return {LONG.name: [STEPS / seconds], COST.name: [long], GROWTH.name: [growth]}


def _run(server: Server, steps: int) -> tuple[float, float]:
    """Return the seconds one instance took, and the processor time of all processes."""
    before = _processor_seconds(server)
    answer = server.client.get("/steps", params={"instances": 1, "steps": steps})
    seconds: float = answer.raise_for_status().json()["run_seconds"]
    return seconds, _processor_seconds(server) - before


def _processor_seconds(server: Server) -> float:
    return sum(processor_seconds(process.pid) for process in tree_of(server.pid))


PROGRAM = Program(figures=(LONG, COST, GROWTH), repetitions=1, measure=measure)

if __name__ == "__main__":
    main([PROGRAM])
