"""The guest apart: suspects run in it, so that the next loss shows which one takes guests down.

They begin one after the other, the one with the most losses first. Each has the guest for itself
until it rests or ends, or for a while. Then the next one begins. The guest is opened for the first
suspect and closed after the last. `blame.py` decides which instances are suspects.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.clock import Alarm, Clock, call_after
from emulator.engine.guests.blame import Blame
from emulator.engine.guests.feed import Feed
from emulator.engine.guests.guest import Guest
from emulator.engine.roster import Roster
from emulator.engine.runs.run import Run


class Apart:
    """Owns the guest apart, if there is one, and lets suspects begin in it.

    open: brings a guest up; then `use` or `failed` is called. close: called when the guest of a
    generation is not needed any more. start: starts an instance, if it has not begun yet. clock: of
    real time.
    """

    def __init__(
        self,
        roster: Roster,
        clock: Clock,
        blame: Blame,
        start: Callable[[int, Guest, Feed], None],
    ) -> None:
        self.open: Callable[[], None] = lambda: None
        self.close: Callable[[int], None] = lambda generation: None
        self.guest: Guest | None = None
        self._roster = roster
        self._clock = clock
        self._blame = blame
        self._start = start
        self._feed: Feed | None = None
        self._opening = False
        self._waiting = roster.suspects
        self._runs: set[int] = set()  # numbers of the runs in the guest
        self._on_trial = 0  # number of the run that has the guest for itself
        self._alarm: Alarm | None = None

    def add(self, key: int) -> None:
        """Let an instance begin apart when it is its turn."""
        self._waiting[key] = None
        self._go_on()

    def remove(self, key: int) -> None:
        """An instance must not begin any more."""
        self._waiting.pop(key, None)

    def use(self, guest: Guest) -> None:
        """The guest is up."""
        self._opening = False
        self.guest, self._feed = guest, Feed(guest)
        self._go_on()

    def failed(self) -> None:
        """No guest could be brought up; try again."""
        self._opening = False
        self._go_on()

    def retire(self) -> list[int]:
        """Other code serves now: give the guest up; return the keys of waiting suspects."""
        keys = list(self._waiting)
        self._waiting.clear()
        if self.guest is not None:
            generation = self.guest.generation
            self._forget_guest()
            self.close(generation)
        return keys

    def release(self) -> list[int]:
        """Return the keys of instances that waited and are no longer suspects."""
        released = [key for key in self._waiting if not self._blame.is_suspect(key)]
        for key in released:
            del self._waiting[key]
        return released

    def lost(self, guest: Guest) -> None:
        """A guest was lost."""
        if guest is self.guest:
            self._forget_guest()
            self._go_on()

    def rests(self, run: Run) -> None:
        """A run only waits, so it cannot take the guest down now."""
        if run.number == self._on_trial:
            self._end_trial()

    def left(self, run: Run) -> None:
        """A run has ended, or was dropped."""
        self._runs.discard(run.number)
        if run.number == self._on_trial:
            self._end_trial()
        elif not self._runs:
            self._go_on()

    def stop(self) -> None:
        """Begin nothing more."""
        self._waiting.clear()
        self._forget_guest()

    def _end_trial(self) -> None:
        self._on_trial = 0
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and not self._on_trial:
            if self.guest is None or self._feed is None:
                if not self._opening:
                    self._opening = True
                    self.open()
                return
            key = max(self._waiting, key=self._blame.losses)
            del self._waiting[key]
            self._start(key, self.guest, self._feed)
            run = self._roster.run_of(key)
            if run is not None:
                self._runs.add(run.number)
                self._on_trial = run.number
                trial_ms = self._blame.trial_ms(key)
                self._alarm = call_after(self._clock, trial_ms, self._end_trial)
        if self.guest is not None and not self._waiting and not self._runs:
            generation = self.guest.generation
            self._forget_guest()
            self.close(generation)

    def _forget_guest(self) -> None:
        self.guest = self._feed = None
        self._runs.clear()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._on_trial = 0
