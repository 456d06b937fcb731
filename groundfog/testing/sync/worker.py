"""A worker under test."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any

from groundfog.testing.env import members
from groundfog.testing.errors import RefusedError
from groundfog.testing.opened import Opened
from groundfog.testing.sync.ai import Ai
from groundfog.testing.sync.clock import Clock
from groundfog.testing.sync.d1 import D1
from groundfog.testing.sync.faults import Faults
from groundfog.testing.sync.handlers import Handlers
from groundfog.testing.sync.life import Life
from groundfog.testing.sync.objects import Object
from groundfog.testing.sync.outbound import Outbound
from groundfog.testing.sync.requests import Requests
from groundfog.testing.sync.workflow import Instance, Workflow

__tracebackhide__ = True  # pytest shows the line of the test, not ours


class Worker(Requests, Handlers, Life):
    """A real worker with real bindings, with state and a clock of its own.

    The fixture `worker` gives one to each test; `groundfog.worker()` makes others. All
    methods return when they are done.
    """

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened)
        self._env: Any = None

    @property
    def env(self) -> Any:
        """The bindings and variables of the worker, as its own code has them.

        `worker.env.DB.prepare("SELECT …").bind(1).all()`
        """
        if self._env is None:
            self._env = members(
                self._link, self._opened.number, self._opened.about, blocking=self._opened.blocking
            )
        return self._env

    def introspect_workflow(self, binding: str) -> Workflow:
        """Return what looks into the instances of a workflow and mocks their steps.

        binding: its name on `env`, or the workflow's name. As a context manager, it sees the
        instances that are created from then on, and its mocks end with it.
        """
        return Workflow(self._opened, binding)

    def introspect_workflow_instance(self, binding: str, id: str) -> Instance:
        """Return what looks into one instance, which need not exist yet, and mocks its steps."""
        return Instance(self._opened, binding, id)

    @property
    def clock(self) -> Clock:
        """The worker's own clock, by which its workflows live."""
        return Clock(self._opened)

    @property
    def outbound(self) -> Outbound:
        """The network, which is refused: rules that answer, and hosts that are let through."""
        self._opened.need_python("worker.outbound")
        return Outbound(self._opened)

    @property
    def ai(self) -> Ai:
        """The calls of `env.AI`, and rules that answer them."""
        self._opened.need_python("worker.ai")
        return Ai(self._opened)

    @property
    def faults(self) -> Faults:
        """Faults of the bindings: calls that fail, are slow, or lose their answers."""
        self._opened.need_python("worker.faults")
        return Faults(self._opened)

    def d1(self, binding: str) -> D1:
        """Return assertions about a D1 database."""
        return D1(self._opened, binding, self.env)

    def durable_object(self, of: str, *, name: str | None = None, id: Any = None) -> Object:
        """Return what looks into a Durable Object. of: its binding on `env`, or its class."""
        self._opened.need_python("worker.durable_object")
        return Object(self._opened, of, name, id)

    def durable_object_ids(self, of: str) -> list[dict[str, Any]]:
        """Return `{"id", "name"}` of the Durable Objects of a class that have stored something."""
        self._opened.need_python("worker.durable_object_ids")
        found: list[dict[str, Any]] = self._link.ask(self._opened.number, "objects.ids", of=of)
        return found

    def apply_migrations(self, binding: str | None = None) -> list[str]:
        """Apply the D1 migrations that are not applied yet, of one database or of all.

        They are applied before each test, but with the option `migrate=False`. Returns what was
        told of each.
        """
        found: list[str] = self._link.ask(self._opened.number, "apply_migrations", binding=binding)
        return found

    def seed(self, sql: str | os.PathLike[str], binding: str | None = None) -> None:
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
        self._link.ask(self._opened.number, "seed", binding=name, sql=sql)

    def close(self) -> None:
        """End the worker. The fixtures do this themselves."""
        if not self._opened.closed:
            self._opened.closed = True
            self._link.ask(self._opened.number, "close", keep=False)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # --- what happened

    @property
    def logs(self) -> list[dict[str, Any]]:
        """What was printed and told: `{"level", "message", "at_ms", …}` of each line.

        level: "log" and "error" are lines of the worker's stdout and stderr; "notice", "warning"
        and "problem" are Groundfog's. A line that was printed for a request has `request`
        (`"GET /orders"`), one of a workflow has `workflow` and `instance`; others have "" there.
        """
        found: list[dict[str, Any]] = self._link.ask(self._opened.number, "logs")
        return found

    def clear_logs(self) -> None:
        """Forget what was printed and told up to now."""
        self._link.tell(self._opened.number, "clear_logs")

    def debug(self) -> None:
        """Print everything that is known: logs, and the timeline of each instance."""
        text = self._link.ask(self._opened.number, "debug")
        sys.stdout.write(text + os.linesep)

    @property
    def name(self) -> str:
        """The worker's name in its configuration."""
        return str(self._opened.about["name"])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"
