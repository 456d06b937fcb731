"""Decisions, and the closed set of actions that can follow from one. `engine.py` performs them.

A part that returns an action has not performed it. So each part of the engine can be understood and
tested without the others, and only `engine.py` tells anybody anything. Actions are performed in
order. All that follows from one is performed before the next.

The first four answer a step call: `calls.py` makes messages of them. `engine.py` performs all
others itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from emulator.engine.model.entries import Entry
from emulator.engine.model.failure import ErrorInfo
from emulator.engine.model.instance import Instance
from emulator.json_types import Json
from emulator.protocol.message import Message
from emulator.protocol.runs import StepBegin

# --- what a step call gets


class Execute(Struct, frozen=True):
    """Run the callback as this attempt."""

    attempt: int
    config: dict[str, Json]


class Resolve(Struct, frozen=True):
    """The call returns `value`."""

    value: bytes = b""


class Reject(Struct, frozen=True):
    """The call raises `error`."""

    error: ErrorInfo


class Ask(Struct, frozen=True):
    """Ask the step's delay function how long to wait, now that this attempt has failed."""

    attempt: int
    error: ErrorInfo


Answer = Execute | Resolve | Reject | Ask

# --- what becomes of an instance


class Drop(Struct, frozen=True):
    """Forget the run of an instance, if it has one. tell: its guest does not know yet."""

    instance: Instance
    tell: bool = True


class Queue(Struct, frozen=True):
    """Run an instance again as soon as there is room."""

    instance: Instance


class GoOn(Struct, frozen=True):
    """An instance has lost its run: it pauses, waits, or runs again, as its status says."""

    instance: Instance


class PauseAtRest(Struct, frozen=True):
    """Let nothing new begin in the run of an instance; it pauses when the rest has ended."""

    instance: Instance


class CallOff(Struct, frozen=True):
    """Cancel a pause that has not taken effect."""

    instance: Instance


class StartOver(Struct, frozen=True):
    """Forget the history of an instance, record `first`, and queue it.

    struck: ids of the entries to forget; the others, `kept`, stay. None: forget all of them.
    """

    instance: Instance
    first: Entry
    struck: Sequence[int] | None = None
    kept: Sequence[Entry] = ()


class End(Struct, frozen=True):
    """Record the entries that end an instance."""

    instance: Instance
    entries: Sequence[Entry]


class Admit(Struct, frozen=True):
    """Record the first entries of a new instance, and queue it once they are durable."""

    instance: Instance
    first: Entry
    more: Sequence[Entry] = ()


class Deliver(Struct, frozen=True):
    """Hand events that have arrived to the steps that wait for them."""

    instance: Instance


class Wake(Struct, frozen=True):
    """A deadline of an instance was moved to now: do what is due."""

    instance: Instance


class Evict(Struct, frozen=True):
    """Remove an instance from memory, unless it runs or will run soon."""

    instance: Instance


# --- what happens to a run, by its number


class Tell(Struct, frozen=True):
    """Send a message to the guest of a run."""

    run: int
    message: Message


class Put(Struct, frozen=True):
    """Send messages to the guest of a run as fast as it reads, then perform `then`."""

    run: int
    messages: Iterator[Message]
    then: Sequence[Action] = ()


class Begin(Struct, frozen=True):
    """Let a step call that was put aside begin."""

    run: int
    call: StepBegin


class Rested(Struct, frozen=True):
    """Nothing executes in a run: do what was planned for that moment."""

    run: int


class RollBack(Struct, frozen=True):
    """Execute the next rollback handler, or end the rollback."""

    run: int


# --- what happens later

Then = Callable[[], "Actions"]  # returns what follows, when its time has come


class WhenDurable(Struct, frozen=True):
    """Perform `then` when everything recorded so far is durable; never if that fails."""

    then: Then


class Soon(Struct, frozen=True):
    """Perform `then` in this turn of the event loop, or in a later one if there is much to do."""

    then: Then


class Later(Struct, frozen=True):
    """Perform `then` after so much real time."""

    span_ms: int
    then: Then


class StartQueued(Struct, frozen=True):
    """Start queued instances, as many as there is room for."""


class Report(Struct, frozen=True):
    """Tell the person at the terminal."""

    text: str


Action = (
    Answer
    | Drop
    | Queue
    | GoOn
    | PauseAtRest
    | CallOff
    | StartOver
    | Admit
    | Deliver
    | Wake
    | End
    | Evict
    | Tell
    | Put
    | Begin
    | Rested
    | RollBack
    | WhenDurable
    | Soon
    | Later
    | StartQueued
    | Report
)
Actions = Iterable[Action]


class Decision(Struct, frozen=True):
    """Entries to record in this order, then the actions that follow, in order.

    For a step call there is one action, its answer. Without an action, the call waits.
    """

    entries: Sequence[Entry] = ()
    actions: Sequence[Action] = ()
