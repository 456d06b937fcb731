"""The sweep after a change of code: finds sleeping instances that no longer fit, before they wake.

Every instance is guarded at its next run, so the sweep is only an early warning. It replays in the
background, few at a time. Of instances that have done the same steps, it first replays one, and the
others if that one diverges. Held instances are all replayed, as the new code may fit them again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from msgspec import Struct, field

from emulator.clock import Alarm, Clock, call_after
from emulator.engine.guard.probes import Probe, Probes
from emulator.engine.journal.journal import Journal
from emulator.engine.journal.reader import DamagedHistory
from emulator.engine.model.divergence import Divergence
from emulator.engine.model.instance import Status

AT_ONCE = 4  # probes in flight
SLICE = 50  # instances looked at without a pause
PAUSE_MS = 10  # between two slices: requests and due instances come first


class _Alike(Struct):
    """Instances of one workflow that have done the same steps."""

    diverges: bool = False
    rest: list[int] = field(default_factory=list)


class Sweep:
    """Probes instances that wait or are held, once per generation of code.

    clock: paces it; it is not the time of the workflows. is_moving: whether an instance still has a
    run on the code before. start: begins a probe of an instance; returns its number, or None when
    there is nothing to find out. judged: takes the outcome; None means that the code fits.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        is_moving: Callable[[int], bool],
        start: Callable[[int, Probes], int | None],
        judged: Callable[[int, Divergence | None], None],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._is_moving = is_moving
        self._start = start
        self._told = judged
        self.probes = Probes(self._judged, self._damaged)
        self._generation = 0
        self._last_key: int | None = None  # None: all have been looked at
        self._alike: dict[object, _Alike] = {}
        self._due: deque[tuple[int, _Alike | None]] = deque()
        self._alike_of: dict[int, _Alike | None] = {}  # by number of a probe in flight
        self._alarm: Alarm | None = None

    def begin(self, generation: int) -> None:
        """Look at all instances again: code of this generation runs now.

        Each instance is probed once: a replay that took its guest down must not do it again.
        """
        self.stop()
        if generation == self._generation:
            return
        self._generation = generation
        self._last_key = 0
        self._schedule()

    @property
    def is_busy(self) -> bool:
        """Whether there is more to probe, or to hear of probes."""
        return bool(self._alarm is not None or self._alike_of or self._due)

    def stop(self) -> None:
        """Begin no more probes."""
        self.probes.stop()
        self._alike_of.clear()
        self._alike.clear()
        self._due.clear()
        self._last_key = None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _judged(self, probe: Probe, divergence: Divergence | None) -> None:
        alike = self._alike_of.pop(probe.number)
        self._schedule()
        if divergence is not None and divergence.stands == "restless":
            return  # only a real run can find out
        if divergence is not None and alike is not None:
            alike.diverges = True
            self._due.extend((key, alike) for key in alike.rest)
            alike.rest.clear()
        self._told(probe.key, divergence)

    def _damaged(self, probe: Probe, error: Exception) -> None:
        """It cannot be told; the next run of the instance says why."""
        self.probes.drop(probe.number)
        self._alike_of.pop(probe.number, None)
        self._schedule()

    def _schedule(self) -> None:
        if self._alarm is None:
            self._alarm = call_after(self._clock, PAUSE_MS, self._go_on)

    def _go_on(self) -> None:
        self._alarm = None
        if not self._due and self._last_key is not None:
            self._look(self._last_key)
        moving = []
        while self._due and len(self._alike_of) < AT_ONCE:
            key, alike = self._due.popleft()
            if self._is_moving(key):
                moving.append((key, alike))
                continue
            number = self._start(key, self.probes)
            if number is not None and self.probes.get(number) is not None:
                self._alike_of[number] = alike
            elif alike is not None and alike.rest:  # it has a guarded run already: try the next one
                self._due.append((alike.rest.pop(0), alike))
        self._due.extend(moving)
        if self._last_key is not None or (self._due and len(self._alike_of) < AT_ONCE):
            self._schedule()

    def _look(self, after: int) -> None:
        """Probe the next instances that wait or are held."""
        rows = self._journal.dormant(after, SLICE)
        self._last_key = rows[-1].key if rows else None
        for row in rows:
            if row.status is Status.PAUSED:
                self._due.append((row.key, None))
                continue
            try:
                generation, steps = self._journal.shape(row.key)
            except DamagedHistory:  # reported when the instance is due
                continue
            if generation == self._generation:
                continue
            shape = (row.workflow, generation, steps)
            alike = self._alike.get(shape)
            if alike is None:
                alike = self._alike[shape] = _Alike()
                self._due.append((row.key, alike))
            elif alike.diverges:
                self._due.append((row.key, alike))
            else:
                alike.rest.append(row.key)
