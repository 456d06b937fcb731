"""Guests that a debugger halts: the attempts that they execute do not time out meanwhile.

Nothing of it is recorded. After a crash an attempt that was halted is cut off, as any other.
"""

from __future__ import annotations

from emulator.engine.guests.guest import Guest
from emulator.engine.model.step import StepState
from emulator.engine.roster import Roster
from emulator.engine.runs.run import Run


class HaltedGuests:
    """Knows the halted guests, and moves deadlines when they go on."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._guests: set[Guest] = set()

    def halt(self, guest: Guest) -> None:
        """Let no attempt in `guest` time out."""
        self._guests.add(guest)

    def halts(self, run: Run) -> bool:
        """Whether the code of a run stands still."""
        return bool(self._guests) and run.guest in self._guests

    def go_on(self, guest: Guest, halted_ms: int) -> None:
        """It goes on after `halted_ms` milliseconds: its attempts have that much more time."""
        self._guests.discard(guest)
        for run in self._roster.runs_in(guest):
            for step in run.in_flight():
                if step.state is StepState.RUNNING and step.due_ms is not None:
                    step.due_ms += halted_ms
            self._roster.timers.set(run.instance.key, run.instance.next_due_ms())

    def forget(self, guest: Guest) -> None:
        """It has ended."""
        self._guests.discard(guest)
