"""What 1,000 sleeping instances cost: memory added to all processes, and bytes added on disk."""

from __future__ import annotations

from pathlib import Path

from benchmarks.command_line import main
from benchmarks.figures import Figure, Program, Unit
from benchmarks.peers import Peer
from benchmarks.processes import settled_memory_of
from benchmarks.servers import running

COUNT = 1_000

MEMORY = Figure("1,000 sleeping instances, memory (PSS)", Unit.BYTES, goal=6_000_000)
DISK = Figure("1,000 sleeping instances, disk", Unit.BYTES, goal=5_000_000)


def measure(peer: Peer) -> dict[str, list[float]]:
    with running(peer) as server:
        # One instance first, as loading and creating files are not the cost of a sleeper.
        server.client.get("/sleepers", params={"count": 1}).raise_for_status()
        memory_before = settled_memory_of(server.pid).proportional
        disk_before = _bytes_on_disk(server.state)
        server.client.get("/sleepers", params={"count": COUNT}).raise_for_status()
        memory_after = settled_memory_of(server.pid).proportional
        return {
            MEMORY.name: [memory_after - memory_before],
            DISK.name: [_bytes_on_disk(server.state) - disk_before],
        }


def _bytes_on_disk(folder: Path) -> int:
    """Return the size of the files in blocks, as `du` counts."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


PROGRAM = Program(figures=(MEMORY, DISK), repetitions=2, measure=measure)

if __name__ == "__main__":
    main([PROGRAM])
