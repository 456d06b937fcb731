"""Assertions about a D1 database of a worker under test."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from groundfog.testing.errors import OverBudget
from groundfog.testing.opened import Opened

__tracebackhide__ = True  # pytest shows the line of the test, not ours


class AsyncD1:
    """One database, by the name of its binding."""

    def __init__(self, opened: Opened, binding: str, env: Any) -> None:
        self._opened = opened
        self._binding = binding
        self._database = getattr(env, binding)

    async def rows(self, table: str) -> list[dict[str, Any]]:
        """Return all rows of a table, in the order of its keys."""
        name = table.replace('"', '""')
        found = await self._database.prepare(f'SELECT * FROM "{name}"').all()
        return [dict(row) for row in found["results"]]

    def max_queries(self, count: int) -> AsyncMaxQueries:
        """Return a context manager that fails when the worker runs more statements inside it."""
        self._opened.need_python("max_queries")
        return AsyncMaxQueries(self, count)

    async def queries(self) -> int:
        """Return how many statements the worker has run."""
        found = await self._opened.link.asking(
            self._opened.number, "binding.calls", binding=self._binding
        )
        return sum(weight for method, weight in found if method in ("query", "exec"))


class AsyncMaxQueries:
    """See `AsyncD1.max_queries`."""

    def __init__(self, database: AsyncD1, count: int) -> None:
        self._database = database
        self._count = count
        self._before = 0

    async def __aenter__(self) -> AsyncMaxQueries:
        self._before = await self._database.queries()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        used = await self._database.queries() - self._before
        if kind is None and used > self._count:
            raise OverBudget(
                f"The worker ran {used} statements; {self._count} were expected at the most."
            )
