"""`env.LOADER`: calls go on to what loads code and runs it.

Source: docs/platform/worker-loader.md, "The binding".
"""

from __future__ import annotations

from typing import Protocol

from bindings.binding import Call, Encoded, OnlyForwards


class Isolates(Protocol):
    """The workers that were loaded."""

    async def answer(self, loader: str, call: Call) -> Encoded:
        """Load a worker, or let a loaded one answer. Raises WorkerError."""
        ...


class WorkerLoader(OnlyForwards):
    """One `worker_loaders` binding; each has loaded workers of its own."""

    kind = "worker_loaders"
    refusal = "A worker loader can only be called by workers."

    def __init__(self, name: str, isolates: Isolates) -> None:
        self._name = name
        self._isolates = isolates

    async def forward(self, call: Call) -> Encoded:
        """See `Isolates.answer`."""
        return await self._isolates.answer(self._name, call)
