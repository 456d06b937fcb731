"""A Vectorize index of a million vectors of 384 dimensions works, and how fast.

Run by its own command only: it takes minutes, and gigabytes of memory and disk.
"""

from __future__ import annotations

from benchmarks.command_line import main
from benchmarks.figures import Figure, Program, Unit
from benchmarks.peers import Peer
from benchmarks.vectors import samples_of

COUNT, DIMENSIONS = 1_000_000, 384

NAMES = {
    Figure("1,000,000 × 384 vectors: query, topK 10", Unit.SECONDS): "query",
    Figure("… with a filter that keeps a tenth", Unit.SECONDS): "filtered",
    Figure("… inserting all", Unit.SECONDS): "insert",
    Figure("… opening again, first query included", Unit.SECONDS): "reopen",
    Figure("… memory of the open index", Unit.BYTES): "memory",
}


def measure(peer: Peer) -> dict[str, list[float]]:
    """Return nothing for the rivals: neither has a local Vectorize."""
    if peer.name != "groundfog":
        return {}
    samples = samples_of(COUNT, DIMENSIONS)
    return {figure.name: samples[name] for figure, name in NAMES.items()}


PROGRAM = Program(figures=tuple(NAMES), repetitions=1, measure=measure)

if __name__ == "__main__":
    main([PROGRAM])
