"""On whose behalf user code is running right now: a request, a workflow run, or nobody (import).

The scope travels with the context of a task, into every task user code starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context, ContextVar
from typing import Any, Protocol

from .sdk.jserror import JsException


class RunDropped(BaseException):
    """Raised into code of a run that was dropped. Not an Exception, so that no retry loop of the

    user goes on in a run that nobody waits for.
    """


class Held(Protocol):
    """The Durable Object that code belongs to, which holds back what its storage does not have."""

    def before_call(self) -> int:
        """Return the object's number, with which the host holds a call of a binding back."""
        ...

    async def confirmed(self) -> None:
        """Return when what was written is durable."""
        ...

    async def after(self, answer: Awaitable[Any]) -> Any:
        """Wait for an answer from elsewhere, and then until code may go on."""
        ...


class Scope(Protocol):
    """A request or a workflow run."""

    run: int  # the run's number; 0 for a request
    depth: int  # how many calls of workers it is inside of
    dropped: bool
    # Of a probe, a run that may have no effects: says that it tried one, such as `"env.DB.exec()"`,
    # and returns what never ends.
    refuse: Callable[[str], asyncio.Future[Any]] | None

    @property
    def object(self) -> Held | None:
        """The Durable Object whose code it is."""
        ...

    @property
    def label(self) -> str:
        """What the lines that it prints are labelled with, see `labelled`; may be empty."""
        ...

    def wait_until(self, awaitable: Awaitable[Any]) -> None:
        """Let `awaitable` finish before the scope counts as ended."""
        ...


_current: ContextVar[Scope | None] = ContextVar("groundfog_scope", default=None)
enter = _current.set
find = _current.get


def find_in(context: Context) -> Scope | None:
    """Return the scope that code in `context` runs in."""
    return context.get(_current)


def current() -> Scope:
    """Return the scope user code runs in.

    Raises JsException at import time, RunDropped in a run that was dropped.
    Source: docs/platform/hosting.md, "Global scope".
    """
    scope = _current.get()
    if scope is None:
        raise JsException(
            "Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or "
            "connect()), setting a timeout, and generating random values are not allowed within "
            "global scope. To fix this error, perform this operation within a handler."
        )
    if scope.dropped:
        raise RunDropped
    return scope
