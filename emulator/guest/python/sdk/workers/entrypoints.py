"""The classes user code extends. Source: docs/platform/python-workers.md, "Handlers"."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from ... import scope
from ..jsdict import JsDict
from ..jsobject import is_named

_Handler = TypeVar("_Handler", bound=Callable[..., Any])


class Context:
    """`self.ctx`. exports: the worker's own entrypoints; without it, there is no such attribute."""

    def __init__(self, props: JsDict | None = None, exports: Any = None) -> None:
        self.props = JsDict() if props is None else props
        if exports is not None:
            self.exports = exports

    def wait_until(self, awaitable: Awaitable[Any]) -> None:
        """Keep the request alive until `awaitable` has settled."""
        scope.current().wait_until(awaitable)

    waitUntil = wait_until  # JavaScript's name

    def passThroughOnException(self) -> None:
        """Do nothing: there is no origin to pass through to."""


class _Entrypoint:
    def __init__(self, ctx: Any, env: Any) -> None:
        self.ctx = ctx
        self.env = env


class WorkerEntrypoint(_Entrypoint):
    """A worker: `Default` handles HTTP requests. A new instance is made for each."""


class DurableObject(_Entrypoint):
    """A Durable Object: one instance for each id, with storage."""


class DurableObjectAbort(BaseException):
    """Ends the code of an object that was aborted. Not an Exception: no handler goes on."""


class WorkflowEntrypoint(_Entrypoint):
    """A workflow: `run(event, step)`."""


BASES = (WorkerEntrypoint, DurableObject, WorkflowEntrypoint)
for _base in (*BASES, Context, DurableObjectAbort):
    _base.__module__ = "workers"


def handler(function: _Handler) -> _Handler:
    """Give a global handler the SDK's `Request`."""

    @functools.wraps(function)
    def wrapper(*args: Any, **keywords: Any) -> Any:
        if args and is_named(args[0], "Request"):
            args = (args[0]._own, *args[1:])
        return function(*args, **keywords)

    return wrapper  # type: ignore[return-value]
