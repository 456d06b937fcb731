"""Fills and searches one index of random vectors in this process; prints samples as JSON.

`python -m benchmarks.vector_index FOLDER COUNT DIMENSIONS`: inserts if the folder has no index yet,
else opens it again. `vectors.py` runs it twice, each time in a new process.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy

from benchmarks.processes import settled_memory_of
from bindings.vectorize.index import Index
from bindings.vectorize.settings import IndexConfig
from bindings.vectorize.vectors import parse_vectors

BATCH = 1_000
QUERIES = 30
TENTHS = 10  # a filter on one value keeps a tenth


def main() -> None:
    """Do what the command line says."""
    folder, count, dimensions = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    path = folder / "index.sqlite"
    random = numpy.random.default_rng(7)
    config = IndexConfig(dimensions, "cosine", {"tenth": "number"})
    if not path.exists():
        print(json.dumps({"insert": [_fill(path, config, random, count)]}))
    else:
        print(json.dumps(_search(path, config, random)))


def _fill(path: Path, config: IndexConfig, random: numpy.random.Generator, count: int) -> float:
    """Return the seconds of the inserts, without the time to make the vectors."""
    index = Index(path, "index", config)
    taken = 0.0
    for start in range(0, count, BATCH):
        values = random.standard_normal((BATCH, config.dimensions or 0)).tolist()
        vectors = [
            {"id": f"v{start + n}", "values": row, "metadata": {"tenth": n % TENTHS}}
            for n, row in enumerate(values)
        ]
        began = time.perf_counter()
        index.write("insert", parse_vectors(vectors))
        taken += time.perf_counter() - began
    index.close()
    return taken


def _search(
    path: Path, config: IndexConfig, random: numpy.random.Generator
) -> dict[str, list[float]]:
    before = settled_memory_of(os.getpid()).proportional
    index = Index(path, "index", config)

    def query(options: dict[str, object]) -> float:
        vector = random.standard_normal(config.dimensions or 0).tolist()
        return _seconds(lambda: index.query(vector, {"topK": 10, **options}))

    opening = query({})
    memory = settled_memory_of(os.getpid()).proportional - before
    return {
        "reopen": [opening],
        "memory": [float(memory)],
        "query": [query({}) for _ in range(QUERIES)],
        "filtered": [query({"filter": {"tenth": 3}}) for _ in range(QUERIES)],
    }


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
