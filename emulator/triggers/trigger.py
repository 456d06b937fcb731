"""A trigger, as the rest of Groundfog sees it, and what it gets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from msgspec import Struct

from bindings.binding import Binding
from emulator.clock import Clock
from emulator.config.model import Config
from emulator.engine.clock_control import Work
from emulator.kinds.kind import Kind, Record

# Calls a handler of the worker, such as `("scheduled", [cron, ms])`; returns what it says.
# Raises HandlerError, GuestLost, LoadError.
Call = Callable[[str, list[Any]], Awaitable[Any]]


class Around(Struct, frozen=True):
    """What a trigger gets. notice, error: what the person at the terminal is told.

    follows_crons: see `Seams` in `session.py`.
    """

    clock: Clock
    call: Call
    opened: Callable[[Kind, Record], Binding]
    notice: Callable[[str], None]
    error: Callable[[str], None]
    follows_crons: bool = True


class Trigger(Protocol):
    """Calls handlers of a worker as its configuration says."""

    def follow(self, config: Config) -> None:
        """Do what this configuration says from now on."""
        ...

    def next_ms(self) -> int | None:
        """Return when it calls next; None when it waits for nothing."""
        ...

    def in_flight(self) -> set[Work]:
        """Return the calls that have not ended; numbers below 0, as those above are of runs."""
        ...

    async def stop(self) -> None:
        """Call nothing any more; return when all calls have ended or were given up."""
        ...
