"""All benchmarks, one after the other, as one table."""

from __future__ import annotations

from benchmarks import (
    embeddings,
    load,
    long_instance,
    memory,
    save,
    sleepers,
    start,
    steps,
    vectors,
)
from benchmarks.command_line import main

PROGRAMS = [
    start.PROGRAM,
    save.PROGRAM,
    save.WITH_SLEEPERS,
    steps.PROGRAM,
    long_instance.PROGRAM,
    load.PROGRAM,
    memory.PROGRAM,
    sleepers.PROGRAM,
    vectors.PROGRAM,
    embeddings.PROGRAM,
]

if __name__ == "__main__":
    main(PROGRAMS)
