"""A run in memory: one pass through the user's `run()` in one guest, and the calls it waits on.

A run is never durable. It can be dropped at any moment and started again from the journal.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum

from msgspec import Struct, field

from emulator.engine.decide.steps import interrupt
from emulator.engine.guard.callback_guard import Nesting
from emulator.engine.guard.replay_guard import Guard
from emulator.engine.guests.feed import Feed
from emulator.engine.guests.guest import Guest
from emulator.engine.model.entries import Entry
from emulator.engine.model.instance import Instance
from emulator.engine.model.places import Place
from emulator.engine.model.step import Step
from emulator.engine.runs.states import RunState
from emulator.engine.runs.streams import Output
from emulator.protocol.runs import StepBegin


class CallState(StrEnum):
    """What an unanswered step call is waiting for."""

    WAITING = "waiting"  # for a deadline or an event
    EXECUTING = "executing"  # for the guest: its callback runs
    ASKING = "asking"  # for the guest: how long to wait before the next attempt
    ANSWERING = "answering"  # for a commit: the answer follows it


class Call:
    """A step call that has not been answered."""

    __slots__ = (
        *("number", "attempt", "nested", "line", "started", "output", "earlier"),
        *("_state", "_calls"),
    )

    def __init__(
        self,
        number: int,
        state: CallState,
        attempt: int = 0,
        nested: bool = False,
        line: str = "",
        started: bool = False,
    ) -> None:
        self.number = number
        self.attempt = attempt
        self.nested = nested  # made by a callback, which ends only once this is answered
        self.line = line  # where user code made it
        self.started = started  # the guest has begun attempt 1 by itself
        self.output: Output | None = None  # the stream of the attempt in flight, as far as it came
        self.earlier: tuple[int, ...] = ()  # numbers of the calls of the caller's earlier attempts
        self._state = state
        self._calls: Calls | None = None  # which keep count of it

    @property
    def state(self) -> CallState:
        """What it waits for."""
        return self._state

    @state.setter
    def state(self, state: CallState) -> None:
        if self._calls is not None:
            counts = self._calls.counts
            counts[self._state] -= 1
            counts[state] += 1
        self._state = state

    def is_attempt(self, attempt: int) -> bool:
        """Whether this attempt is the one in flight; any other is late."""
        return self._state is CallState.EXECUTING and self.attempt == attempt

    def is_asked(self, attempt: int) -> bool:
        """Whether it waits for the delay after this attempt."""
        return self._state is CallState.ASKING and self.attempt == attempt


_NONE = dict.fromkeys(CallState, 0)


class Calls(dict[str, Call]):
    """The unanswered calls of a run, by step key: counted, since a run may have thousands."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = _NONE.copy()  # how many wait for what
        self._keys: dict[int, str] = {}  # by number, of all calls that were made

    def __setitem__(self, key: str, call: Call) -> None:
        super().__setitem__(key, call)
        call._calls = self
        self.counts[call._state] += 1
        self._keys[call.number] = key

    def join(self, key: str, number: int) -> None:
        """Another call asks for a step that has not been answered: the answer goes to both.

        An attempt of the caller made it, and the one before has not seen the answer. From now on
        its callback is the step's.
        """
        call = self[key]
        call.earlier += (call.number,)
        call.number = number
        self._keys[number] = key

    def take(self, key: str) -> Call:
        """Remove the call of a step and return it. Raises KeyError."""
        call = super().pop(key)
        call._calls = None
        self.counts[call._state] -= 1
        return call

    def clear(self) -> None:
        """Forget all calls."""
        for key in list(self):
            self.take(key)

    def key_of(self, number: int) -> str | None:
        """Return the step of call `number`; None: it was answered, or never made."""
        key = self._keys.get(number)
        return key if key in self else None

    def executing_as(self, number: int, attempt: int) -> tuple[str, Call] | None:
        """Return the step and the call with a number while this attempt of it is in flight.

        None: the attempt is over, or never was.
        """
        key = self._keys.get(number, "")
        call = self.get(key)
        if call is None or call._state is not CallState.EXECUTING or call.attempt != attempt:
            return None
        return key, call

    def asked_after(self, number: int, attempt: int) -> str | None:
        """Return the step of a call that waits for the delay after this attempt, or None."""
        key = self.key_of(number)
        return key if key is not None and self[key].is_asked(attempt) else None

    def is_new(self, number: int) -> bool:
        """Whether a guest may give this number to its next call: from 1, each once."""
        return number > 0 and number not in self._keys

    def caller(self, number: int) -> str:
        """Return the step of call `number`, answered or not. Raises KeyError: it was never made."""
        return self._keys[number]


class Run(Struct):
    """One pass through `run()`."""

    number: int
    instance: Instance
    guest: Guest
    feed: Feed  # of its guest
    state: RunState
    calls: Calls = field(default_factory=Calls)
    deferred: list[StepBegin] = field(default_factory=list)  # while its gate is shut
    handlers: int = 0  # how many rollback handlers it was asked for; their calls are below 0
    # Caller and place of a nested step -> the call that gave its rollback handler last.
    given: dict[tuple[str, Place], int] = field(default_factory=dict)
    waiters: list[asyncio.Future[None]] = field(default_factory=list)  # for what it executes
    streamed: int | None = None  # bytes of all streams of the instance, once it sends one
    guard: Guard | None = None  # of a run that began guarded
    nesting: Nesting | None = None  # where callbacks run again that had called steps on other code

    @property
    def executing(self) -> bool:
        """Whether a callback of user code is in flight."""
        return self.calls.counts[CallState.EXECUTING] > 0

    def answers(self, call: Call) -> bool:
        """Whether a call may be answered here: in a run that leaves its guest, only a nested one.

        A callback in flight may end where it is; `run()` itself goes on elsewhere.
        """
        return call.nested or not self.state.leaves

    def in_flight(self) -> list[Step]:
        """Return the steps whose callbacks execute."""
        steps, executing = self.instance.steps, CallState.EXECUTING
        return [steps[key] for key, call in self.calls.items() if call.state is executing]

    def interruptions(self, now_ms: int) -> list[Entry]:
        """Return the entries for callbacks in flight that are cut off because of other code."""
        return [interrupt(self.instance, step, now_ms, "reload") for step in self.in_flight()]

    def work(self) -> list[str]:
        """Return what it does, in words, for the person at the terminal."""
        where = f'{self.instance.workflow} instance "{self.instance.id}"'
        executing = [
            f'{where}, step "{step.name}" #{step.count}, attempt {self.calls[step.key].attempt}'
            for step in self.in_flight()
        ]
        return executing or ([] if self.calls else [f"{where}, outside steps"])

    def only_executes(self, key: str) -> bool:
        """Whether no callback is in flight but that of this step, and those it was called in."""
        inside = set()
        while key:
            inside.add(key)
            key = self.instance.steps[key].parent if key in self.instance.steps else ""
        return all(
            key in inside for key, call in self.calls.items() if call.state is CallState.EXECUTING
        )

    def unfinished(self) -> list[str]:
        """Return the steps that have no answer yet, each with its line: `"charge-1 (e.py:3)"`."""
        steps = self.instance.steps
        found = [(steps[key].label, call.line) for key, call in self.calls.items() if key in steps]
        return [f"{label} ({line})" if line else label for label, line in sorted(found)]

    @property
    def at_rest(self) -> bool:
        """Whether no callback is in flight, nor can be without anyone here knowing."""
        return self.calls.counts[CallState.EXECUTING] == 0 and self.state.knows_all

    @property
    def blocked(self) -> bool:
        """Whether every branch of the run waits for a deadline or an event."""
        return 0 < len(self.calls) == self.calls.counts[CallState.WAITING]
