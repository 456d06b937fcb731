"""Guests that a debugger halts: no time counts for them, and a person is told who waits.

A guest says itself when a prompt halts it (`stopped`, `continued`). While an editor is attached,
it counts as halted, as nobody says when the editor stops it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from emulator.engine.guests.guest import Guest as EngineGuest
from emulator.protocol.life import Continued, DebugListening, Stopped


class Halts:
    """How debuggers halt one guest."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.where = ""
        self.port = 0  # where its debugpy listens
        self._now_s = now_s
        self._count = 0
        self._since_s = 0.0
        self._before_s = 0.0

    def __bool__(self) -> bool:
        return self._count > 0

    @property
    def halted_s(self) -> float:
        """How long it has been halted so far."""
        return self._before_s + (self._now_s() - self._since_s if self._count else 0.0)

    def begin(self) -> bool:
        """One more debugger halts it; return whether it is the first."""
        self._count += 1
        if self._count == 1:
            self._since_s = self._now_s()
        return self._count == 1

    def end(self) -> float | None:
        """One debugger lets go; return how long they halted it, in seconds, if it was the last."""
        self._count -= 1
        if self._count:
            return None
        lasted_s = self._now_s() - self._since_s
        self._before_s += lasted_s
        return lasted_s


class Guest(EngineGuest, Protocol):
    """What is needed of a guest."""

    halts: Halts


class Keyboard(Protocol):
    """The terminal's keys, which a prompt in a guest reads in our place."""

    def lend(self, guest: object) -> None:
        """A prompt in this guest reads them from now on."""

    def take_back(self, guest: object) -> None:
        """It does no more, or never did; the guest may have ended at its prompt."""


class Debugging:
    """Hears of the guests of one worker.

    tell: a line for the person at the terminal. halt, go_on: the engine's, which lets no time count
    for what a halted guest executes; `go_on` gets how long it was halted, in milliseconds.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        halt: Callable[[Guest], None],
        go_on: Callable[[Guest, int], None],
    ) -> None:
        self._tell = tell
        self._halt = halt
        self._go_on = go_on
        self.keyboard: Keyboard | None = None
        self._missing = ""  # what was told of debugpy

    def hear(self, guest: Guest, message: Stopped | Continued | DebugListening) -> None:
        """A guest says something of its debugger."""
        match message:
            case Stopped(where, _):  # the guest has told the person at its prompt
                if self.keyboard is not None:
                    self.keyboard.lend(guest)
                self.begin(guest)
                guest.halts.where = where
            case Continued():
                self.end(guest)
                self._take_back(guest)
            case DebugListening(port, problem):
                guest.halts.port = port
                if problem and problem != self._missing:
                    self._tell(problem)
                self._missing = problem

    def begin(self, guest: Guest) -> None:
        """A debugger halts a guest."""
        if guest.halts.begin():
            self._halt(guest)

    def end(self, guest: Guest) -> None:
        """A debugger has let go of a guest."""
        guest.halts.where = ""
        lasted_s = guest.halts.end() if guest.halts else None
        if lasted_s is not None:
            self._go_on(guest, round(lasted_s * 1000))

    def waits(self, guest: Guest, request: str) -> None:
        """A request has come for a guest that is halted."""
        if guest.halts.where:
            self._tell(f"{request} waits: the debugger halts the worker at {guest.halts.where}")

    def lost(self, guest: Guest) -> None:
        """A guest has ended, perhaps at its prompt, which had changed the terminal's mode."""
        if guest.halts:
            self._take_back(guest)

    def _take_back(self, guest: Guest) -> None:
        if self.keyboard is not None:
            self.keyboard.take_back(guest)
