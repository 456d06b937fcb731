"""When the disk refuses: memory is ahead of the journal, and workflows stop until it accepts."""

from __future__ import annotations

import sqlite3
from functools import partial

from emulator.engine.actions import Action, Actions, Drop, Later, Report, Soon, StartQueued
from emulator.engine.roster import Roster
from emulator.engine.waker import Waker
from emulator.sqlite import Removed

RECOVERY_DELAY_MS = 1_000  # after a failed commit


class Recovery:
    """Forgets instances whose entries could not be recorded, and goes on with them later."""

    def __init__(self, roster: Roster, waker: Waker) -> None:
        self.is_lost = False  # the journal was removed under us
        self._roster = roster
        self._waker = waker

    def look(self) -> Actions:
        """Notice that the journal was removed, also when nothing is recorded."""
        try:
            self._roster.journal.file.look()
        except Removed as error:
            return self.failed(set(), error)
        return ()

    def failed(self, keys: set[int], error: sqlite3.Error) -> Actions:
        """Memory is ahead of the disk for these instances: forget them and read them again."""
        roster = self._roster
        follows = [] if roster.refused else self._refuse(error)
        for key in keys:
            run = roster.run_of(key)
            if run is not None:
                follows.append(Drop(run.instance))
            roster.forget(key)
        roster.unrecorded |= keys
        return follows

    def _refuse(self, error: sqlite3.Error) -> list[Action]:
        self._roster.refused = True
        self.is_lost = isinstance(error, Removed)
        if self.is_lost:  # for good
            text = f"{error}. Until then nothing is recorded, and workflows stand still."
            return [Report(text)]
        text = (
            f"{self._roster.journal.path}: nothing can be recorded ({error})."
            " Workflows stand still until it can; nothing that was acknowledged is lost."
        )
        return [Report(text), Later(RECOVERY_DELAY_MS, self._recover)]

    def _recover(self) -> Actions:
        """Go on if the journal can be written again; look again later if not."""
        roster = self._roster
        if roster.closed:
            return ()
        if not roster.journal.is_writable():
            return (Later(RECOVERY_DELAY_MS, self._recover),)
        roster.refused = False
        keys, roster.unrecorded = sorted(roster.unrecorded), set()
        return (
            Report(f"{roster.journal.path}: recording again; workflows go on"),
            *(Soon(partial(self._waker.take_up_again, key)) for key in keys),
            StartQueued(),
        )
