"""A Durable Object of a worker under test: its storage, its alarm, its life."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from groundfog.testing.guest_code import module
from groundfog.testing.mocking import decoded
from groundfog.testing.opened import Opened

__tracebackhide__ = True  # pytest shows the line of the test, not ours


class Object:
    """One Durable Object, which need not exist yet. Python workers only.

    Its methods are called by its stub: `worker.env.COUNTERS.getByName("a").increment()`.
    """

    def __init__(self, opened: Opened, of: str, name: str | None, id: str | None) -> None:
        if (name is None) == (id is None):
            raise TypeError("a Durable Object is named by name= or by id=")
        self._opened = opened
        self._of = of
        self._name = name
        self._id = "" if id is None else str(id)

    @property
    def storage(self) -> ObjectStorage:
        """What it has stored."""
        return ObjectStorage(self)

    @property
    def alarm(self) -> datetime | None:
        """When its alarm is due, in the worker's clock; None without one."""
        due_ms = self._ask("object.alarm")
        return None if due_ms is None else datetime.fromtimestamp(due_ms / 1000, UTC)

    def run_alarm(self) -> bool:
        """Let its alarm ring now, whatever the time is; return False if it has none.

        Raises WorkerError with the user's traceback when `alarm()` raises; it is not tried again.
        """
        return bool(self._ask("object.run_alarm"))

    def evict(self) -> bool:
        """Take it out of memory, as after a while without events; return False if it is not there.

        Its next event makes it again. What it has stored stays, and so do hibernating WebSockets.
        """
        return bool(self._ask("object.evict"))

    def _ask(self, what: str, **args: Any) -> Any:
        link, number = self._opened.link, self._opened.number
        if not self._id:
            found = link.ask(number, "objects.class", of=self._of)
            self._id = str(module("guest.python.objects.ids").Ids(found["key"]).of_name(self._name))
        return link.ask(number, what, of=self._of, id=self._id, name=self._name, **args)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._of} {self._name or self._id}>"


class ObjectStorage:
    """The storage of a Durable Object: `storage.sql.exec(…)`, `storage.list()`."""

    def __init__(self, object: Object) -> None:
        self._object = object

    @property
    def sql(self) -> ObjectSql:
        """Its SQLite database."""
        return ObjectSql(self._object)

    def get(self, key: str) -> Any:
        """Return the value of a key; None without one."""
        return (self.list()).get(key)

    def list(self) -> dict[str, Any]:
        """Return all keys and their values."""
        found = self._object._ask("object.values")
        return {key: decoded(value) for key, value in found.items()}


class ObjectSql:
    """The SQLite database of a Durable Object."""

    def __init__(self, object: Object) -> None:
        self._object = object

    def exec(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        """Execute SQL, with a value for each `?`; return the rows. Raises RefusedError."""
        rows: list[dict[str, Any]] = self._object._ask("object.exec", sql=sql, params=list(params))
        return rows
