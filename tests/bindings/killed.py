"""Programs that use a binding in a process of their own, which is killed at the end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def running(program: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run `program` in a process that is killed at the end."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def acknowledged(program: str, count: int, *arguments: object) -> list[int]:
    """Run a program that prints a number for each thing that it did; kill it after `count`."""
    with running(program, *arguments) as process:
        assert process.stdout is not None
        return [int(process.stdout.readline()) for _ in range(count)]
