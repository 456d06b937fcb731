"""One forkserver for the guests of all tests of a process.

It takes ten times as long to start as a guest takes to be forked.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from emulator.runner.python.forkserver import Forkserver

T = TypeVar("T")

# Guests may run on another Python than the tests: CI has them on every one that it finds.
GUEST_PYTHON = os.environ.get("GROUNDFOG_GUEST_PYTHON", sys.executable)


class Forks:
    """A forkserver, and the event loop that hears from it."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self.forkserver = Forkserver(Path(GUEST_PYTHON))

    def run(self, scenario: Coroutine[Any, Any, T]) -> T:
        """Run a scenario, and cancel what it leaves behind, as `asyncio.run` does."""
        return self._runner.run(_alone(scenario))

    def close(self) -> None:
        self._runner.run(self.forkserver.stop())
        self._runner.close()


async def _alone(scenario: Coroutine[Any, Any, T]) -> T:
    try:
        return await scenario
    finally:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


@cache
def forks() -> Forks:
    """Return those of this process; `tests/conftest.py` closes them."""
    return Forks()
