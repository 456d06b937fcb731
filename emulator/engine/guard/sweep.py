"""The sweep after a change of code: which sleeping instances no longer fit, found before they wake.

Every instance is guarded when it next runs, so nothing depends on the sweep: it tells people early.
It replays in the background, few at a time, and of instances that have done the same steps at first
only one; the others follow when that one diverges. Instances that are held are all looked at, for
the new code may fit them again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from emulator.clock import Alarm, Clock
from emulator.engine.guard.replay_guard import Guard
from emulator.engine.journal.journal import Journal
from emulator.engine.journal.reading import DamagedHistory
from emulator.engine.model.divergence import Divergence
from emulator.engine.model.instance import Status
from emulator.protocol.runs import Replayed, StepBegin

AT_ONCE = 4  # probes in flight
SLICE = 50  # instances looked at in one go
PAUSE_MS = 10  # between two slices: requests and due instances come first


@dataclass(slots=True)
class _Alike:
    """Instances of one workflow that have done the same steps."""

    diverges: bool = False
    rest: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Probe:
    key: int
    guard: Guard
    alike: _Alike | None


class Sweep:
    """Probes instances that wait or are held, once per generation of code.

    clock: paces it; it is not the time of the workflows. is_moving: whether an instance still has a
    run on the code before. start: begins a probe of an instance; returns its run number and guard,
    or None when there is nothing to find out. judged: takes the verdict; None means that the code
    fits. drop: ends a run.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        is_moving: Callable[[int], bool],
        start: Callable[[int], tuple[int, Guard] | None],
        judged: Callable[[int, Divergence | None], None],
        drop: Callable[[int], None],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._is_moving = is_moving
        self._start = start
        self._judged = judged
        self._drop = drop
        self._generation = 0
        self._last_key: int | None = None  # None: all have been looked at
        self._alike: dict[object, _Alike] = {}
        self._due: deque[tuple[int, _Alike | None]] = deque()
        self._flying: dict[int, _Probe] = {}  # by run number
        self._alarm: Alarm | None = None

    def begin(self, generation: int) -> None:
        """Look at everything again: code of this generation runs now.

        Once for each: a replay that takes its guest down must not do so again in the next.
        """
        self.stop()
        if generation == self._generation:
            return
        self._generation = generation
        self._last_key = 0
        self._schedule()

    def stop(self) -> None:
        """Look at nothing more."""
        for number in self._flying:
            self._drop(number)
        self._flying.clear()
        self._alike.clear()
        self._due.clear()
        self._last_key = None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def hear_step(self, message: StepBegin, now_ms: int) -> None:
        """A run that is not the engine's called a step."""
        probe = self._flying.get(message.run)
        if probe is not None:
            probe.guard.hear_step(message, now_ms)
            self._judge(message.run, probe, now_ms)

    def instance_of(self, run: int) -> int | None:
        """Return the key of the instance that a probe replays; None for what is no probe."""
        probe = self._flying.get(run)
        return None if probe is None else probe.key

    def hear(self, message: Replayed, now_ms: int) -> None:
        """A run that is not the engine's has come to some point."""
        probe = self._flying.get(message.run)
        if probe is not None:
            probe.guard.hear(message)
            self._judge(message.run, probe, now_ms)

    def _judge(self, number: int, probe: _Probe, now_ms: int) -> None:
        if not probe.guard.is_decided:
            return
        del self._flying[number]
        self._drop(number)
        divergence = probe.guard.divergence(now_ms)
        self._schedule()
        if divergence is not None and divergence.stands == "restless":
            return  # it cannot be told without doing what it does; its next run will show
        if divergence is not None and probe.alike is not None:
            probe.alike.diverges = True
            self._due.extend((key, probe.alike) for key in probe.alike.rest)
            probe.alike.rest.clear()
        self._judged(probe.key, divergence)

    def _schedule(self) -> None:
        if self._alarm is None:
            self._alarm = self._clock.call_at(self._clock.now_ms() + PAUSE_MS, self._go_on)

    def _go_on(self) -> None:
        self._alarm = None
        if not self._due and self._last_key is not None:
            self._look(self._last_key)
        moving = []
        while self._due and len(self._flying) < AT_ONCE:
            key, alike = self._due.popleft()
            if self._is_moving(key):
                moving.append((key, alike))
                continue
            started = self._start(key)
            if started is not None:
                number, guard = started
                self._flying[number] = _Probe(key, guard, alike)
            elif alike is not None and alike.rest:  # it runs, and is guarded: try the next one
                self._due.append((alike.rest.pop(0), alike))
        self._due.extend(moving)
        if self._last_key is not None or (self._due and len(self._flying) < AT_ONCE):
            self._schedule()

    def _look(self, after: int) -> None:
        """Take up the next instances that wait or are held."""
        rows = self._journal.dormant(after, SLICE)
        self._last_key = rows[-1].key if rows else None
        for row in rows:
            if row.status is Status.PAUSED:
                self._due.append((row.key, None))
                continue
            try:
                generation, steps = self._journal.shape(row.key)
            except DamagedHistory:  # told when it is due
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
