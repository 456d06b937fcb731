"""A worker under test."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any

from groundfog.testing.aio.ai import AsyncAi
from groundfog.testing.aio.clock import AsyncClock
from groundfog.testing.aio.d1 import AsyncD1
from groundfog.testing.aio.faults import AsyncFaults
from groundfog.testing.aio.handlers import AsyncHandlers
from groundfog.testing.aio.life import AsyncLife
from groundfog.testing.aio.objects import AsyncObject
from groundfog.testing.aio.outbound import AsyncOutbound
from groundfog.testing.aio.requests import AsyncRequests
from groundfog.testing.aio.workflow import AsyncInstance, AsyncWorkflow
from groundfog.testing.env import members
from groundfog.testing.errors import RefusedError
from groundfog.testing.opened import Opened

__tracebackhide__ = True  # pytest shows the line of the test, not ours


class AsyncWorker(AsyncRequests, AsyncHandlers, AsyncLife):
    """A real worker with real bindings, with state and a clock of its own.

    The fixture `async_worker` gives one to each test; `groundfog.worker()` makes others. All
    methods work on asyncio and on trio.
    """

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened)
        self._env: Any = None

    @property
    def env(self) -> Any:
        """The bindings and variables of the worker, as its own code has them.

        `await worker.env.DB.prepare("SELECT …").bind(1).all()`
        """
        if self._env is None:
            self._env = members(
                self._link, self._opened.number, self._opened.about, blocking=self._opened.blocking
            )
        return self._env

    def introspect_workflow(self, binding: str) -> AsyncWorkflow:
        """Return what looks into the instances of a workflow and mocks their steps.

        binding: its name on `env`, or the workflow's name. As a context manager, it sees the
        instances that are created from then on, and its mocks end with it.
        """
        return AsyncWorkflow(self._opened, binding)

    def introspect_workflow_instance(self, binding: str, id: str) -> AsyncInstance:
        """Return what looks into one instance, which need not exist yet, and mocks its steps."""
        return AsyncInstance(self._opened, binding, id)

    @property
    def clock(self) -> AsyncClock:
        """The worker's own clock, by which its workflows live."""
        return AsyncClock(self._opened)

    @property
    def outbound(self) -> AsyncOutbound:
        """The network, which is refused: rules that answer, and hosts that are let through."""
        self._opened.need_python("worker.outbound")
        return AsyncOutbound(self._opened)

    @property
    def ai(self) -> AsyncAi:
        """The calls of `env.AI`, and rules that answer them."""
        self._opened.need_python("worker.ai")
        return AsyncAi(self._opened)

    @property
    def faults(self) -> AsyncFaults:
        """Faults of the bindings: calls that fail, are slow, or lose their answers."""
        self._opened.need_python("worker.faults")
        return AsyncFaults(self._opened)

    def d1(self, binding: str) -> AsyncD1:
        """Return assertions about a D1 database."""
        return AsyncD1(self._opened, binding, self.env)

    def durable_object(self, of: str, *, name: str | None = None, id: Any = None) -> AsyncObject:
        """Return what looks into a Durable Object. of: its binding on `env`, or its class."""
        self._opened.need_python("worker.durable_object")
        return AsyncObject(self._opened, of, name, id)

    async def durable_object_ids(self, of: str) -> list[dict[str, Any]]:
        """Return `{"id", "name"}` of the Durable Objects of a class that have stored something."""
        self._opened.need_python("worker.durable_object_ids")
        found: list[dict[str, Any]] = await self._link.asking(
            self._opened.number, "objects.ids", of=of
        )
        return found

    async def apply_migrations(self, binding: str | None = None) -> list[str]:
        """Apply the D1 migrations that are not applied yet, of one database or of all.

        They are applied before each test, but with the option `migrate=False`. Returns what was
        told of each.
        """
        found: list[str] = await self._link.asking(
            self._opened.number, "apply_migrations", binding=binding
        )
        return found

    async def seed(self, sql: str | os.PathLike[str], binding: str | None = None) -> None:
        """Execute SQL, or what is in a file, in the D1 database; with several, `binding` names it.

        The path of a file is relative to the folder of the tests, where pytest runs.
        """
        if isinstance(sql, os.PathLike):
            with open(sql, encoding="utf-8") as file:
                sql = file.read()
        databases = [
            name for name, about in self._opened.about["bindings"].items() if about["kind"] == "d1"
        ]
        name = binding or (databases[0] if len(databases) == 1 else "")
        if name not in databases:
            there = ", ".join(databases) or "none"
            raise RefusedError(f"seed() needs the name of one D1 database; there are: {there}.")
        await self._link.asking(self._opened.number, "seed", binding=name, sql=sql)

    async def close(self) -> None:
        """End the worker. The fixtures do this themselves."""
        if not self._opened.closed:
            self._opened.closed = True
            await self._link.asking(self._opened.number, "close", keep=False)

    async def __aenter__(self) -> AsyncWorker:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    # --- what happened

    @property
    async def logs(self) -> list[dict[str, Any]]:
        """What was printed and told: `{"level", "message", "at_ms", …}` of each line.

        level: "log" and "error" are lines of the worker's stdout and stderr; "notice", "warning"
        and "problem" are Groundfog's. A line that was printed for a request has `request`
        (`"GET /orders"`), one of a workflow has `workflow` and `instance`; others have "" there.
        """
        found: list[dict[str, Any]] = await self._link.asking(self._opened.number, "logs")
        return found

    def clear_logs(self) -> None:
        """Forget what was printed and told up to now."""
        self._link.tell(self._opened.number, "clear_logs")

    async def debug(self) -> None:
        """Print everything that is known: logs, and the timeline of each instance."""
        text = await self._link.asking(self._opened.number, "debug")
        sys.stdout.write(text + os.linesep)

    @property
    def name(self) -> str:
        """The worker's name in its configuration."""
        return str(self._opened.about["name"])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"
