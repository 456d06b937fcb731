"""What a binding is opened with, besides its configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from emulator.clock import Clock
from emulator.errors import WorkerError
from emulator.sqlite import Removed, Synchronous
from emulator.state import State

if TYPE_CHECKING:
    from bindings.durable_objects.namespace import ObjectCalls
    from bindings.loader.loader import Isolates
    from bindings.service.service import Workers
    from bindings.workflow.workflow import Executor

Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True, repr=False)  # it holds secrets
class Places:
    """What a worker gives to its bindings.

    project_dir: what relative paths are relative to. clock: the one that workflows live by, which
    may be virtual. executor: executes workflows. synchronous: how SQLite files are made durable.
    secrets: values that no file may contain. announce: tells the person at the terminal. look:
    raises Removed when the state directory is gone. workers: those that it can be bound to.
    objects: the Durable Objects of this one. isolates: those that it has loaded.
    """

    state: State
    project_dir: Path
    clock: Clock
    executor: Executor
    synchronous: Synchronous
    secrets: tuple[str, ...]
    announce: Callable[[str], None]
    look: Callable[[], None]
    workers: Workers
    objects: ObjectCalls
    isolates: Isolates
    kept: dict[str, Any]

    def check(self) -> None:
        """Raise WorkerError if a new, empty file would replace lost state."""
        try:
            self.look()
        except Removed as error:
            raise WorkerError(str(error)) from None

    def keep(self, name: str, make: Callable[[], Kept]) -> Kept:
        """Return what was made under this name before, else make it: it outlives reloads."""
        if name not in self.kept:
            self.kept[name] = make()
        found: Kept = self.kept[name]
        return found
