"""The Durable Objects that live in this guest, by number. The host opens and closes them."""

from __future__ import annotations

from ....protocol.objects import ObjectClose, ObjectOpen
from ..loader import Worker
from .instance import DurableInstance
from .line import Ask, Send, Storages

GONE = "The Durable Object was evicted from memory."


class Objects:
    """Opens and closes objects as the host says. storages: how theirs are reached."""

    def __init__(self, send: Send, ask: Ask) -> None:
        self.storages = Storages(send, ask)
        self._instances: dict[int, DurableInstance] = {}

    def open(self, message: ObjectOpen, worker: Worker) -> None:
        """An object lives here from now on."""
        self._instances[message.object] = DurableInstance(message, worker, self.storages)

    def close(self, message: ObjectClose) -> None:
        """Forget an object."""
        instance = self._instances.pop(message.object, None)
        if instance is not None:
            instance.close(message.reason or GONE)

    def of(self, number: int) -> DurableInstance | None:
        """Return the object with this number; None for 0, and for one that is forgotten."""
        return self._instances.get(number)
