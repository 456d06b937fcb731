"""The input gate of one object: while a section runs, no other event of the object goes on.

A section is what `blockConcurrencyWhile` or `transaction` was given. What it starts belongs to it.
Storage needs no gate: its calls let all code stand still.
Source: docs/platform/durable-objects.md, "Gates".
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

from ..calling import settle


class _Section:
    def __init__(self, outer: _Section | None) -> None:
        self.outer = outer
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()


_inside: contextvars.ContextVar[_Section | None] = contextvars.ContextVar(
    "groundfog_section", default=None
)


class InputGate:
    """Which section of an object runs, if one does."""

    def __init__(self) -> None:
        self._section: _Section | None = None

    @property
    def is_open(self) -> bool:
        """Whether the code that asks may go on."""
        return self._section is None or self._section is _inside.get()

    async def passed(self) -> None:
        """Return when the code that asks may go on."""
        while self._section is not None and self._section is not _inside.get():
            await asyncio.shield(self._section.over)

    async def after(self, answer: Awaitable[Any]) -> Any:
        """Wait for an answer from elsewhere, and then until code may go on."""
        try:
            return await answer
        finally:
            if not self.is_open:
                await self.passed()

    def run(self, function: Callable[[], Any]) -> asyncio.Task[Any]:
        """Call `function` in a section of its own; the task returns what it does.

        The section begins at once, unless another one runs.
        """
        return asyncio.ensure_future(self._run(function, self._begin() if self.is_open else None))

    async def _run(self, function: Callable[[], Any], section: _Section | None) -> Any:
        if section is None:
            await self.passed()
            section = self._begin()
        _inside.set(section)
        try:
            return await settle(function())
        finally:
            section.over.set_result(None)
            while self._section is not None and self._section.over.done():
                self._section = self._section.outer

    def _begin(self) -> _Section:
        self._section = _Section(self._section)
        return self._section
