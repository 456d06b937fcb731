"""Exact search in a Vectorize index of 100,000 vectors of 768 dimensions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.command_line import main
from benchmarks.figures import Figure, Program, Unit
from benchmarks.peers import Peer

COUNT, DIMENSIONS = 100_000, 768
VECTORS_BYTES = 4 * COUNT * DIMENSIONS

QUERY = Figure("100,000 × 768 vectors: query, topK 10", Unit.SECONDS, goal=0.020)
FILTERED = Figure("… with a filter that keeps a tenth", Unit.SECONDS, goal=0.015)
INSERT = Figure("… inserting all", Unit.SECONDS, goal=30)
REOPEN = Figure("… opening again, first query included", Unit.SECONDS, goal=2)
MEMORY = Figure("… memory of the open index", Unit.BYTES, goal=1.3 * VECTORS_BYTES)
NAMES = {QUERY: "query", FILTERED: "filtered", INSERT: "insert", REOPEN: "reopen", MEMORY: "memory"}


def measure(peer: Peer) -> dict[str, list[float]]:
    """Return nothing for the rivals: neither has a local Vectorize."""
    if peer.name != "groundfog":
        return {}
    samples = samples_of(COUNT, DIMENSIONS)
    return {figure.name: samples[name] for figure, name in NAMES.items()}


def samples_of(count: int, dimensions: int) -> dict[str, list[float]]:
    """Fill an index, then search it in another process; return what `vector_index` prints."""
    with TemporaryDirectory() as folder:
        return _run(folder, count, dimensions) | _run(folder, count, dimensions)


def _run(folder: str, count: int, dimensions: int) -> dict[str, list[float]]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.vector_index", folder, str(count), str(dimensions)],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


PROGRAM = Program(figures=tuple(NAMES), repetitions=1, measure=measure)

if __name__ == "__main__":
    main([PROGRAM])
