"""Service bindings: a call goes on, as it is, to the worker that is bound.

Source: docs/platform/services.md, "Calls".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct, field

from bindings.binding import START_BOTH, Call, Encoded, OnlyForwards
from emulator.errors import WorkerError

FETCH = "fetch"


class Target(Struct, frozen=True):
    """What is called: an entrypoint of a worker, "" for its default one, and its `ctx.props`."""

    worker: str
    entrypoint: str = ""
    props: Mapping[str, Any] = field(default_factory=dict)


class Callee(Protocol):
    """A worker of the session."""

    async def answer(self, target: Target, call: Call) -> Encoded:
        """Let it answer a call. Raises WorkerError."""
        ...


class Workers(Protocol):
    """The workers of the session."""

    def find(self, name: str) -> Callee | None:
        """Return the worker with this name; None: it does not run."""
        ...

    def executor(self, name: str) -> Any:
        """Return what executes the workflows of that worker, an `Executor`; None as above."""
        ...

    def objects(self, name: str, class_name: str) -> Any:
        """Return a class of Durable Objects of that worker and where they live; None as above.

        Raises WorkerError when it has no such class.
        """
        ...


class Service(OnlyForwards):
    """A binding to one target; where its worker is, is looked up at each call."""

    kind = "service"

    def __init__(self, target: Target, workers: Workers) -> None:
        self._target = target
        self._workers = workers
        self.refusal = f"Worker {target.worker} can only be called by other workers."

    async def forward(self, call: Call) -> Encoded:
        """Let the target answer. Raises WorkerError, also when its worker does not run."""
        callee = self._workers.find(self._target.worker)
        if callee is None:
            raise not_connected(self._target, call.method)
        return await callee.answer(self._target, call)


def not_connected(target: Target, method: str) -> WorkerError:
    """Return the error of a call of a worker that does not run, worded as wrangler does.

    Source:
    https://github.com/cloudflare/workers-sdk/blob/main/packages/miniflare/src/workers/core/dev-registry-proxy.worker.ts
    """
    entrypoint = target.entrypoint or "default"
    return WorkerError(
        f'Cannot access "{method}" as we couldn\'t find a local dev session for the "{entrypoint}" '
        f'entrypoint of service "{target.worker}" to proxy to. {START_BOTH}'
    )
