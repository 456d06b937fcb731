"""`env.DISPATCHER.get(name)`: a call goes on to the worker of the session with this name.

Source: docs/platform/services.md, "Dispatch namespaces".
"""

from __future__ import annotations

from msgspec.structs import replace

from bindings.binding import Call, Encoded, OnlyForwards
from bindings.service.service import Target, Workers
from emulator.errors import WorkerError

NOT_FOUND = "Worker not found."


class Dispatcher(OnlyForwards):
    """A binding to all workers of the session."""

    kind = "dispatch_namespaces"
    refusal = "A dispatch namespace can only be called by workers."

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    async def forward(self, call: Call) -> Encoded:
        """Let a worker answer; the method is `"<worker> <method>"`. Raises WorkerError."""
        name, _, method = call.method.partition(" ")
        return await self.of(name).forward(replace(call, method=method))

    def of(self, name: str) -> Dispatched:
        """Return the worker with this name, whether or not it runs."""
        return Dispatched(self._workers, name)


class Dispatched(OnlyForwards):
    """One of those workers, as it is called."""

    kind = "dispatch_namespaces"
    refusal = Dispatcher.refusal

    def __init__(self, workers: Workers, name: str) -> None:
        self._workers = workers
        self._name = name

    async def forward(self, call: Call) -> Encoded:
        """Let the worker answer. Raises WorkerError, also when it does not run."""
        callee = self._workers.find(self._name)
        if callee is None:
            raise WorkerError(NOT_FOUND)
        return await callee.answer(Target(self._name), call)
