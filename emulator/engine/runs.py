"""A run in memory: one pass through the user's `run()` in one guest, and the calls it waits on.

A run is never durable. It can be dropped at any moment and started again from the journal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from emulator.clock import Alarm
from emulator.engine.model import Instance
from emulator.protocol.messages import Loaded, Message, StepBegin


class Guest(Protocol):
    """What the engine needs of a guest. The runner's guests satisfy it."""

    generation: int
    loaded: Loaded

    def send(self, message: Message) -> None:
        """Queue `message`; a guest that is gone ignores it."""
        ...


class CallState(StrEnum):
    """What an unanswered step call is waiting for."""

    WAITING = "waiting"  # for a deadline or an event
    EXECUTING = "executing"  # for the guest: its callback runs
    ANSWERING = "answering"  # for a commit: the answer follows it


@dataclass(slots=True)
class Call:
    """A step call that has not been answered."""

    number: int
    state: CallState
    attempt: int = 0
    nested: bool = False  # made by a callback, which ends only once this is answered

    def is_attempt(self, attempt: int) -> bool:
        """Whether this attempt is the one in flight; any other is late."""
        return self.state is CallState.EXECUTING and self.attempt == attempt


@dataclass(slots=True)
class Run:
    """One pass through `run()`. `calls` and `held` are by step key."""

    number: int
    instance: Instance
    guest: Guest
    calls: dict[str, Call] = field(default_factory=dict)
    held: list[StepBegin] = field(default_factory=list)
    leaving: bool = False  # its guest is being replaced: nothing new starts here
    idle_alarm: Alarm | None = None

    @property
    def executing(self) -> bool:
        """Whether a callback of user code is in flight."""
        return any(call.state is CallState.EXECUTING for call in self.calls.values())

    @property
    def blocked(self) -> bool:
        """Whether every branch of the run waits for a deadline or an event."""
        return bool(self.calls) and all(
            call.state is CallState.WAITING for call in self.calls.values()
        )
