"""A namespace of Durable Objects: a call goes on, as it is, to the object that it is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bindings.binding import START_BOTH, Call, Encoded, OnlyForwards
from emulator.errors import WorkerError

IDLE_MS = 10_000


@dataclass(frozen=True, slots=True)
class ObjectClass:
    """A class of objects, and what identifies their storage: `"my-worker-Counter"`.

    has_sql: it was made with SQLite storage, as `migrations` say. idle_ms: how long one may be
    without an event before it is forgotten. origin: the worker that the class was transferred from.
    Source: docs/platform/durable-objects.md, "Life".
    """

    name: str
    unique_key: str
    has_sql: bool = True
    idle_ms: int = IDLE_MS
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """One object. `id`: 64 hexadecimal digits; `name`: what they were made of, if known."""

    of: ObjectClass
    id: str
    name: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What identifies it in the session: the key of its class, and its id."""
        return self.of.unique_key, self.id


class ObjectCalls(Protocol):
    """Where objects live."""

    async def answer(self, address: Address, call: Call) -> Encoded:
        """Let an object answer a call. Raises WorkerError."""
        ...


class Namespace(OnlyForwards):
    """The objects of one class, as a binding."""

    kind = "durable_object"
    refusal = "Durable Objects can only be called by workers."

    def __init__(self, of: ObjectClass, objects: ObjectCalls) -> None:
        self._of = of
        self.objects = objects

    async def forward(self, call: Call) -> Encoded:
        """Let an object answer; the call's method is `"<id> <method>"` and the object's name."""
        return await _passed_on(call, self._of, self.objects)


class NamespaceElsewhere(OnlyForwards):
    """The objects of a class of another worker. find: looks it up at each call.

    It raises WorkerError when that worker has no such class; None: that worker does not run.
    """

    kind = Namespace.kind
    refusal = Namespace.refusal

    def __init__(
        self,
        worker: str,
        class_name: str,
        find: Callable[[], tuple[ObjectClass, ObjectCalls] | None],
    ) -> None:
        self._worker = worker
        self._class_name = class_name
        self._find = find

    async def forward(self, call: Call) -> Encoded:
        """Let an object answer. Raises WorkerError, also when its worker does not run."""
        found = self._find()
        if found is None:
            raise WorkerError(
                f"The Durable Objects of {self._class_name} are of the worker {self._worker}, which"
                f" is not started. {START_BOTH}"
            )
        return await _passed_on(call, *found)


async def _passed_on(call: Call, of: ObjectClass, objects: ObjectCalls) -> Encoded:
    id, method, *name = call.method.split(" ", 2)
    address = Address(of, id, name[0] if name else None)
    return await objects.answer(address, Call(method, call.payload, call.body, call.depth))
