"""How many workflow steps and new instances per second: measured inside the worker.

The time is from before `createBatch` until the last instance's `run` ends, when each of its steps
is acknowledged. The worker asks for no status during that time, as that would load a fast peer more
than a slow one. Afterwards, unmeasured, it checks that every instance reports `complete`.
"""

from __future__ import annotations

from benchmarks.command_line import main
from benchmarks.figures import Figure, Program, Unit
from benchmarks.peers import Peer
from benchmarks.servers import Server, running

CREATED = 200  # few enough for the slowest peer, but more than one batch

WIDE = Figure("100 instances × 10 steps", Unit.PER_SECOND, goal=10_000)
LARGE = Figure("100 instances × 100 steps", Unit.PER_SECOND, goal=10_000)
SEQUENTIAL = Figure("1 instance × 100 steps", Unit.PER_SECOND, goal=1_500)
CREATION = Figure("creating instances", Unit.PER_SECOND, goal=3_000)
EMPTY_RUNS = Figure("creating and running empty instances", Unit.PER_SECOND)


def measure(peer: Peer) -> dict[str, list[float]]:
    with running(peer) as server:
        _run(server, 10, 10)  # so that loading and compiling are not measured
        # From few to many: some peers become slower with each instance.
        sequential = [100 / _run(server, 1, 100)[1] for _ in range(3)]
        wide = [1_000 / _run(server, 100, 10)[1] for _ in range(3)]
        created_seconds, empty_runs_seconds = _run(server, CREATED, 0)
        large = [10_000 / _run(server, 100, 100)[1]]
        return {
            WIDE.name: wide,
            LARGE.name: large,
            SEQUENTIAL.name: sequential,
            CREATION.name: [CREATED / created_seconds],
            EMPTY_RUNS.name: [CREATED / empty_runs_seconds],
        }


def _run(server: Server, instances: int, steps: int) -> tuple[float, float]:
    """Return the seconds until all instances were created, and until all had run."""
    answer = server.client.get("/steps", params={"instances": instances, "steps": steps})
    times = answer.raise_for_status().json()
    return times["created_seconds"], times["run_seconds"]


PROGRAM = Program(
    figures=(WIDE, LARGE, SEQUENTIAL, CREATION, EMPTY_RUNS),
    repetitions=2,
    measure=measure,
    for_engines=True,
)

if __name__ == "__main__":
    main([PROGRAM])
